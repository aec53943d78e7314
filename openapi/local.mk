# SPDX-License-Identifier: Apache-2.0
# The contract, embedded as JSON.
dist_noinst_DATA += %D%/openapi.yaml %D%/openapi_json.h
dist_noinst_SCRIPTS += %D%/embed.py
CLEANFILES += %D%/openapi_json.c
openapi/openapi_json.c: $(top_srcdir)/openapi/openapi.yaml $(top_srcdir)/openapi/embed.py
	$(AM_V_GEN)$(MKDIR_P) openapi && \
	$(PYTHON) $(top_srcdir)/openapi/embed.py $(top_srcdir)/openapi/openapi.yaml $@
