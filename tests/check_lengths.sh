#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A file is about one thing: at most 700 lines, a function at most 80.
# clang-format puts the braces of a function, and of nothing else, alone
# into column 0.
set -eu
cd "${SKIFF_SRC:-$(dirname "$0")/..}"

sources()
{
	find server store runtime handlers tests -name '*.[ch]' -print | sort
}

verdict()
{
	if [ -z "$3" ]; then
		echo "ok $1 - $2"
	else
		printf '%s\n' "$3"
		echo "not ok $1 - $2"
		failed=1
	fi
}

failed=0
echo 1..2
verdict 1 "no file is longer than 700 lines" "$(sources | xargs awk '
	FNR == 701 { printf "# %s is longer than 700 lines\n", FILENAME }')"
verdict 2 "no function is longer than 80 lines" "$(sources | xargs awk '
	FNR == 1 { start = 0 }
	/^\{$/ { start = FNR; name = before }
	/^\}$/ && start && FNR - start > 81 {
		printf "# %s:%d: %d lines: %s\n", FILENAME, start, \
		    FNR - start - 1, name
	}
	/^\}$/ { start = 0 }
	/^[A-Za-z_].*\(/ { before = $0 }')"
exit "$failed"
