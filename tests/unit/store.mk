# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/layer_apply_tool
tests_unit_layer_apply_tool_SOURCES = %D%/layer_apply_tool.c
tests_unit_layer_apply_tool_LDADD = $(STORE_LIBS)
