/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: whatever the bytes are, unpacking ends with an error that says
 * something, or with a digest; what lies beside the directory stays as it
 * was, and the directory can be removed. The first byte chooses the
 * encoding: 'p' plain, 'g' gzip, 'z' zstd.
 */
#include "config.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/unpack/apply.h"
#include "tests/fuzz/fuzz.h"

static char scratch[] = "/tmp/skiff-fuzz-XXXXXX";
static int scratch_fd = -1;

struct input {
	const uint8_t *data;
	size_t size;
};

static ssize_t
read_input(void *arg, void *buf, size_t max, struct skiff_error *err)
{
	struct input *input = arg;
	size_t n = input->size < max ? input->size : max;

	(void)err;
	if (n > 0)
		memcpy(buf, input->data, n);
	input->data += n;
	input->size -= n;
	return (ssize_t)n;
}

static void
remove_scratch(void)
{
	struct skiff_error ignored;

	(void)fs_remove_tree(AT_FDCWD, scratch, &ignored);
}

static void
prepare(void)
{
	struct skiff_error err = ERROR_INIT;
	int r;

	if (!mkdtemp(scratch))
		abort();
	(void)atexit(remove_scratch);
	r = fs_open_dir(AT_FDCWD, scratch, /* create= */ false, 0, &scratch_fd,
			&err);
	assert(r == 0);
	r = fs_replace_file(scratch_fd, "canary", "sings", 5, 0600,
			    /* durable= */ false, &err);
	assert(r == 0);
}

static void
check_canary(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_free char *text = NULL;
	struct stat st;
	int r = fs_read_file(scratch_fd, "canary", 5, &text, NULL, &err);

	assert(r == 0 && strcmp(text, "sings") == 0);
	r = fstatat(scratch_fd, "canary", &st, AT_SYMLINK_NOFOLLOW);
	assert(r == 0 && st.st_nlink == 1 && (st.st_mode & 07777) == 0600);
	r = fstatat(scratch_fd, ".", &st, 0);
	assert(r == 0 && st.st_nlink == 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(layer_result_done)
	struct layer_result result = { .implied = STRV_INIT };
	struct layer_options options = {
		.limits = { .max_entries = 1000, .max_bytes = 1 << 24 },
	};
	struct input input = { data, size };
	struct layer_source source = { .read = read_input, .arg = &input };
	struct skiff_error err = ERROR_INIT;
	cleanup_close int fd = -1;
	int r;

	if (size == 0)
		return 0;
	input.data++;
	input.size--;
	if (scratch_fd < 0)
		prepare();
	options.media_type =
	    data[0] == 'g'   ? "application/vnd.oci.image.layer.v1.tar+gzip"
	    : data[0] == 'z' ? "application/vnd.oci.image.layer.v1.tar+zstd"
			     : "application/vnd.oci.image.layer.v1.tar";
	r = fs_open_dir(scratch_fd, "root", /* create= */ true, 0700, &fd,
			&err);
	assert(r == 0);
	r = layer_apply(fd, &source, &options, &result, &err);
	if (r < 0)
		assert(err.code != SKIFF_OK && err.text[0] != '\0');
	else
		assert(strlen(result.diff_id.text) == 71);
	r = fs_remove_tree(scratch_fd, "root", &err);
	assert(r == 0);
	check_canary();
	return 0;
}
