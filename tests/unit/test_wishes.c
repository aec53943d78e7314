/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wishes that reach deep: limits of processes, sysctls, devices,
 * privileges, what is merged last; and what is refused of each.
 */
#include "config.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/spec/spec.h"
#include "tests/unit/json_at.h"
#include "tests/unit/spec_help.h"
#include "tests/unit/tap.h"

/* {"image":"a","args":["x"], MORE}, where ' stands for ". */
static json_t *
body_of(const char *more)
{
	cleanup_free char *text =
	    xasprintf("{'image':'a','args':['x']%s%s}", *more ? "," : "", more);
	struct skiff_error err = ERROR_INIT;
	json_t *body = NULL;

	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	CHECK(json_parse(text, strlen(text), &body, &err) == 0);
	return body;
}

static char *
faults_of(const char *more)
{
	cleanup_json json_t *body = body_of(more);

	return faults_in(body);
}

#define CHECK_FAULTS(more, expected)                                           \
	do {                                                                   \
		cleanup_free char *faults_ = faults_of(more);                  \
		CHECK_STR(faults_, expected);                                  \
	} while (0)

static json_t *
spec_of(const char *more, struct skiff_error *err)
{
	cleanup_json json_t *body = body_of(more);

	return spec_from(body, err);
}

static void
limits_of_processes_are_as_the_host_allows(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *plain = spec_of("", &err);
	cleanup_json json_t *spec =
	    spec_of("'rlimits':[{'type':'nofile','soft':10,'hard':20},"
		    "{'type':'RLIMIT_CORE','soft':-1}]",
		    &err);

	CHECK_AT(plain, "process/rlimits",
		 "[{\"type\":\"RLIMIT_NOFILE\",\"hard\":20000,\"soft\":1024},"
		 "{\"type\":\"RLIMIT_CORE\",\"hard\":0,\"soft\":0}]");
	CHECK_AT(spec, "process/rlimits",
		 "[{\"type\":\"RLIMIT_NOFILE\",\"hard\":20,\"soft\":10},"
		 "{\"type\":\"RLIMIT_CORE\",\"hard\":9223372036854775807,"
		 "\"soft\":9223372036854775807}]");
	CHECK_FAULTS("'rlimits':[{'type':'nofile','soft':1,'hard':20001},"
		     "{'type':'x','soft':1},{'type':'core','soft':2,'hard':1},"
		     "{'type':'core','soft':1},{'soft':1},{'type':'cpu'}]",
		     "/rlimits/1 /rlimits/2 /rlimits/3 /rlimits/4/type "
		     "/rlimits/5/soft /rlimits/0");
	CHECK_FAULTS("'rlimits':[{'type':'nofile','soft':-1}]", "/rlimits/0");
}

static void
sysctls_are_a_containers_own(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *spec = spec_of(
	    "'sysctls':{'net.core.somaxconn':'1024','kernel.sem':'1 2 3 4'}",
	    &err);

	CHECK_AT(spec, "linux/sysctl/kernel.sem", "\"1 2 3 4\"");
	CHECK_AT(spec, "linux/sysctl/net.ipv4.ping_group_range",
		 "\"0 2147483647\"");
	CHECK_FAULTS("'sysctls':{'kernel.core_pattern':'x','net.a':'a+b',"
		     "'kernel.shm_rmid_forced':'1+kernel.core_pattern=|/x',"
		     "'net.a/../b':'1','net..a':'1','net':'1','vm.x':'1',"
		     "'fs.mqueue.msg_max':'','net.b':'1\\n2'}",
		     "/sysctls/kernel.core_pattern /sysctls/net.a "
		     "/sysctls/kernel.shm_rmid_forced /sysctls/net.a~1..~1b "
		     "/sysctls/net..a /sysctls/net /sysctls/vm.x "
		     "/sysctls/fs.mqueue.msg_max /sysctls/net.b");
	CHECK_FAULTS("'network':'host','sysctls':{'net.core.somaxconn':'1',"
		     "'kernel.shmmax':'1'}",
		     "/sysctls/net.core.somaxconn");
}

