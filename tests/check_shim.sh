#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What of the shim is our own allocates nothing and knows no JSON: there is
# one shim per task. Looks at the objects that are built for it; libbase.a,
# of which it takes a few functions, may have others that do. One opendir(3)
# is let through: the daemon alone calls the function that it is in.
set -eu
: "${SKIFF_BUILD:=.}"

objects=$(find "$SKIFF_BUILD/runtime" -name 'skiff_shim-*.o' | sort)
if [ -z "$objects" ] || ! command -v nm >/dev/null; then
	echo "1..0 # SKIP no objects of the shim, or no nm"
	exit 0
fi

echo 1..1
# shellcheck disable=SC2086 # a list of our own file names
if nm -A -P -u $objects | awk '
BEGIN {
	libc = "malloc|calloc|realloc|reallocarray|free|aligned_alloc|" \
	    "posix_memalign|memalign|strdup|strndup|v?asprintf|" \
	    "open_memstream|fmemopen|fopen(64)?|fdopen|getline|getdelim|" \
	    "(fd)?opendir|scandir(64)?|realpath|canonicalize_file_name"
	ours = "x(malloc|calloc|realloc|reallocarray|zalloc|new|array|" \
	    "strdup|strndup|memdup|v?asprintf)|strbuf_.*|json_.*|yajl_.*"
	bad_name = "^(__)?(" libc "|" ours ")(_chk)?(@.*)?$"
}
{
	n++
	sub(/.*\//, "", $1)
	if ($2 ~ bad_name && !($1 == "skiff_shim-path.o:" && $2 == "opendir")) {
		printf "# %s %s\n", $1, $2
		bad = 1
	}
}
END { exit bad || n < 100 }'; then
	echo "ok 1 - the shim allocates nothing"
else
	echo "not ok 1 - the shim allocates nothing"
	exit 1
fi
