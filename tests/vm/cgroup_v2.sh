#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What depends on the kind of cgroups, on a kernel that has v2 alone, which
# the machine of the tests may not have: some of the tests, in a guest.
set -eu

[ "$(id -u)" = 0 ] || {
	echo "1..0 # SKIP needs root"
	exit 0
}
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../integration"

# The guest has no network: the checkpoints' tests find it there, or say why
# not.
"$here/../get_criu" "${SKIFF_BUILD:?}/tests/criu" >/dev/null || :

exec "$here/run" --prefix "cgroup v2: " --seconds 1800 \
    "$here/only_cgroup_v2.sh" \
    checkpoint.py \
	it_ends_after_the_checkpoint_and_goes_on_where_it_was \
	memory_and_files_go_to_another_container_and_survive_a_restart \
	incremental_ones_hold_what_changed_and_restore_it_all \
    task_states.py \
	a_paused_task_stands_still_and_goes_on \
	a_paused_task_dies_of_sigkill_and_of_a_forced_deletion \
	a_daemon_that_comes_back_believes_the_freezer \
	all_reaches_every_process \
    shim_death.py \
	what_a_killed_shim_leaves_is_taken_down \
	cleanup_takes_down_a_living_shim_and_a_paused_container \
    api_restart.py \
	a_shim_that_dies_takes_its_task_down_and_says_so \
	daemon_and_shim_dead_is_settled_at_the_next_start \
    task_metrics.py \
	figures_are_those_of_the_kernel \
	a_created_and_a_paused_task_have_figures_and_a_stopped_one_has_none \
    task_limits.py \
    task_oom.py \
    runtime_crun.py
