/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The freezer, in v1 and v2. Where both hierarchies are mounted the
 * container's own cgroup is in one of them: the root is never in the list.
 */
#include "config.h"

#include "runtime/cgroup/freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/cgroup/file.h"

#define V1_STATE "freezer.state"
#define V2_FREEZE "cgroup.freeze"
#define V2_EVENTS "cgroup.events"

enum freezer_state
cgroup_freezer_state(const struct cgroup_dirs *dirs)
{
	char text[128];

	if (cgroup_read(dirs, V1_STATE, text, sizeof(text))) {
		if (strncmp(text, "FROZEN", strlen("FROZEN")) == 0)
			return FREEZER_FROZEN;
		return strncmp(text, "FREEZING", strlen("FREEZING")) == 0
			   ? FREEZER_FREEZING
			   : FREEZER_THAWED;
	}
	if (!cgroup_read(dirs, V2_FREEZE, text, sizeof(text)))
		return FREEZER_ABSENT;
	if (text[0] != '1')
		return FREEZER_THAWED;
	if (cgroup_read(dirs, V2_EVENTS, text, sizeof(text)) &&
	    strstr(text, "frozen 1"))
		return FREEZER_FROZEN;
	return FREEZER_FREEZING;
}

int
cgroup_set_frozen(const struct cgroup_dirs *dirs, bool is_frozen,
		  struct skiff_error *err)
{
	const char *word = is_frozen ? "FROZEN" : "THAWED";
	cleanup_close int fd = cgroup_open(dirs, V1_STATE, O_WRONLY);

	if (fd < 0) {
		word = is_frozen ? "1" : "0";
		fd = cgroup_open(dirs, V2_FREEZE, O_WRONLY);
	}
	if (fd < 0) {
		(void)err_set(err, SKIFF_UNIMPLEMENTED,
			      "there is no cgroup freezer for it");
		return err_reason(err, "no_freezer");
	}
	if (write(fd, word, strlen(word)) < 0)
		return err_errno(err, errno, "%s the cgroup",
				 is_frozen ? "freeze" : "thaw");
	return 0;
}
