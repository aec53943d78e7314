# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Tables for people.

# Definitions that jq programs here begin with.
jq_library='
	def text: if . == null or . == "" then "-" else tostring end;
	def bytes:
		if . == null then "-"
		elif . < 1000 then "\(.) B"
		else [., -1] | until(.[0] < 1000; [.[0] / 1000, .[1] + 1]) |
			"\((.[0] * 10 | round) / 10) \(["kB", "MB", "GB", "TB",
			"PB", "EB"][.[1]])"
		end;
	def pairs: to_entries | map("\(.key)=\(.value)") | join(",") | text;
	def age: if . == null then "-" else
		(now - (sub("\\.[0-9]+"; "") | fromdateiso8601)) as $s |
		if $s < 60 then "\($s | floor) s"
		elif $s < 3600 then "\($s / 60 | floor) min"
		elif $s < 86400 then "\($s / 3600 | floor) h"
		else "\($s / 86400 | floor) d" end end;
'

# table HEADING...: rows of tab-separated cells from stdin, aligned. Cells
# come from jq's @tsv, which leaves no line break in them.
table()
{
	heading=
	for cell in "$@"; do
		heading="$heading${heading:+	}$cell"
	done
	{
		printf '%s\n' "$heading"
		cat
	} | neutral | awk -F '\t' '
	{
		n = NF > n ? NF : n
		for (i = 1; i <= NF; i++) {
			cell[NR, i] = $i
			if (length($i) > width[i])
				width[i] = length($i)
		}
		fields[NR] = NF
	}
	END {
		for (row = 1; row <= NR; row++) {
			line = ""
			for (i = 1; i < fields[row]; i++)
				line = line sprintf("%-" width[i] "s   ", \
				    cell[row, i])
			print line cell[row, fields[row]]
		}
	}'
}

# items_filtered FILTER FILE: what a jq filter makes of each value in it.
items_filtered()
{
	case $1 in
	json) set -- . "$2" ;;
	table*) usage_error "--format is json or a jq filter, such as .id" ;;
	*'{{'*)
		usage_error "--format is a jq filter, such as .id, not a" \
		    "template: $1"
		;;
	esac
	jq -rc "$1" "$2" >"$tmp/filtered" 2>"$tmp/why" ||
	    die "$(sed 's/^jq: *//' "$tmp/why")"
	neutral <"$tmp/filtered"
}

# items_json: $tmp/items as one JSON array, for --json.
items_json()
{
	jq -s . "$tmp/items"
}
