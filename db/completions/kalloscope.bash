# Candidates, a line each, that begin with $1. Spaces in names are kept.
_kalloscope_offer() {
	local IFS=$'\n'
	COMPREPLY=($(compgen "${@:2}" -- "$1"))
}

# Recordings and the folders on the way to them.
_kalloscope_recordings() {
	local IFS=$'\n'
	COMPREPLY=($(compgen -f -X '!*.kalloscope*' -- "$1") $(compgen -d -- "$1"))
	compopt -o filenames 2>/dev/null
}

# The how-manieth operand the word at the cursor is; 0 behind a lone --.
_kalloscope_operand() {
	local i word nth=1
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ $word == -- ]] && return 0
		if [[ $word == = ]]; then
			((i++))
		elif [[ $word == -* ]]; then
			# the value of an option is no operand, be it behind a blank or a =
			[[ $(_kalloscope_value "$1" "$word") && ${COMP_WORDS[i + 1]} != = ]] && ((i++))
		else
			((nth++))
		fi
	done
	return $nth
}

_kalloscope() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	local value nth
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_kalloscope_offer "$cur" -W "$_kalloscope_commands"
		return
	fi
	_kalloscope_operand "$command"
	nth=$?
	if ((nth == 0)); then # the program to run and its arguments
		if [[ $prev == -- ]]; then
			_kalloscope_offer "$cur" -c
		else
			_kalloscope_offer "$cur" -f
		fi
		compopt -o filenames 2>/dev/null
		return
	fi
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	[[ $cur == = ]] && cur=
	value=$(_kalloscope_value "$command" "$prev")
	case $value in
	'') ;;
	FILE | PNG)
		_kalloscope_offer "$cur" -f
		compopt -o filenames 2>/dev/null
		return
		;;
	*)
		_kalloscope_offer "$cur" -W "$(_kalloscope_choices "$command" "$prev")"
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		_kalloscope_offer "$cur" -W "$(_kalloscope_options "$command")"
	elif ((nth == 1)) && value=$(_kalloscope_choices "$command" operand) && [[ $value ]]; then
		_kalloscope_offer "$cur" -W "$value"
	else
		_kalloscope_recordings "$cur"
	fi
}
complete -F _kalloscope kalloscope
