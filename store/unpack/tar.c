/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of a layer's tar stream, read by libarchive.
 *
 * Names: libarchive converts pax names from UTF-8 to the locale's set and
 * composes accents on the way (NFC), which would alter names and let two
 * of them meet. In the "C" locale the conversion cannot be done, and it
 * hands out the raw bytes with a warning. So each call into libarchive
 * runs with that locale, for this thread only.
 *
 * Headers: see header_scan.h. Bytes pass through it in the read callback,
 * before libarchive sees them. libarchive may have pulled a block before
 * its reading position reaches it, therefore the tail of the block before
 * is kept.
 */
#include "config.h"

#include "store/unpack/tar.h"

#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/alloc.h"
#include "store/unpack/header_scan.h"
#include "store/unpack/refusal.h"

#define TAIL_SIZE 4096
/* Of all headers of one entry, sparse maps included. */
#define HEADERS_MAX ((uint64_t)3 * 1024 * 1024)

struct tar {
	struct layer_stream *stream;
	struct tar_limits limits;
	struct archive *archive;
	struct archive_entry *entry;
	locale_t locale;
	struct header_scan scan;
	const unsigned char *block; /* libarchive's present one */
	size_t block_len;
	uint64_t block_start;
	unsigned char tail[TAIL_SIZE]; /* the bytes before block_start */
	size_t tail_len;
	bool has_begun;
	bool has_block; /* pulled, not yet given to libarchive */
	bool in_headers;
	uint64_t headers_start;
	bool has_failed; /* error says why a callback failed */
	struct skiff_error error;
};

static void
keep_tail(struct tar *tar)
{
	size_t n = tar->block_len < TAIL_SIZE ? tar->block_len : TAIL_SIZE;
	size_t keep =
	    tar->tail_len < TAIL_SIZE - n ? tar->tail_len : TAIL_SIZE - n;

	memmove(tar->tail, tar->tail + tar->tail_len - keep, keep);
	if (n > 0)
		memcpy(tar->tail + keep, tar->block + tar->block_len - n, n);
	tar->tail_len = keep + n;
}

static int
check_limits(const struct tar *tar, struct skiff_error *err)
{
	const struct tar_limits *limits = &tar->limits;

	if (limits->is_cancelled && limits->is_cancelled(limits->cancel_arg))
		return err_set(err, SKIFF_CANCELLED, "cancelled");
	if (tar_bytes(tar) > limits->max_bytes)
		return layer_limit(err, "more than %llu bytes",
				   (unsigned long long)limits->max_bytes);
	return 0;
}

/* The stream's next block, past the header scan: 1, 0 at the end, -1. */
static int
pull(struct tar *tar, struct skiff_error *err)
{
	const void *data = NULL;
	size_t len = 0;
	int r;

	keep_tail(tar);
	tar->block_start += tar->block_len;
	tar->block_len = 0;
	r = layer_stream_next(tar->stream, &data, &len, err);
	if (r <= 0)
		return r;
	tar->block = data;
	tar->block_len = len;
	if (check_limits(tar, err) < 0)
		return -1;
	if (tar->in_headers &&
	    tar->block_start - tar->headers_start > HEADERS_MAX)
		return layer_limit(err, "an entry's headers or sparse map "
					"are too long");
	if (header_scan_feed(&tar->scan, data, len, err) < 0)
		return -1;
	return 1;
}

static la_ssize_t
on_read(struct archive *archive, void *arg, const void **ret_data)
{
	struct tar *tar = arg;
	int r = 1;

	/* The first block is there already: see begin(). */
	if (tar->has_block)
		tar->has_block = false;
	else
		r = tar->has_failed ? -1 : pull(tar, &tar->error);

	if (r < 0) {
		tar->has_failed = true;
		archive_set_error(archive, EIO, "see struct tar");
		return -1;
	}
	*ret_data = tar->block;
	return r ? (la_ssize_t)tar->block_len : 0;
}

static int
fail(struct tar *tar, struct skiff_error *err)
{
	const char *text = archive_error_string(tar->archive);

	if (tar->has_failed) {
		*err = tar->error;
		return -1;
	}
	return layer_fault(err, "not a sound tar archive: %s",
			   text ? text : "no reason given");
}

/* Starts the scan at the stream's offset, from bytes already pulled. */
static int
begin_scan(struct tar *tar, uint64_t offset, struct skiff_error *err)
{
	uint64_t tail_start = tar->block_start - tar->tail_len;

	if (offset < tail_start || offset > tar->block_start + tar->block_len)
		return layer_fault(err, "an entry's header is out of place");
	header_scan_begin(&tar->scan);
	tar->headers_start = offset;
	if (offset < tar->block_start) {
		if (header_scan_feed(&tar->scan,
				     tar->tail + (offset - tail_start),
				     tar->block_start - offset, err) < 0)
			return -1;
		offset = tar->block_start;
	}
	if (tar->block_len == 0)
		return 0;
	return header_scan_feed(&tar->scan,
				tar->block + (offset - tar->block_start),
				tar->block_len - (offset - tar->block_start),
				err);
}

int
tar_open(struct layer_stream *stream, const struct tar_limits *limits,
	 struct tar **ret_tar, struct skiff_error *err)
{
	struct tar *tar = xcalloc(1, sizeof(*tar));

	tar->stream = stream;
	tar->limits = *limits;
	tar->scan.pax = (struct strbuf)STRBUF_INIT;
	tar->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	tar->archive = archive_read_new();
	if (!tar->locale || !tar->archive ||
	    archive_read_support_format_tar(tar->archive) != ARCHIVE_OK) {
		tar_free(tar);
		return err_set(err, SKIFF_INTERNAL, "start libarchive");
	}
	*ret_tar = tar;
	return 0;
}