static void
annotations_are_no_orders(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *spec =
	    spec_of("'annotations':{'user.a':'b'}", &err);

	CHECK_AT(spec, "annotations", "{\"user.a\":\"b\"}");
	CHECK_FAULTS("'annotations':{'org.systemd.property.ExecStart':'x',"
		     "'run.oci.handler':'x','module.wasm.image':'x',"
		     "'org.criu.config':'/etc/x','':'x','example':'x'}",
		     "/annotations/org.systemd.property.ExecStart "
		     "/annotations/run.oci.handler "
		     "/annotations/module.wasm.image "
		     "/annotations/org.criu.config /annotations/ "
		     "/annotations/example");
}

static void
devices_are_the_hosts(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *spec = spec_of(
	    "'devices':[{'path':'/dev/null','container_path':'/dev/nil',"
	    "'permissions':'rw'}]",
	    &err);

	CHECK_AT(spec, "linux/devices/0/path", "\"/dev/nil\"");
	CHECK_AT(spec, "linux/devices/0/major", "1");
	CHECK_AT(spec, "linux/devices/0/minor", "3");
	/* Behind the first deny and nine that everybody has. */
	CHECK_AT(spec, "linux/resources/devices/0",
		 "{\"allow\":false,\"access\":\"rwm\"}");
	CHECK_AT(spec, "linux/resources/devices/10/access", "\"rw\"");
	CHECK_FAULTS(
	    "'devices':[{'path':'/dev/no-such'},{'path':'/etc/passwd'},"
	    "{'path':'/dev/null','container_path':'/etc/x'},"
	    "{'path':'/dev/null','permissions':'rr'},"
	    "{'path':'/dev/../etc'},{'path':'/dev/ptmx'},"
	    "{'path':'/dev'},{'path':'/dev/shm','container_path':"
	    "'/dev/x'},{}]",
	    "/devices/1/path /devices/2/container_path "
	    "/devices/3/permissions /devices/4/path /devices/5/path "
	    "/devices/6/path /devices/8/path /devices/0/path "
	    "/devices/7/path");
}

static void
swap_weight_and_huge_pages_are_checked(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *spec =
	    spec_of("'resources':{'memory':10000000,'memory_swap':-1,"
		    "'blkio_weight':500,'hugetlb':{'2MB':0}}",
		    &err);

	CHECK_AT(spec, "linux/resources/memory",
		 "{\"limit\":10000000,\"swap\":-1}");
	CHECK_AT(spec, "linux/resources/blockIO/weight", "500");
	CHECK_AT(spec, "linux/resources/hugepageLimits",
		 "[{\"pageSize\":\"2MB\",\"limit\":0}]");
	CHECK_FAULTS("'resources':{'memory_swap':10000000,'blkio_weight':1,"
		     "'hugetlb':{'3MB':1,'2MB':'x'}}",
		     "/resources/blkio_weight /resources/memory_swap "
		     "/resources/hugetlb/2MB /resources/hugetlb");
	CHECK_FAULTS("'resources':{'memory':10000000,'memory_swap':9999999}",
		     "/resources/memory_swap");
	host.has_swap_accounting = false;
	CHECK_FAULTS("'resources':{'memory':10000000,'memory_swap':10000000}",
		     "/resources/memory_swap");
	host.has_swap_accounting = true;
}

static void
what_memory_is_left_and_who_is_killed_is_wished(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *spec = spec_of(
	    "'oom_score_adj':7,'resources':{'memory_reservation':10000000,"
	    "'memory_swappiness':0,'oom_kill_disable':true}",
	    &err);
	cleanup_json json_t *plain =
	    spec_of("'resources':{'oom_kill_disable':false}", &err);

	CHECK_AT(spec, "linux/resources/memory",
		 "{\"reservation\":10000000,\"swappiness\":0,"
		 "\"disableOOMKiller\":true}");
	CHECK_AT(spec, "process/oomScoreAdj", "7");
	CHECK_AT(plain, "linux/resources/memory", "null");
	CHECK_AT(plain, "process/oomScoreAdj", "0");
	CHECK_FAULTS("'resources':{'memory':10000000,"
		     "'memory_reservation':10000001}",
		     "/resources/memory_reservation");
	CHECK_FAULTS("'resources':{'memory_reservation':1,"
		     "'memory_swappiness':101,'oom_kill_disable':1}",
		     "/resources/memory_reservation "
		     "/resources/memory_swappiness "
		     "/resources/oom_kill_disable");
	CHECK_FAULTS("'oom_score_adj':1001", "/oom_score_adj");
	CHECK_FAULTS("'oom_score_adj':-1", "/oom_score_adj");
	host.may_raise_limits = true;
	CHECK_FAULTS("'oom_score_adj':-1000", "");
	host.may_raise_limits = false;
	host.oom_score_adj = 5;
	CHECK_FAULTS("'oom_score_adj':0", "/oom_score_adj");
	host.oom_score_adj = 0;
	host.cgroup_mode = CGROUP_V2;
	CHECK_FAULTS("'resources':{'memory_reservation':10000000,"
		     "'memory_swappiness':0,'oom_kill_disable':true}",
		     "/resources/memory_swappiness "
		     "/resources/oom_kill_disable");
	CHECK_FAULTS("'resources':{'oom_kill_disable':false}", "");
	host.cgroup_mode = CGROUP_V1;
}

