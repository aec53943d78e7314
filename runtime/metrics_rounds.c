/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all tasks of a namespace use: once, or in rounds.
 *
 * The sampler makes a round after it has taken its samples, as text, so
 * that who reads it has nothing more to do. Which tasks there are is asked
 * anew for each. A round that was not fetched gives way to the next one:
 * a slow reader costs the memory of one, and is never late.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "runtime/metrics_internal.h"
#include "store/record.h"

struct metrics_rounds {
	struct metrics *metrics;
	char *ns;
	struct filters *filters;
	int64_t interval_ns;
	void (*wake)(void *arg);
	void *arg;
	/* guarded by the metrics' lock: */
	struct metrics_rounds *next;
	int refs;
	bool is_over;	 /* nobody reads any more */
	int64_t made_ns; /* monotonic, of the newest */
	char *text;	 /* the newest, until it is fetched */
};

const struct filter_field metrics_filter_fields[] = {
	{ .name = "id" },
	{ .name = "state" },
	{ .name = "labels.", .object = "labels" },
	{ 0 },
};

/* --- the tasks of one round ---------------------------------------------- */

struct entry {
	struct entry *next;
	char *id;
	int64_t started_ns; /* wall clock; 0: not known */
};

struct listing {
	const struct filters *filters;
	struct entry *first;
	struct entry **last;
};

static void
listing_done(struct listing *listing)
{
	struct entry *entry;

	while ((entry = listing->first) != NULL) {
		listing->first = entry->next;
		free(entry->id);
		free(entry);
	}
}

static int
note_task(void *arg, const char *ns, const char *id, json_t *task,
	  struct skiff_error *err)
{
	struct listing *listing = arg;
	struct entry *entry;

	(void)ns;
	(void)err;
	if (strcmp(json_get_text(task, "state"), "stopped") == 0 ||
	    !filters_match(listing->filters, task))
		return 0;
	entry = xcalloc(1, sizeof(*entry));
	entry->id = xstrdup(id);
	(void)rfc3339_parse(json_get_text(task, "started_at"),
			    &entry->started_ns);
	*listing->last = entry;
	listing->last = &entry->next;
	return 0;
}

/* What has ended by now is left out. */
static void
add_figures(struct tasks *tasks, const char *ns, const struct entry *entry,
	    int64_t window_ns, json_t *items)
{
	struct skiff_error ended = ERROR_INIT;
	CLEANUP(task_unrefp)
	struct task *task = task_find(tasks, ns, entry->id, &ended);
	json_t *figures;

	if (task && metrics_figures(task, entry->started_ns, window_ns,
				    &figures, &ended) == 0)
		(void)json_array_append_new(items, figures);
}

static int
list(struct tasks *tasks, const char *ns, const struct filters *filters,
     int64_t window_ns, json_t **ret_list, struct skiff_error *err)
{
	CLEANUP(listing_done) struct listing listing = { .filters = filters };
	struct conn *conn = db_reader_get(tasks->db);
	json_t *items;
	int r;

	listing.last = &listing.first;
	r = record_each(conn, RECORD_TASK, ns, note_task, &listing, err);
	db_reader_put(conn);
	if (r < 0)
		return -1;
	items = json_array();
	for (const struct entry *e = listing.first; e; e = e->next)
		add_figures(tasks, ns, e, window_ns, items);
	*ret_list = json_pack("{s:o}", "items", items);
	return 0;
}

int
metrics_get_all(struct tasks *tasks, const char *ns,
		const struct filters *filters, json_t **ret_list,
		struct skiff_error *err)
{
	return list(tasks, ns, filters, METRICS_WINDOW_NS, ret_list, err);
}

/* --- rounds ----------------------------------------------------------------
 */

