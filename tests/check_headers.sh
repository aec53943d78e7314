#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone, after config.h as in every source file.
# CC and SKIFF_HEADER_FLAGS come from make (AM_TESTS_ENVIRONMENT).
set -eu
cd "${SKIFF_SRC:-$(dirname "$0")/..}"
: "${SKIFF_BUILD:=.}"
: "${CC:=gcc}"

[ -e "$SKIFF_BUILD/config.h" ] || {
	echo "1..0 # SKIP no config.h in $SKIFF_BUILD"
	exit 0
}

headers=$(find server store runtime handlers -name '*.h' \
    ! -name banned.h -print | sort)
# shellcheck disable=SC2086 # a list of our own file names
set -- $headers
echo "1..$#"
failed=0
n=0
for header in "$@"; do
	n=$((n + 1))
	# shellcheck disable=SC2086 # flags are a list
	if output=$(printf '#include "config.h"\n#include "%s"\n' "$header" |
	    $CC ${SKIFF_HEADER_FLAGS-} -std=gnu17 -Wall -Wextra -fsyntax-only \
		-I"$SKIFF_BUILD" -Iserver -I. -x c - 2>&1); then
		echo "ok $n - $header"
	else
		printf '%s\n' "$output" | sed 's/^/# /'
		echo "not ok $n - $header"
		failed=1
	fi
done
exit $failed