static void
privileged_has_it_all(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *spec =
	    spec_of("'privileged':true,'capabilities':{'drop':['SYS_MODULE']}",
		    &err);
	cleanup_json json_t *plain = spec_of("", &err);
	cleanup_json json_t *gaining =
	    spec_of("'allow_new_privileges':true", &err);
	cleanup_free char *caps = at(spec, "process/capabilities/bounding");

	CHECK(strstr(caps, "CAP_SYS_ADMIN") && strstr(caps, "CAP_NET_RAW"));
	CHECK(!strstr(caps, "CAP_SYS_MODULE"));
	CHECK(!strstr(caps, "CAP_SYS_RESOURCE"));
	CHECK_AT(spec, "process/noNewPrivileges", "false");
	CHECK_AT(spec, "linux/seccomp", "null");
	CHECK_AT(spec, "linux/maskedPaths", "null");
	CHECK_AT(spec, "linux/readonlyPaths", "null");
	CHECK_AT(spec, "linux/resources/devices",
		 "[{\"allow\":true,\"access\":\"rwm\"}]");
	CHECK_AT(spec, "linux/devices/0/path/x", "null");
	CHECK_AT(plain, "process/noNewPrivileges", "true");
	CHECK_AT(plain, "linux/seccomp/defaultAction", "\"SCMP_ACT_ERRNO\"");
	CHECK_AT(gaining, "process/noNewPrivileges", "false");
	CHECK_AT(gaining, "linux/seccomp/defaultAction", "\"SCMP_ACT_ERRNO\"");
}

