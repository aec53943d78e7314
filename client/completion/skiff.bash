# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of skiff(1) for bash: verbs, options as their help lists them,
# containers and images.

_skiff_verbs()
{
	skiff --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p'
}

_skiff()
{
	local word verb='' i
	local -a words

	COMPREPLY=()
	word=${COMP_WORDS[COMP_CWORD]}
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n : -c word
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-H | --host | -n | --namespace) ((i++)) ;;
		-*) ;;
		*)
			verb=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	if [[ -z $verb ]]; then
		mapfile -t words < <(_skiff_verbs)
		words+=(--host --namespace --json --help --version)
	elif [[ $word == -* ]]; then
		mapfile -t words < <(skiff "$verb" --help 2>/dev/null |
		    grep -oE -- '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,')
	else
		case $verb in
		run | create | images)
			mapfile -t words < <(skiff --json images 2>/dev/null |
			    jq -r '.[].name' 2>/dev/null)
			;;
		pull | events | namespaces | version) ;;
		*) mapfile -t words < <(skiff ps -aq 2>/dev/null) ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "${words[*]}" -- "$word")
	# A name with a colon in it is several words to bash.
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$word"
	fi
}
complete -o default -F _skiff skiff
