# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += %D%/skiff.1 %D%/skiffd.8 %D%/skiffd.conf.5
dist_noinst_DATA += %D%/ARCHITECTURE.md %D%/PERFORMANCE.md %D%/SECURITY.md \
	%D%/SHIM_PROTOCOL.md %D%/STORAGE.md
