/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wishes for namespaces: a container's own, the host's, or another's.
 */
#include "config.h"

#include <string.h>

#include "base/id.h"
#include "runtime/spec/user_namespace.h"
#include "runtime/spec/wishes_internal.h"

#define OF_CONTAINER "container:"

bool
namespace_is_host(const char *wish)
{
	return wish && strcmp(wish, "host") == 0;
}

const char *
namespace_container(const char *wish)
{
	size_t len = strlen(OF_CONTAINER);

	return wish && strncmp(wish, OF_CONTAINER, len) == 0 ? wish + len
							     : NULL;
}

static bool
is_plain(const char *wish)
{
	return !wish || strcmp(wish, "private") == 0 || namespace_is_host(wish);
}

static void
check_container(const struct wishes *wishes, const char *pointer,
		const char *other, struct json_faults *faults)
{
	struct skiff_error err = ERROR_INIT;

	if (id_check("container", other, &err) < 0)
		json_fault(faults, pointer, "%s", err.text);
	else if (wishes->id && strcmp(wishes->id, other) == 0)
		json_fault(faults, pointer, "is the container itself");
}

static void
check_pid(const struct wishes *wishes, struct json_faults *faults)
{
	const char *other = namespace_container(wishes->pid);

	if (other)
		check_container(wishes, "/pid", other, faults);
	else if (!is_plain(wishes->pid))
		json_fault(faults, "/pid",
			   "must be \"private\", \"host\" or "
			   "\"container:ID\"");
}

static void
check_ipc(const struct wishes *wishes, struct json_faults *faults)
{
	const char *other = namespace_container(wishes->ipc);

	if (other)
		check_container(wishes, "/ipc", other, faults);
	else if (!is_plain(wishes->ipc) &&
		 strcmp(wishes->ipc, NAMESPACE_SHAREABLE) != 0)
		json_fault(faults, "/ipc",
			   "must be \"private\", \"shareable\", \"host\" or "
			   "\"container:ID\"");
}

/*
 * The kernel lets the root of a user namespace do nothing in namespaces
 * that were made by another, so they are its own or it is not confined.
 */
static void
check_userns(const struct wishes *wishes, struct json_faults *faults)
{
	const struct {
		const char *field;
		const char *wish;
	} others[] = { { "pid", wishes->pid },
		       { "ipc", wishes->ipc },
		       { "uts", wishes->uts },
		       { "network", wishes->network } };

	if (wishes->userns && !wishes_have_user_namespace(wishes) &&
	    !namespace_is_host(wishes->userns))
		json_fault(faults, "/userns", "must be \"auto\" or \"host\"");
	if (!wishes_have_user_namespace(wishes))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (namespace_is_host(others[i].wish) ||
		    namespace_container(others[i].wish))
			json_fault(faults, "/userns",
				   "needs a namespace of its own: \"%s\" is "
				   "\"%.64s\"",
				   others[i].field, others[i].wish);
	if (wishes->privileged)
		json_fault(faults, "/userns",
			   "has nothing to be privileged over on the host");
}

void
wishes_check_namespaces(const struct wishes *wishes, struct json_faults *faults)
{
	check_pid(wishes, faults);
	check_ipc(wishes, faults);
	check_userns(wishes, faults);
	if (!is_plain(wishes->uts))
		json_fault(faults, "/uts", "must be \"private\" or \"host\"");
	else if (namespace_is_host(wishes->uts) && wishes->hostname)
		json_fault(faults, "/hostname",
			   "would be the host's: \"uts\" is \"host\"");
}
