/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One turn of the loop: what came of output, children, jobs and requests.
 */
#include "config.h"

#include "runtime/shim/shim.h"

#include <poll.h>

#include "base/cleanup.h"

/* Places in the array of poll(2); behind them come those of processes. */
enum {
	AT_SIGNAL,
	AT_LISTEN,
	AT_CONNECTIONS,
	AT_JOBS = AT_CONNECTIONS + SHIM_MAX_CONNECTIONS,
	AT_PROCESSES = AT_JOBS + SHIM_MAX_JOBS,
};
/* Those of one process. */
enum { AT_OUTPUTS, AT_SINKS = 2, AT_FEED = 4, N_OF_PROCESS };
#define N_PLACES (AT_PROCESSES + N_OF_PROCESS * SHIM_MAX_PROCESSES)

static void
sooner(struct deadline *soonest, struct deadline other)
{
	if (other.at_ns && (!soonest->at_ns || other.at_ns < soonest->at_ns))
		*soonest = other;
}

static int
timeout_ms(const struct shim *shim)
{
	struct deadline soonest = DEADLINE_NEVER;

	if (shim->must_reap)
		return 0;
	for (size_t i = 0; i < shim->jobs_end; i++)
		if (shim->jobs[i].step)
			sooner(&soonest, shim->jobs[i].deadline);
	for (size_t i = 0; i < shim->processes_end; i++) {
		const struct shim_process *process = &shim->processes[i];

		for (size_t k = 0; process->phase && k < 2; k++)
			sooner(&soonest, process->sinks[k].look_again);
		if (!process->has_ended || process->is_recorded)
			continue;
		sooner(&soonest, process->drain);
		sooner(&soonest, process->next_try);
	}
	return deadline_poll_ms(soonest);
}

/* Connections that find no place wait in the socket's queue. */
static bool
has_room(const struct shim *shim)
{
	for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++)
		if (shim->connections[i].fd < 0)
			return true;
	return false;
}

static struct pollfd
wants(int fd, short events)
{
	return (struct pollfd){ .fd = fd, .events = events };
}

static void
fill_process(const struct shim_process *process,
	     struct pollfd fds[N_OF_PROCESS])
{
	bool is_used = process->phase != 0;
	short events = 0;
	int fd = is_used ? shim_feed_wants(process, &events) : -1;

	for (size_t k = 0; k < 2; k++) {
		const struct shim_sink *sink = &process->sinks[k];
		bool is_full = is_used && sink->is_full;

		fds[AT_OUTPUTS + k] =
		    wants(is_used ? process->outputs[k].fd : -1, POLLIN);
		fds[AT_SINKS + k] = wants(is_full ? sink->fd : -1, POLLOUT);
	}
	fds[AT_FEED] = wants(fd, events);
}

/* How many places were filled. */
static nfds_t
fill(const struct shim *shim, struct pollfd fds[N_PLACES])
{
	nfds_t n = AT_PROCESSES + N_OF_PROCESS * shim->processes_end;

	fds[AT_SIGNAL] = wants(shim->signal_fd, POLLIN);
	fds[AT_LISTEN] = wants(has_room(shim) ? shim->listen_fd : -1, POLLIN);
	for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++) {
		const struct shim_connection *c = &shim->connections[i];
		bool owes = c->fd >= 0 && shim_control_owes(shim, c);

		fds[AT_CONNECTIONS + i] =
		    wants(c->fd, (short)(POLLIN | (owes ? POLLOUT : 0)));
	}
	for (size_t i = 0; i < SHIM_MAX_JOBS; i++) {
		bool has_fd = i < shim->jobs_end && shim->jobs[i].step &&
			      !shim->jobs[i].pid;

		fds[AT_JOBS + i] =
		    wants(has_fd ? shim->jobs[i].fd : -1, POLLIN);
	}
	for (size_t i = 0; i < shim->processes_end; i++)
		fill_process(&shim->processes[i],
			     fds + AT_PROCESSES + N_OF_PROCESS * i);
	return n;
}

static void
pump(struct shim *shim, struct shim_process *process,
     const struct pollfd fds[N_OF_PROCESS])
{
	for (size_t k = 0; k < 2; k++) {
		if (fds[AT_OUTPUTS + k].revents)
			shim_output_pump(shim, process, &process->outputs[k]);
		if (fds[AT_SINKS + k].revents)
			process->sinks[k].is_full = false;
	}
	if (fds[AT_FEED].revents)
		shim_feed_pump(process);
}

static void
serve(struct shim *shim, const struct pollfd fds[SHIM_MAX_CONNECTIONS])
{
	for (size_t i = 0; i < SHIM_MAX_CONNECTIONS; i++) {
		struct shim_connection *c = &shim->connections[i];

		if (fds[i].revents & POLLOUT)
			shim_control_tell_all(shim, c);
		if (c->fd >= 0 && (fds[i].revents & ~POLLOUT))
			shim_control_serve(shim, c);
	}
}

void
shim_turn(struct shim *shim)
{
	static struct pollfd fds[N_PLACES]; /* pages of a stack stay */
	nfds_t n = fill(shim, fds);

	if (poll(fds, n, timeout_ms(shim)) < 0)
		return;
	for (size_t i = 0; i < shim->processes_end; i++)
		pump(shim, &shim->processes[i],
		     fds + AT_PROCESSES + N_OF_PROCESS * i);
	if (fds[AT_SIGNAL].revents || shim->must_reap)
		shim_reap(shim);
	shim_jobs_step(shim);
	shim_processes_settle(shim);
	shim_sinks_feed(shim);
	shim_rest(shim);
	/* What is asked now begins, at the latest, in the next turn. */
	serve(shim, fds + AT_CONNECTIONS);
	shim_jobs_step(shim);
	if (fds[AT_LISTEN].revents)
		shim_control_accept(shim);
}