static int
make_round(struct metrics_rounds *rounds, struct skiff_error *err)
{
	cleanup_json json_t *figures = NULL;
	char *text;

	if (list(rounds->metrics->tasks, rounds->ns, rounds->filters,
		 rounds->interval_ns, &figures, err) < 0)
		return -1;
	text = json_text(figures);
	LOCK_SCOPE(&rounds->metrics->lock);
	free(rounds->text);
	rounds->text = text;
	rounds->made_ns = clock_monotonic_ns();
	if (!rounds->is_over)
		rounds->wake(rounds->arg);
	return 0;
}

static void
rounds_unref(struct metrics_rounds *rounds)
{
	bool is_last;

	lock_take(&rounds->metrics->lock);
	is_last = --rounds->refs == 0;
	lock_release(&rounds->metrics->lock);
	if (!is_last)
		return;
	filters_free(rounds->filters);
	free(rounds->text);
	free(rounds->ns);
	free(rounds);
}

/* References; the caller drops and frees. */
static size_t
list_due(struct metrics *metrics, struct metrics_rounds ***ret_due)
{
	int64_t now_ns = clock_monotonic_ns() + METRICS_SLACK_NS;
	size_t n = 0;

	LOCK_SCOPE(&metrics->lock);
	for (struct metrics_rounds *r = metrics->rounds; r; r = r->next)
		n++;
	*ret_due = xcalloc(n + 1, sizeof(struct metrics_rounds *));
	n = 0;
	for (struct metrics_rounds *r = metrics->rounds; r; r = r->next) {
		if (now_ns < r->made_ns + r->interval_ns)
			continue;
		r->refs++;
		(*ret_due)[n++] = r;
	}
	return n;
}

void
metrics_rounds_make(struct metrics *metrics)
{
	cleanup_free struct metrics_rounds **due = NULL;
	size_t n = list_due(metrics, &due);

	for (size_t i = 0; i < n; i++) {
		struct skiff_error later = ERROR_INIT;

		/* What fails now is tried again in a second. */
		(void)make_round(due[i], &later);
		rounds_unref(due[i]);
	}
}

int64_t
metrics_rounds_longest_locked(const struct metrics *metrics, const char *ns)
{
	int64_t longest_ns = 0;

	for (struct metrics_rounds *r = metrics->rounds; r; r = r->next)
		if (r->interval_ns > longest_ns && strcmp(r->ns, ns) == 0)
			longest_ns = r->interval_ns;
	return longest_ns;
}

static void
join(struct metrics_rounds *rounds)
{
	struct metrics *metrics = rounds->metrics;

	LOCK_SCOPE(&metrics->lock);
	rounds->next = metrics->rounds;
	metrics->rounds = rounds;
	metrics_run_locked(metrics);
}

int
metrics_rounds_new(struct tasks *tasks, const struct metrics_rounds_wish *wish,
		   struct metrics_rounds **ret_rounds, struct skiff_error *err)
{
	struct metrics_rounds *rounds = xcalloc(1, sizeof(*rounds));

	rounds->metrics = tasks->metrics;
	rounds->refs = 1;
	rounds->ns = xstrdup(wish->ns);
	rounds->filters = wish->filters;
	rounds->interval_ns = wish->interval_ns;
	rounds->wake = wish->wake;
	rounds->arg = wish->arg;
	if (make_round(rounds, err) < 0) {
		rounds_unref(rounds);
		return -1;
	}
	join(rounds);
	*ret_rounds = rounds;
	return 0;
}

char *
metrics_rounds_next(struct metrics_rounds *rounds)
{
	LOCK_SCOPE(&rounds->metrics->lock);
	return STEAL_PTR(rounds->text);
}

void
metrics_rounds_free(struct metrics_rounds *rounds)
{
	struct metrics_rounds **link = &rounds->metrics->rounds;

	lock_take(&rounds->metrics->lock);
	rounds->is_over = true;
	while (*link != rounds)
		link = &(*link)->next;
	*link = rounds->next;
	lock_release(&rounds->metrics->lock);
	rounds_unref(rounds);
}
