#!/bin/bash
# What the shells complete: words at the cursor in bash; syntax, and where they can be asked, words in
# zsh and fish.   tests/completions.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: completions.sh BUILD}" && pwd)
kalloscope=$build/kalloscope
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-completions.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
touch 'a recording.kalloscope' b.kalloscope notes.txt
mkdir sub
n=0
failed=0

result() { # status, name
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

# is NAME WANTED GOT
is() {
	[ "$2" = "$3" ]
	local ok=$?
	[ $ok = 0 ] || printf '# wanted: %s\n# got:    %s\n' "${2//$'\n'/ }" "${3//$'\n'/ }"
	result $ok "$1"
}

# typed WORD...: what bash offers for the last of the words
typed() {
	COMP_WORDS=(kalloscope "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_kalloscope
	printf '%s\n' "${COMPREPLY[@]}" | sort
}

"$kalloscope" completions bash >bash
"$kalloscope" completions zsh >zsh
"$kalloscope" completions fish >fish
for shell in bash zsh fish; do
	case $shell in bash) file=kalloscope ;; zsh) file=_kalloscope ;; fish) file=kalloscope.fish ;; esac
	cmp -s "$shell" "$build/db/completions/$file"
	result $? "$shell: what is installed is what the command prints"
done
"$kalloscope" completions tcsh >out 2>&1
is 'an unknown shell lists the known ones' '2 1' "$? $(grep -ci 'there are: bash zsh fish' out)"

is 'bash: sources without a word' '' "$(bash -u ./bash 2>&1)"
. ./bash
commands=$("$kalloscope" --help | sed -n 's/^  \([a-z-]*\)  *[a-z].*/\1/p')
is 'bash: every command' "$(echo "$commands" | sort)" "$(typed '')"
is 'bash: a command' "$(printf 'record\nrecover')" "$(typed reco)"
for command in $commands; do
	offered=$(typed "$command" --)
	missing=$("$kalloscope" "$command" --help | sed -n 's/^  [- ].*\(--[a-z0-9-]*\).*/\1/p' | while read -r option; do
		grep -qx -e "$option" <<<"$offered" || echo "$option"
	done)
	is "bash: the options of $command" '' "$missing"
done
is 'bash: an option' '--vmalloc' "$(typed record --vm)"
is 'bash: a report' "$(printf 'leaks\nlifetimes')" "$(typed report l)"
is 'bash: a report behind options' 'peak' "$(typed report --top 5 -j pe)"
is 'bash: a report behind --top=' 'peak' "$(typed report --top = 5 pe)"
is 'bash: the value of an option' 'speedscope' "$(typed export --format sp)"
is 'bash: the value behind =' 'speedscope' "$(typed export --format = sp)"
is 'bash: the value of a letter' 'speedscope' "$(typed export -F sp)"
is 'bash: recordings and folders' "$(printf 'a recording.kalloscope\nb.kalloscope\nsub')" "$(typed info '')"
is 'bash: the file behind a report' 'b.kalloscope' "$(typed report peak b)"
is 'bash: a file in /proc' 'slabinfo' "$(typed proc slab)"
is 'bash: any file to write' 'notes.txt' "$(typed render --output no)"
is 'bash: a program behind --' 1 "$(typed record -- cmp | grep -xm1 cmp | wc -l)"
is 'bash: its arguments are files' 'notes.txt' "$(typed record -q -- cat no)"
if [ -x "$build/viewer/kalloscope-render" ]; then
	views=$("$build/viewer/kalloscope-render" --help | sed -n '/--view VIEW  /,/--at /p' |
		sed '$d; s/.*--view VIEW *//; s/ or /, /' | tr -s ', ' '\n' | grep . | sort)
	is 'bash: every view' "$views" "$(typed render --view '')"
fi

if command -v zsh >/dev/null; then
	is 'zsh: syntax' '' "$(zsh -n ./zsh 2>&1)"
	cp zsh _kalloscope
	cat >ask.zsh <<'ZSH'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= ; fpath=($PWD \$fpath); autoload -U compinit; compinit -u -d $PWD/dump; print READY"
zpty -r shell line '*READY*READY*'
for typed in 'kalloscope reco' 'kalloscope report lif' 'kalloscope export --format=speed' 'kalloscope record --vm'; do
	zpty -w -n shell "$typed"$'\t'
	sleep 0.6
	zpty -r -t shell line
	print -r -- "$line"
	zpty -w -n shell $'\x15'
	zpty -r -t shell line
done
ZSH
	zsh -f ask.zsh </dev/null >asked 2>&1
	for word in 'reco[rv]' 'lifetimes' 'speedscope' '--vmalloc'; do
		grep -q -e "$word" asked
		result $? "zsh: completes ${word}"
	done
else
	n=$((n + 1))
	echo "ok $n - zsh # SKIP not installed"
fi

if command -v fish >/dev/null; then
	export HOME=$folder
	asks() { fish -c "source ./fish; complete -C '$1'" 2>&1 | cut -f1 | sort; }
	is 'fish: syntax' '' "$(fish -n ./fish 2>&1)"
	is 'fish: a command' "$(printf 'record\nrecover')" "$(asks 'kalloscope reco')"
	is 'fish: an option' '--vmalloc' "$(asks 'kalloscope record --vm' | tr -d =)"
	is 'fish: a report' "$(printf 'leaks\nlifetimes')" "$(asks 'kalloscope report l')"
	is 'fish: a value' 'speedscope' "$(asks 'kalloscope export --format sp')"
else
	n=$((n + 1))
	echo "ok $n - fish # SKIP not installed"
fi
echo "1..$n"
exit $failed
