# What the scripts that speak TAP share. Sourced; the output of the last command is in `out` and `err`.
# What a script runs is $kalloscope with the words of $subject (none: its overview) before its own.
n=0
failed=0
subject=${subject-}

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

# expect_of STATUS PATTERN NAME COMMAND...: exit status and a text in what was printed (empty: any).
expect_of() {
	want=$1 pattern=$2 name=$3
	shift 3
	"$@" >out 2>err </dev/null
	status=$?
	[ "$status" = "$want" ] && { [ -z "$pattern" ] || cat out err | grep -q -e "$pattern"; }
	ok=$?
	[ $ok = 0 ] || echo "# $*: status $status, wanted $want and '$pattern'"
	result "$name" $ok
}

# expect STATUS PATTERN NAME ARGUMENTS...: the same of kalloscope.
expect() {
	want=$1 pattern=$2 name=$3
	shift 3
	expect_of "$want" "$pattern" "$name" "$kalloscope" ${subject:+"$subject"} "$@"
}

# is NAME WANTED GOT
is() {
	[ "$2" = "$3" ]
	ok=$?
	[ $ok = 0 ] || echo "# wanted '$2', got '$3'"
	result "$1" $ok
}
