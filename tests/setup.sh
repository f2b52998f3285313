#!/bin/sh
# Installs those of the Debian packages named as arguments that are missing, and says so.
# Does nothing, and needs no privileges, when all are there.
set -eu

missing=
for package in "$@"; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null; then
	sudo=sudo
else
	echo "These Debian packages are missing:$missing" >&2
	echo "Install them as root (there is no sudo here), then run make again." >&2
	exit 2
fi
echo "Installing missing packages:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { $sudo apt-get update -q && $sudo apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -20 "$log" >&2
	echo "apt-get failed; the lines above say why, the whole log is $log" >&2
	exit 2
fi
rm -f "$log"
