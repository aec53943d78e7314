# SPDX-License-Identifier: Apache-2.0
# Tests of integration/ on an emulated machine with another kernel.
vm_tests = %D%/cgroup_v2.sh
dist_check_SCRIPTS += $(vm_tests)
TESTS += $(vm_tests)
dist_noinst_SCRIPTS += %D%/get_kernel %D%/init %D%/inside \
	%D%/only_cgroup_v2.sh %D%/run