void
tar_free(struct tar *tar)
{
	if (!tar)
		return;
	(void)archive_read_free(tar->archive);
	if (tar->locale)
		freelocale(tar->locale);
	header_scan_done(&tar->scan);
	free(tar);
}

/* The first block; 0 when there is not one byte: an empty layer. */
static int
begin(struct tar *tar, struct skiff_error *err)
{
	int r;

	header_scan_begin(&tar->scan);
	tar->in_headers = true;
	r = pull(tar, err);
	if (r <= 0)
		return r;
	tar->has_begun = true;
	tar->has_block = true;
	return 1;
}

static int
read_header(struct tar *tar, struct skiff_error *err)
{
	int r;

	if (!tar->has_begun) {
		r = begin(tar, err);
		if (r <= 0)
			return r;
		if (archive_read_open(tar->archive, tar, NULL, on_read, NULL) !=
		    ARCHIVE_OK)
			return fail(tar, err);
	} else {
		tar->in_headers = false;
		r = archive_read_data_skip(tar->archive);
		if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
			return fail(tar, err);
		if (begin_scan(tar,
			       (uint64_t)archive_filter_bytes(tar->archive, 0),
			       err) < 0)
			return -1;
		tar->in_headers = true;
	}
	r = archive_read_next_header(tar->archive, &tar->entry);
	tar->in_headers = false;
	if (r == ARCHIVE_EOF)
		return 0;
	/* A warning about a character set is wanted: see the head. */
	if (r == ARCHIVE_OK ||
	    (r == ARCHIVE_WARN && archive_errno(tar->archive) == EILSEQ))
		return 1;
	return fail(tar, err);
}

static bool
is_type(struct archive_entry *entry, char scanned, enum tar_type *ret_type)
{
	mode_t type = archive_entry_filetype(entry);

	if (scanned == '1') {
		*ret_type = TAR_HARDLINK;
		return archive_entry_hardlink(entry) != NULL;
	}
	if (archive_entry_hardlink(entry))
		return false;
	switch (scanned) {
	case '2':
		*ret_type = TAR_SYMLINK;
		return type == AE_IFLNK && archive_entry_symlink(entry);
	case '3':
		*ret_type = TAR_CHARACTER_DEVICE;
		return type == AE_IFCHR;
	case '4':
		*ret_type = TAR_BLOCK_DEVICE;
		return type == AE_IFBLK;
	case '5':
		*ret_type = TAR_DIRECTORY;
		return type == AE_IFDIR;
	case '6':
		*ret_type = TAR_FIFO;
		return type == AE_IFIFO;
	default:
		/* An old tar's directory is a file "name/". */
		*ret_type = type == AE_IFDIR ? TAR_DIRECTORY : TAR_FILE;
		return type == AE_IFREG || type == AE_IFDIR;
	}
}

static int
describe(struct tar *tar, struct tar_entry *ret, struct skiff_error *err)
{
	struct archive_entry *entry = tar->entry;
	const char *target;

	*ret = (struct tar_entry){ .path = archive_entry_pathname(entry) };
	if (!ret->path)
		return layer_fault(err, "an entry without a name");
	if (tar->scan.is_active || tar->scan.is_end ||
	    !is_type(entry, tar->scan.type, &ret->type))
		return layer_fault(err, "an entry's headers contradict "
					"each other");
	target = ret->type == TAR_HARDLINK  ? archive_entry_hardlink(entry)
		 : ret->type == TAR_SYMLINK ? archive_entry_symlink(entry)
					    : NULL;
	ret->target = target ? target : "";
	ret->mode = archive_entry_perm(entry) & 07777;
	ret->uid = archive_entry_uid(entry);
	ret->gid = archive_entry_gid(entry);
	ret->mtime_s = archive_entry_mtime(entry);
	ret->mtime_ns = archive_entry_mtime_nsec(entry);
	ret->size = archive_entry_size(entry);
	ret->major = (unsigned int)archive_entry_rdevmajor(entry);
	ret->minor = (unsigned int)archive_entry_rdevminor(entry);
	(void)archive_entry_xattr_reset(entry);
	return 1;
}

int
tar_next(struct tar *tar, struct tar_entry *ret_entry, struct skiff_error *err)
{
	locale_t before = uselocale(tar->locale);
	int r = read_header(tar, err);

	if (r > 0)
		r = describe(tar, ret_entry, err);
	(void)uselocale(before);
	return r;
}

int
tar_data(struct tar *tar, const void **ret_data, size_t *ret_len,
	 int64_t *ret_offset, struct skiff_error *err)
{
	int r = archive_read_data_block(tar->archive, ret_data, ret_len,
					ret_offset);

	if (r == ARCHIVE_EOF)
		return 0;
	return r == ARCHIVE_OK ? 1 : fail(tar, err);
}

int
tar_xattr(struct tar *tar, const char **ret_name, const void **ret_value,
	  size_t *ret_len)
{
	return archive_entry_xattr_next(tar->entry, ret_name, ret_value,
					ret_len) == ARCHIVE_OK;
}

int
tar_drain(struct tar *tar, uint64_t max, struct skiff_error *err)
{
	uint64_t limit = tar_bytes(tar) + max;
	int r;

	tar->scan.is_active = false;
	if (tar->has_failed) {
		*err = tar->error;
		return -1;
	}
	while ((r = pull(tar, err)) > 0)
		if (tar_bytes(tar) > limit)
			return layer_limit(err,
					   "more than %llu bytes behind the "
					   "end of the archive",
					   (unsigned long long)max);
	return r;
}

uint64_t
tar_bytes(const struct tar *tar)
{
	return tar->block_start + tar->block_len;
}
