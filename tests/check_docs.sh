#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The texts are true as far as a script can tell: what they name exists,
# links lead somewhere, the manual pages have the programs' own options.
set -eu
cd "${SKIFF_SRC:-$(dirname "$0")/..}"
: "${SKIFF_BUILD:=.}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
texts="README.md HACKING.md NEWS docs/*.md"
rooms="server store runtime handlers openapi client tests build-aux docs"
failed=0
n=0

# verdict WHAT FINDINGS: a test, which passes when nothing was found.
verdict()
{
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		printf '%s\n' "$2" | sed 's/^/# /'
		echo "not ok $n - $1"
		failed=1
	fi
}

# differ A B: what only one of two lists has, said with their names.
differ()
{
	sort -u "$scratch/$1" >"$scratch/$1.sorted"
	sort -u "$scratch/$2" >"$scratch/$2.sorted"
	comm -23 "$scratch/$1.sorted" "$scratch/$2.sorted" | sed "s/\$/: only in $1/"
	comm -13 "$scratch/$1.sorted" "$scratch/$2.sorted" | sed "s/\$/: only in $2/"
}

# words: what stands between backquotes, a word a line.
words()
{
	# shellcheck disable=SC2086 # a list of our own file names
	sed '/^```/,/^```/d' $texts | grep -o '`[^`]*`' | tr -d '`' |
	    sed 's/[ ,;]/\n/g' | sort -u
}

# shellcheck disable=SC2086 # a list
find $rooms -type f -print | sort >"$scratch/files"

# exists NAME: a file of the tree, or, for what has a pattern, any.
exists()
{
	pattern=$(printf '%s' "$1" | sed 's/<[a-z]*>/*/g; s/NNNN_[a-z_]*/*/')
	for match in $pattern server/$pattern; do
		[ -e "$match" ] && return 0
	done
	# A program that is made of the source of that name; a file by its
	# last parts; what configure makes.
	[ -e "$1.c" ] || [ "$1" = config.h ] ||
	    grep -q "/$(printf '%s' "$1" | sed 's/[.]/[.]/g')\$" \
		"$scratch/files"
}

missing()
{
	words | grep -E '^[A-Za-z0-9_.*<>/-]+$' | while read -r word; do
		case $word in
		*.c | *.h | *.sh | *.py | *.mk | *.md | *.sql | *.yaml | *.ac) ;;
		server/* | store/* | runtime/* | handlers/* | openapi/*) ;;
		client/* | tests/* | build-aux/* | docs/*) ;;
		*) continue ;;
		esac
		case $word in
		STATE/* | ROOT/*) continue ;;
		esac
		exists "${word%/}" || echo "no $word"
	done
}

links()
{
	for text in $texts; do
		grep -o '](\([^)]*\))' "$text" | sed 's/^](//; s/)$//; s/#.*//' |
		while read -r link; do
			case $link in
			'' | http://* | https://*) continue ;;
			esac
			[ -e "$(dirname "$text")/$link" ] ||
			    echo "$text: no $link"
		done || true
	done
}

# name() in a text is a function or a macro of the sources.
functions()
{
	words | grep -E '^[a-z][a-z0-9_]+\(\)$' | tr -d '()' |
	while read -r name; do
		grep -rqw "$name" server store runtime handlers tests \
		    --include='*.[ch]' || echo "no $name()"
	done
}

skiffd()
{
	"$SKIFF_BUILD/skiffd" "$@"
}

verdict "every file that the texts name exists" "$(missing)"
verdict "every relative link leads somewhere" "$(links)"
verdict "every function that the texts name exists" "$(functions)"

# Debian packages of libraries.
sed -n 's/^SKIFF_LIB(\[[A-Z]*\], \[[^]]*\], \[\([^]]*\)\].*/\1/p' configure.ac \
    >"$scratch/configure.ac"
sed -n '/^## What it is made of/,/^## /p' README.md | grep '^|' |
    grep -o 'lib[a-z0-9+-]*-dev' >"$scratch/README.md"
verdict "README and configure want the same libraries" \
    "$(differ configure.ac README.md)"
grep -o '^lib.*-dev$' build-aux/packages >"$scratch/packages"
verdict "so does build-aux/packages" "$(differ configure.ac packages)"

# The tables of the database.
cat store/migrations/*.sql | sed -n 's/^CREATE TABLE \([a-z_]*\).*/\1/p' \
    >"$scratch/migrations"
sed -n '/^### Schema/,/^### /p' docs/STORAGE.md |
    sed -n 's/^| `\([a-z_]*\)`.*/\1/p' >"$scratch/STORAGE.md"
verdict "STORAGE.md has the database's tables" \
    "$(differ migrations STORAGE.md)"

# The manual pages.
sed -n 's/^\.It Fl -\([a-z-]*\).*/--\1/p' docs/skiffd.8 >"$scratch/skiffd.8"
sed -n 's/^\.It Cm \([a-z-]*\).*/--\1/p' docs/skiffd.conf.5 \
    >"$scratch/skiffd.conf.5"
if [ -x "$SKIFF_BUILD/skiffd" ]; then
	skiffd --help | grep -o '^  --[a-z-]*' | tr -d ' ' >"$scratch/--help"
	verdict "skiffd.8 has the flags of --help" "$(differ skiffd.8 --help)"
	grep -vxE -e '--(config|list-failpoints|version|help)' \
	    "$scratch/--help" >"$scratch/flags"
	verdict "skiffd.conf.5 has the keys that are flags" \
	    "$(differ skiffd.conf.5 flags)"
else
	n=$((n + 2))
	echo "ok $((n - 1)) # SKIP no skiffd in $SKIFF_BUILD"
	echo "ok $n # SKIP no skiffd in $SKIFF_BUILD"
fi

# Every action and error that a failpoint takes.
{
	sed -n 's/.*ACTION_\([A-Z]*\);.*/\1/p' server/base/fault.c |
	    tr '[:upper:]' '[:lower:]'
	grep -o '{ "E[A-Z]*"' server/base/fault.c | tr -d '{ "'
} | sort -u >"$scratch/terms"
verdict "skiffd.8 has all that SKIFF_FAILPOINTS takes" \
    "$(while read -r term; do
	grep -q "^\.\(It \)\{0,1\}Li $term" docs/skiffd.8 || echo "no $term"
    done <"$scratch/terms")"

for file in client/cmd/*.sh; do
	basename "$file" .sh
done >"$scratch/client-cmd"
sed -n '/^\.SH VERBS/,/^\.SH OPTIONS OF RUN/p' docs/skiff.1 |
    sed -n 's/^\.BI\{0,1\} \([a-z][a-z]*\).*/\1/p' | sort -u \
    >"$scratch/skiff.1"
verdict "skiff.1 has the client's verbs" "$(differ client-cmd skiff.1)"
find client -name '*.sh' -o -name '*.jq' >"$scratch/client"
sed -n 's/.*%D%\(\/[a-z]*\/[a-z]*\.[a-z]*\).*/client\1/p' client/local.mk |
    grep -E '\.(sh|jq)$' >"$scratch/local.mk"
verdict "all files of the client are installed" "$(differ client local.mk)"

if command -v mandoc >/dev/null; then
	verdict "mandoc has nothing against the manual pages" \
	    "$(mandoc -T lint -W warning docs/*.[158] 2>&1 || true)"
else
	n=$((n + 1))
	echo "ok $n # SKIP needs mandoc"
fi

echo "1..$n"
exit "$failed"
