/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The inside of a response.
 */
#include "base/strbuf.h"
#include "http/relay.h"

enum response_kind {
	RESPONSE_DATA,	 /* owned heap bytes */
	RESPONSE_STATIC, /* bytes that stay */
	RESPONSE_FILE,
	RESPONSE_STREAM,
	RESPONSE_WAIT,
	RESPONSE_RELAY,
	RESPONSE_UPGRADE,
};

struct response {
	enum response_kind kind;
	int status;
	char content_type[96]; /* "" for none */
	char *data;
	const char *static_data;
	size_t len;
	int fd;
	uint64_t offset;
	uint64_t length;
	const struct stream_ops *stream;
	const struct wait_ops *wait;
	const struct relay_ops *relay;
	void *arg; /* of stream, wait or relay; NULL ops once freed */
	struct deadline deadline;
	struct strbuf headers; /* name NUL value NUL … */
};

/* Runs the free of stream, wait or relay, unless that was done. */
void response_release_arg(struct response *response);
