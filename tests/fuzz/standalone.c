/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over its corpus, in TAP: one test a file, with the
 * whole file and with every shorter beginning of it (for large files a
 * sample of them), since cut input is what parsers meet most.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define PREFIXES_MAX 256

/* An exact copy on the heap: the address sanitizer sees one byte too far. */
static void
feed(const char *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int
run_file(const char *path)
{
	FILE *file = fopen(path, "rbe");
	char *data = NULL;
	size_t size = 0;
	size_t step;

	if (!file)
		return -1;
	for (size_t n = 1; n > 0; size += n) {
		char *grown = realloc(data, size + 65536);

		if (!grown)
			abort();
		data = grown;
		n = fread(data + size, 1, 65536, file);
	}
	(void)fclose(file);
	step = 1 + size / PREFIXES_MAX;
	for (size_t n = 0; n < size; n += step)
		feed(data, n);
	feed(data, size);
	free(data);
	return 0;
}

/* fuzz_<parser>, maybe with a prefix of libtool's kind, to <parser>. */
static const char *
parser_of(const char *program)
{
	const char *name = strrchr(program, '/');
	const char *parser = strstr(name ? name : program, "fuzz_");

	return parser ? parser + strlen("fuzz_") : "";
}

static int
is_seed(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	const char *source = getenv("SKIFF_SRC");
	struct dirent **seeds = NULL;
	char path[4096];
	int n;
	int is_bad = 0;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		(void)snprintf(path, sizeof(path), "%s", argv[1]);
	else
		(void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s",
			       source ? source : ".", parser_of(argv[0]));
	n = scandir(path, &seeds, is_seed, alphasort);
	if (n <= 0) {
		(void)printf("1..1\nnot ok 1 - seeds in %s: %s\n", path,
			     n < 0 ? strerror(errno) : "none");
		return 1;
	}
	(void)printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		char seed[4096 + 256];

		(void)snprintf(seed, sizeof(seed), "%s/%s", path,
			       seeds[i]->d_name);
		if (run_file(seed) < 0)
			is_bad = 1;
		(void)printf("%s %d - %s\n", is_bad ? "not ok" : "ok", i + 1,
			     seeds[i]->d_name);
		free(seeds[i]);
	}
	free(seeds);
	return is_bad;
}
