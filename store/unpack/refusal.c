/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a layer's names are shown.
 */
#include "config.h"

#include "store/unpack/refusal.h"

#include <stdio.h>

const char *
layer_name_text(const char *name, char buf[LAYER_NAME_SHOWN])
{
	size_t len = 0;

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (len > LAYER_NAME_SHOWN - 8) {
			(void)snprintf(buf + len, LAYER_NAME_SHOWN - len,
				       "...");
			return buf;
		}
		if (c > ' ' - 1 && c < 0x7f && c != '"' && c != '\\')
			buf[len++] = (char)c;
		else
			len +=
			    (size_t)snprintf(buf + len, LAYER_NAME_SHOWN - len,
					     "\\x%02x", c);
	}
	buf[len] = '\0';
	return buf;
}
