#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the migrations given as arguments (NNNN_name.sql, in order) to
# stdout as the C table that store/migrate.h declares.
set -eu
echo '/* Made by build-aux/embed.sh from store/migrations. */'
echo '#include "config.h"'
echo
echo '#include "store/migrate.h"'
echo
echo 'const struct migration migrations[] = {'
n=0
for file in "$@"; do
	n=$((n + 1))
	name=$(basename "$file" .sql)
	case $name in
	"$(printf '%04d' "$n")"_*) ;;
	*)
		echo "$0: $file is not migration number $n" >&2
		exit 1
		;;
	esac
	printf '\t{ "%s",\n' "$name"
	sed -e '/^--/d' -e 's/[\\"]/\\&/g' -e 's/.*/\t  "&\\n"/' "$file"
	printf '\t},\n'
done
echo '};'
echo
printf 'const int n_migrations = %d;\n' "$n"
