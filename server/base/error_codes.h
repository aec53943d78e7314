/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The classes of error that Skiff knows.
 *
 * One row a class: C name, name on the wire, HTTP status, title. This is
 * the only place where a class meets a status. The classes are those of
 * containerd's errdefs, plus the few that HTTP itself needs.
 */
#define SKIFF_ERROR_CODES(X)                                                   \
	X(INVALID_ARGUMENT, "invalid_argument", 400, "Invalid argument")       \
	X(UNAUTHENTICATED, "unauthenticated", 401, "Unauthenticated")          \
	X(PERMISSION_DENIED, "permission_denied", 403, "Permission denied")    \
	X(NOT_FOUND, "not_found", 404, "Not found")                            \
	X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, "Method not allowed") \
	X(NOT_ACCEPTABLE, "not_acceptable", 406, "Not acceptable")             \
	X(ALREADY_EXISTS, "already_exists", 409, "Already exists")             \
	X(FAILED_PRECONDITION, "failed_precondition", 409,                     \
	  "Failed precondition")                                               \
	X(ABORTED, "aborted", 412, "Aborted")                                  \
	X(TOO_LARGE, "too_large", 413, "Too large")                            \
	X(URI_TOO_LONG, "uri_too_long", 414, "URI too long")                   \
	X(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415,               \
	  "Unsupported media type")                                            \
	X(OUT_OF_RANGE, "out_of_range", 416, "Out of range")                   \
	X(EXPECTATION_FAILED, "expectation_failed", 417, "Expectation failed") \
	X(MISDIRECTED, "misdirected", 421, "Misdirected request")              \
	X(LOCKED, "locked", 423, "Locked")                                     \
	X(UPGRADE_REQUIRED, "upgrade_required", 426, "Upgrade required")       \
	X(RESOURCE_EXHAUSTED, "resource_exhausted", 429, "Resource exhausted") \
	X(HEADERS_TOO_LARGE, "headers_too_large", 431, "Headers too large")    \
	X(CANCELLED, "cancelled", 499, "Cancelled")                            \
	X(INTERNAL, "internal", 500, "Internal error")                         \
	X(DATA_LOSS, "data_loss", 500, "Data loss")                            \
	X(UNKNOWN, "unknown", 500, "Unknown error")                            \
	X(UNIMPLEMENTED, "unimplemented", 501, "Unimplemented")                \
	X(REGISTRY_ERROR, "registry_error", 502, "Registry error")             \
	X(UNAVAILABLE, "unavailable", 503, "Unavailable")                      \
	X(DEADLINE_EXCEEDED, "deadline_exceeded", 504, "Deadline exceeded")    \
	X(VERSION_NOT_SUPPORTED, "version_not_supported", 505,                 \
	  "HTTP version not supported")                                        \
	X(INSUFFICIENT_STORAGE, "insufficient_storage", 507,                   \
	  "Insufficient storage")