static void
a_seccomp_profile_may_be_brought(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *own =
	    spec_of("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'}", &err);
	cleanup_json json_t *none = spec_of("'seccomp':'unconfined'", &err);

	CHECK_AT(own, "linux/seccomp",
		 "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
	CHECK_AT(none, "linux/seccomp", "null");
	CHECK_FAULTS("'seccomp':'strict'", "/seccomp");
	CHECK_FAULTS("'seccomp':1", "/seccomp");
	CHECK_FAULTS("'seccomp':{'listenerPath':'/run/x','syscalls':[{}]}",
		     "/seccomp/defaultAction /seccomp/listenerPath "
		     "/seccomp/syscalls/0 /seccomp/syscalls/0");
}

static void
the_patch_is_merged_last(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *spec = spec_of(
	    "'hostname':'a','spec_patch':{'hostname':'b','process':"
	    "{'oomScoreAdj':5,'rlimits':null},'linux':{'x':{'y':null}}}",
	    &err);

	CHECK_AT(spec, "hostname", "\"b\"");
	CHECK_AT(spec, "process/oomScoreAdj", "5");
	CHECK_AT(spec, "process/rlimits", "null");
	CHECK_AT(spec, "linux/x", "{}");
	CHECK_AT(spec, "process/args", "[\"x\"]");
	CHECK(!spec_of("'spec_patch':{'hooks':{'prestart':[]}}", &err));
	CHECK_STR(err.field, "/spec_patch/hooks");
}

static void
names_ports_and_times_are_checked(void)
{
	CHECK_FAULTS("'ports':[]", "");
	CHECK_FAULTS("'ports':['80:80']", "/ports");
	CHECK_FAULTS("'platform':'linux/arm64/v8'", "");
	CHECK_FAULTS("'platform':'arm64'", "/platform");
	CHECK_FAULTS("'stop_timeout':1.5", "");
	CHECK_FAULTS("'stop_timeout':'1m30s'", "");
	CHECK_FAULTS("'stop_timeout':-1", "/stop_timeout");
	CHECK_FAULTS("'stop_timeout':'soon'", "/stop_timeout");
	CHECK_FAULTS("'stop_timeout':100000", "/stop_timeout");
	CHECK_FAULTS("'dns':{'servers':['127.0.0.1','::1'],"
		     "'search':['a.b'],'options':['ndots:2']}",
		     "");
	CHECK_FAULTS("'dns':{'servers':['a','1','2','3'],'search':['a b'],"
		     "'options':['a\\nb'],'x':1}",
		     "/dns/x /dns/servers /dns/servers/0 /dns/servers/1 "
		     "/dns/servers/2 /dns/servers/3 /dns/search/0 "
		     "/dns/options/0");
	CHECK_FAULTS("'runtime':{'name':'runc','options':{'args':['--debug']}}",
		     "");
	CHECK_FAULTS("'runtime':{'name':'runc','options':{'args':['x'],"
		     "'root':'/'}}",
		     "/runtime/options/root /runtime/options/args/0");
	CHECK_FAULTS("'runtime':{'name':'runc','options':{'args':['--root',"
		     "'--log=/x','-root=/x','--','--rootless=true']}}",
		     "/runtime/options/args/0 /runtime/options/args/1 "
		     "/runtime/options/args/2 /runtime/options/args/3");
}

static void
nothing_of_the_daemons_own_is_mounted(void)
{
#define BIND(source)                                                           \
	"'mounts':[{'type':'bind','target':'/a','source':'" source "'}]"
	host_keep_private(&host, "/var/lib/no-such-skiff");
	CHECK_FAULTS(BIND("/var/lib/no-such-skiff/skiff.db"),
		     "/mounts/0/source");
	CHECK_FAULTS(BIND("/var/lib"), "/mounts/0/source");
	CHECK_FAULTS(BIND("/var/lib/no-such-skiff2"), "");
	CHECK_FAULTS(BIND("/etc"), "/mounts/0/source");
	CHECK_FAULTS(BIND("/proc/self/root"), "/mounts/0/source");
	CHECK_FAULTS(BIND("/etc/hosts"), "");
}

static void
resolv_conf_says_what_was_wished(void)
{
	struct skiff_error err = ERROR_INIT;
	cleanup_json json_t *dns = NULL;
	cleanup_free char *text = NULL;
	const char *given = "{\"servers\":[\"1.2.3.4\",\"::1\"],\"search\":"
			    "[\"a\",\"b.c\"],\"options\":[\"ndots:2\"]}";

	CHECK(json_parse(given, strlen(given), &dns, &err) == 0);
	text = resolv_conf_text(dns);
	CHECK_STR(text, "nameserver 1.2.3.4\nnameserver ::1\nsearch a b.c\n"
			"options ndots:2\n");
}

static void
paths_are_made_normal_and_nothing_else_is(void)
{
	static const char *const cases[][2] = {
		{ "/a//b/./c/", "/a/b/c" }, { "//", "/" }, { "/.", "/" },
		{ "/a/..", "/a/.." },	    { "", "" },	   { "a", "a" },
		{ "a//b", "a//b" },	    { ".", "." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *path = xstrdup(cases[i][0]);

		path_normalise(path);
		CHECK_STR(path, cases[i][1]);
	}
}

TESTS(TEST(paths_are_made_normal_and_nothing_else_is),
      TEST(limits_of_processes_are_as_the_host_allows),
      TEST(sysctls_are_a_containers_own), TEST(annotations_are_no_orders),
      TEST(devices_are_the_hosts), TEST(swap_weight_and_huge_pages_are_checked),
      TEST(what_memory_is_left_and_who_is_killed_is_wished),
      TEST(privileged_has_it_all), TEST(a_seccomp_profile_may_be_brought),
      TEST(the_patch_is_merged_last), TEST(names_ports_and_times_are_checked),
      TEST(nothing_of_the_daemons_own_is_mounted),
      TEST(resolv_conf_says_what_was_wished))
