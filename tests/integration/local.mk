# SPDX-License-Identifier: Apache-2.0
# One behaviour a file, named for it; the scripts are TAP and skip
# themselves where there is no root or no runtime. A test is listed in
# integration_tests; FAST_TESTS run against the sanitizer build as well.
integration_tests = \
	%D%/client_completion.py \
	%D%/client_containers.sh \
	%D%/client_exec.sh \
	%D%/client_namespaces.sh \
	%D%/client_neutral_text.sh \
	%D%/client_options.py \
	%D%/client_pull.sh \
	%D%/client_run.sh \
	%D%/client_terminal.py \
	%D%/readme_tour.py
FAST_TESTS += %D%/client_neutral_text.sh

# Layers: of the unpacker alone, no daemon.
integration_tests += %D%/unpack_bombs.py %D%/unpack_hostile.py \
	%D%/unpack_odd.py
FAST_TESTS += %D%/unpack_hostile.py %D%/unpack_odd.py
dist_noinst_DATA += %D%/lib_layers.py

# What others have seen images and containers do to their hosts.
integration_tests += %D%/hostile_containers.py

# Many clients in each other's way.
integration_tests += %D%/stress_tasks.py

# The API of the running daemon, resource by resource.
api_tests = \
	%D%/api_access.py \
	%D%/api_containers.py \
	%D%/api_content.py \
	%D%/api_events.py \
	%D%/api_execs.py \
	%D%/api_lists.py \
	%D%/api_namespaces.py \
	%D%/api_pull_faults.py \
	%D%/api_restart.py \
	%D%/api_run.py \
	%D%/api_snapshots.py \
	%D%/bad_input.py \
	%D%/bad_requests.py \
	%D%/container_start.py \
	%D%/container_wishes.py \
	%D%/daemon_recovery.py \
	%D%/bad_specs.py \
	%D%/daemon_start.py \
	%D%/health.py \
	%D%/runtime_crun.py \
	%D%/restart_policy.py \
	%D%/stdio_attach.py \
	%D%/stdio_execs.py \
	%D%/stdio_input.py \
	%D%/stdio_logs.py \
	%D%/stdio_modes.py \
	%D%/stdio_output.py \
	%D%/task_limits.py \
	%D%/task_metrics.py \
	%D%/task_rename.py \
	%D%/task_restart.py \
	%D%/task_oom.py \
	%D%/task_states.py \
	%D%/user_namespaces.py \
	%D%/user_strings.py
integration_tests += $(api_tests)
FAST_TESTS += $(api_tests)

# Faults: every failpoint, the daemon killed at any moment, a full disk.
# They take a while, and most of it in waiting for others to die.
integration_tests += \
	%D%/checkpoint.py %D%/checkpoint_faults.py \
	%D%/failpoints_walk.py \
	%D%/faults_full_disk.py \
	%D%/faults_kill9.py %D%/pid_reuse.py
dist_noinst_DATA += %D%/lib_checkpoint.py %D%/lib_faults.py %D%/tcp_talk.c

dist_noinst_DATA += %D%/lib_clients.py %D%/lib_tasks.py
dist_noinst_DATA += %D%/lib.sh %D%/lib_images.py %D%/lib_picture.py \
	%D%/lib_pty.py %D%/lib_refusals.py %D%/lib_registry.py %D%/lib_streams.py \
	%D%/skifftest.py
dist_noinst_SCRIPTS += tests/get_criu tests/stubs/canned_daemon.py
dist_check_SCRIPTS += $(integration_tests)
TESTS += $(integration_tests)
