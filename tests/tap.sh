# What the scripts that speak TAP share. Sourced; the output of the last command is in `out` and `err`.
n=0
failed=0

# result NAME STATUS: one line of TAP; what was printed as comments when it failed.
result() {
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' out err 2>/dev/null | head -30
		failed=1
	fi
}
