# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += %D%/skiff.1
dist_noinst_DATA += %D%/SHIM_PROTOCOL.md
