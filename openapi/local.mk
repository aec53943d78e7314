# SPDX-License-Identifier: Apache-2.0
# The contract, embedded as JSON. One file a resource; what they share is
# in openapi.yaml.
CONTRACT = \
	openapi/openapi.yaml \
	openapi/checkpoints.yaml \
	openapi/containers.yaml \
	openapi/content.yaml \
	openapi/events.yaml \
	openapi/execs.yaml \
	openapi/images.yaml \
	openapi/namespaces.yaml \
	openapi/operations.yaml \
	openapi/snapshots.yaml \
	openapi/system.yaml \
	openapi/tasks.yaml
dist_noinst_DATA += $(CONTRACT) %D%/openapi_json.h
dist_noinst_SCRIPTS += %D%/assemble.py %D%/embed.py
CLEANFILES += %D%/openapi_json.c
openapi/openapi_json.c: $(CONTRACT) %D%/assemble.py %D%/embed.py
	$(AM_V_GEN)$(MKDIR_P) openapi && \
	$(PYTHON) $(top_srcdir)/openapi/embed.py $(top_srcdir)/openapi $@
