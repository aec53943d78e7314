# SPDX-License-Identifier: Apache-2.0
# One behaviour a file; the scripts are TAP. FAST_TESTS also run against
# the sanitizer build in ./runtests.
