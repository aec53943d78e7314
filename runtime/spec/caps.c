/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "runtime/spec/caps.h"

#include <linux/capability.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#define BIT(number) (UINT64_C(1) << (number))

/* 11 of them; none lets a container make devices or raw packets. */
static const uint64_t caps_default =
    BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |
    BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETFCAP) |
    BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_SETUID) | BIT(CAP_SYS_CHROOT);

/* By number, as in linux/capability.h. */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

int
cap_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0 ||
		    strcmp(names[i] + strlen("CAP_"), name) == 0)
			return (int)i;
	return -1;
}

const char *
cap_name(unsigned int number)
{
	return number < ARRAY_SIZE(names) ? names[number] : NULL;
}

static uint64_t
set_of(const struct strv *list, uint64_t all)
{
	uint64_t set = 0;

	for (size_t i = 0; i < list->n; i++) {
		int number = cap_number(list->items[i]);

		set |= number >= 0 ? BIT(number) : all;
	}
	return set;
}

uint64_t
caps_apply(const struct strv *add, const struct strv *drop, bool is_privileged,
	   uint64_t possible)
{
	uint64_t set = is_privileged ? possible : caps_default;

	set &= ~set_of(drop, UINT64_MAX);
	return (set | set_of(add, possible)) & possible;
}
