/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skiffd: options, log, daemon, signals.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/footprint.h"
#include "base/log.h"
#include "daemon.h"
#include "options.h"

#define EXIT_USAGE 2
#define TEND_SECONDS 60

/* SIGTERM and SIGINT end the daemon; they are blocked in every thread. */
static void
block_signals(sigset_t *ret_ending)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(ret_ending);
	(void)sigaddset(ret_ending, SIGTERM);
	(void)sigaddset(ret_ending, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, ret_ending, NULL);
}

static int
run(const struct options *options)
{
	struct skiff_error err = ERROR_INIT;
	struct daemon *daemon;
	const struct timespec tending = { .tv_sec = TEND_SECONDS };
	sigset_t ending;
	int signal_number;

	block_signals(&ending);
	if (daemon_start(options, &daemon, &err) < 0) {
		log_failure(LOG_ERROR, &err, "cannot start");
		return 1;
	}
	footprint_trim();
	log_info("skiffd %s is ready", PACKAGE_VERSION);
	while ((signal_number = sigtimedwait(&ending, NULL, &tending)) < 0)
		daemon_tend(daemon);
	log_info("ending on SIG%s; tasks go on running",
		 sigabbrev_np(signal_number));
	daemon_stop(daemon);
	return 0;
}

int
main(int argc, char **argv)
{
	struct skiff_error err = ERROR_INIT;
	enum options_verdict verdict;
	struct options options;
	int status;

	/* Modes are said where files are made; this is for what is not. */
	(void)umask(022);
	footprint_limit();
	if (options_parse(argc, argv, &options, &verdict, &err) < 0 ||
	    fault_setup(&err) < 0) {
		(void)fprintf(stderr, "skiffd: %s\n", err.text);
		return EXIT_USAGE;
	}
	if (verdict == OPTIONS_DONE)
		return 0;
	if (!log_set_level(options.log_level)) {
		(void)fprintf(stderr,
			      "skiffd: --log-level %s: expected error, "
			      "warn, info or debug\n",
			      options.log_level);
		options_done(&options);
		return EXIT_USAGE;
	}
	status = run(&options);
	options_done(&options);
	return status;
}
