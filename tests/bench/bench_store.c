/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the metadata is: writes of an object with its event by 1, 8
 * and 64 callers, point reads, and a list of 10,000 objects.
 *
 *	tests/bench/bench_store [DIRECTORY] [SECONDS]
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/lock.h"
#include "store/db.h"
#include "store/record.h"

#include <fcntl.h>

#define MAX_CALLERS 64
#define MAX_SAMPLES (1 << 16)
#define N_LISTED 10000

static const char object_json[] =
    "{\"name\":\"registry.example.org/library/thing:1.2.3\",\"target\":"
    "{\"media_type\":\"application/vnd.oci.image.manifest.v1+json\","
    "\"digest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934c"
    "a495991b7852b855\",\"size\":1234}}";

static struct db *db;
static int64_t until_ns;

struct caller {
	char key[32];
	int64_t n;
	int64_t samples[MAX_SAMPLES]; /* ns of each call, the first ones */
};

static struct caller callers[MAX_CALLERS];

static void
die(const struct skiff_error *err)
{
	(void)fprintf(stderr, "bench_store: %s\n", err->text);
	exit(1);
}

static json_t *
object_new(void)
{
	struct skiff_error err = ERROR_INIT;
	json_t *object = NULL;

	if (json_parse(object_json, strlen(object_json), &object, &err) < 0)
		die(&err);
	return object;
}

static int
upsert(struct tx *tx, void *arg, struct skiff_error *err)
{
	struct record_ref ref = { RECORD_IMAGE, "bench", arg };
	cleanup_json json_t *object = object_new();

	if (record_exists(tx_conn(tx), &ref))
		return record_update(tx, &ref, object, NULL, err);
	return record_insert(tx, &ref, object, NULL, err);
}

static void
write_once(struct caller *caller)
{
	struct skiff_error err = ERROR_INIT;

	if (db_write(db, upsert, caller->key, &err) < 0)
		die(&err);
}

static void
read_once(struct caller *caller)
{
	struct record_ref ref = { RECORD_IMAGE, "bench", caller->key };
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *doc = NULL;
	int64_t revision;

	if (record_get(db, &ref, &doc, &revision, &err) < 0)
		die(&err);
}

static void (*act)(struct caller *caller);

static void *
call(void *arg)
{
	struct caller *caller = arg;
	int64_t before = clock_monotonic_ns();

	while (before < until_ns) {
		int64_t after;

		act(caller);
		after = clock_monotonic_ns();
		if (caller->n < MAX_SAMPLES)
			caller->samples[caller->n] = after - before;
		caller->n++;
		before = after;
	}
	return NULL;
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
measure(const char *what, void (*fn)(struct caller *), int n_callers,
	double seconds)
{
	static int64_t samples[MAX_CALLERS * (size_t)MAX_SAMPLES];
	pthread_t threads[MAX_CALLERS];
	int64_t n = 0;
	size_t n_samples = 0;
	size_t p50;
	size_t p99;

	act = fn;
	until_ns = clock_monotonic_ns() + (int64_t)(seconds * 1e9);
	for (int i = 0; i < n_callers; i++) {
		callers[i].n = 0;
		(void)snprintf(callers[i].key, sizeof(callers[i].key), "key-%d",
			       i);
		PTOK(pthread_create(&threads[i], NULL, call, &callers[i]));
	}
	for (int i = 0; i < n_callers; i++) {
		PTOK(pthread_join(threads[i], NULL));
		for (int64_t j = 0; j < callers[i].n && j < MAX_SAMPLES; j++)
			samples[n_samples++] = callers[i].samples[j];
		n += callers[i].n;
	}
	qsort(samples, n_samples, sizeof(samples[0]), by_value);
	p50 = n_samples / 2;
	p99 = n_samples * 99 / 100;
	(void)printf("%-6s %2d callers %8.0f/s  p50 %5.0f us  p99 %6.0f us  "
		     "max %6.0f us\n",
		     what, n_callers, (double)n / seconds,
		     (double)samples[p50] / 1e3, (double)samples[p99] / 1e3,
		     (double)samples[n_samples - 1] / 1e3);
}

static int
insert_all(struct tx *tx, void *arg, struct skiff_error *err)
{
	(void)arg;
	for (int i = 0; i < N_LISTED; i++) {
		cleanup_free char *key = xasprintf("name-%05d", i);
		struct record_ref ref = { RECORD_IMAGE, "many", key };
		cleanup_json json_t *object = object_new();

		if (record_insert(tx, &ref, object, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static void
measure_list(void)
{
	struct list_options options = { .limit = N_LISTED };
	CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
	struct skiff_error err = ERROR_INIT;
	int64_t best_ns = INT64_MAX;

	if (db_write(db, insert_all, NULL, &err) < 0)
		die(&err);
	for (int i = 0; i < 10; i++) {
		int64_t start = clock_monotonic_ns();

		strbuf_reset(&out);
		if (record_list(db, RECORD_IMAGE, "many", &options, &out,
				&err) < 0)
			die(&err);
		if (clock_monotonic_ns() - start < best_ns)
			best_ns = clock_monotonic_ns() - start;
	}
	(void)printf("list   %d objects, %.1f MB: %.2f ms\n", N_LISTED,
		     (double)out.len / 1e6, (double)best_ns / 1e6);
}

int
main(int argc, char **argv)
{
	const char *parent = argc > 1 ? argv[1] : "/tmp";
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
	cleanup_free char *root = xasprintf("%s/bench-store-XXXXXX", parent);
	struct skiff_error err = ERROR_INIT;
	static const int counts[] = { 1, 8, 64 };

	if (!mkdtemp(root) || db_open(root, NULL, &db, &err) < 0)
		die(&err);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		measure("write", write_once, counts[i], seconds);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		measure("read", read_once, counts[i], seconds);
	measure_list();
	db_close(db);
	return fs_remove_tree(AT_FDCWD, root, &err) < 0;
}
