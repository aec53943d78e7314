# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of skiff(1) for bash: skiff itself knows what may come.

_skiff()
{
	local line word prefix i
	local -a words found

	# What bash takes for several words at a colon or an equals sign is
	# one to skiff.
	line=${COMP_LINE:0:COMP_POINT}
	read -ra words <<<"$line"
	case $line in
	*[[:space:]]) words+=("") ;;
	esac
	word=${words[-1]}
	mapfile -t found < <(skiff __complete "${words[@]:1}" 2>/dev/null)
	prefix=${word%"${word##*[:=]}"}
	COMPREPLY=()
	# Not by compgen -W, which runs what stands in a name as $(…).
	for i in "${found[@]}"; do
		[[ $i == "$word"* ]] || continue
		printf -v i %q "${i#"$prefix"}"
		COMPREPLY+=("$i")
		[[ $i != *= ]] || compopt -o nospace
	done
}
complete -o default -F _skiff skiff
