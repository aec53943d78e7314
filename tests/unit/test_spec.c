/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wishes and the specs that they become.
 */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/spec/spec.h"
#include "tests/unit/json_at.h"
#include "tests/unit/spec_help.h"
#include "tests/unit/tap.h"

static char *
faults_of(const char *text)
{
	cleanup_json json_t *body = parse(text);

	return faults_in(body);
}

#define CHECK_FAULTS(body, expected)                                           \
	do {                                                                   \
		cleanup_free char *faults_ = faults_of(body);                  \
		CHECK_STR(faults_, expected);                                  \
	} while (0)

static void
every_fault_is_told_by_pointer(void)
{
	CHECK_FAULTS("{\"image\":\"a\"}", "");
	CHECK_FAULTS("[]", "");
	CHECK_FAULTS("{}", "/image");
	CHECK_FAULTS("{\"image\":\"a\",\"nonsense\":1,\"args\":[1],"
		     "\"env\":[\"A\",\"=b\",\"C=\"],\"cwd\":\"x\"}",
		     "/nonsense /args/0 /env/0 /env/1 /cwd");
	CHECK_FAULTS("{\"image\":\"a\",\"cwd\":\"/a/../b\"}", "/cwd");
	CHECK_FAULTS("{\"image\":\"a\",\"cwd\":\"/proc/self/fd/7\"}", "/cwd");
	CHECK_FAULTS("{\"image\":\"a\",\"id\":\"a/b\"}", "/id");
	CHECK_FAULTS("{\"image\":\"a\",\"network\":\"bridge\","
		     "\"stop_signal\":\"SIGFOO\"}",
		     "/stop_signal /network");
	CHECK_FAULTS("{\"image\":\"a\",\"args\":[\"\"]}", "/args/0");
	CHECK_FAULTS("{\"image\":\"a\",\"runtime\":{\"name\":\"../runc\"}}",
		     "/runtime/name");
	CHECK_FAULTS("{\"image\":\"a\",\"capabilities\":{\"add\":[\"CAP_X\","
		     "\"NET_RAW\"],\"drop\":[\"ALL\",\"lower\"]}}",
		     "/capabilities/add/0 /capabilities/drop/1");
}

static void
namespaces_are_own_the_host_s_or_another_s(void)
{
	CHECK_FAULTS("{\"image\":\"a\",\"pid\":\"host\",\"ipc\":\"host\","
		     "\"uts\":\"host\",\"init\":true}",
		     "");
	CHECK_FAULTS("{\"image\":\"a\",\"ipc\":\"shareable\"}", "");
	CHECK_FAULTS("{\"image\":\"a\",\"ipc\":\"container:b\"}", "");
	CHECK_FAULTS("{\"image\":\"a\",\"pid\":\"container:b\","
		     "\"ipc\":\"private\",\"uts\":\"private\"}",
		     "");
	CHECK_FAULTS("{\"image\":\"a\",\"pid\":\"hosts\",\"ipc\":\"none\","
		     "\"uts\":\"\"}",
		     "/pid /ipc /uts");
	CHECK_FAULTS("{\"image\":\"a\",\"id\":\"b\","
		     "\"pid\":\"container:b\"}",
		     "/pid");
	CHECK_FAULTS("{\"image\":\"a\",\"pid\":\"container:/proc/1\"}", "/pid");
	CHECK_FAULTS("{\"image\":\"a\",\"uts\":\"host\","
		     "\"hostname\":\"x\"}",
		     "/hostname");
}

static void
limits_have_bounds(void)
{
	CHECK_FAULTS("{\"image\":\"a\",\"resources\":{\"memory\":6291455}}",
		     "/resources/memory");
	CHECK_FAULTS("{\"image\":\"a\",\"resources\":{\"memory\":6291456,"
		     "\"cpus\":1.5,\"pids\":-1}}",
		     "");
	CHECK_FAULTS("{\"image\":\"a\",\"resources\":{\"memory\":\"1g\","
		     "\"cpus\":0,\"pids\":0,\"disk\":1}}",
		     "/resources/memory /resources/disk /resources/cpus "
		     "/resources/pids");
	CHECK_FAULTS("{\"image\":\"a\",\"resources\":{\"cpus\":-1,"
		     "\"pids\":-2,\"cpuset_cpus\":\"a\"}}",
		     "/resources/pids /resources/cpus /resources/cpuset_cpus");
}

static void
hostnames_are_checked(void)
{
	static const char *const good[] = { "a", "a-b.c_d", "A1",
					    "web-1.example.org" };
	static const char *const bad[] = { "",	 "-a",	"a-",  "a..b", ".a",
					   "a.", "a b", "a/b", "a\\n" };
	char body[256];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		(void)snprintf(body, sizeof(body),
			       "{\"image\":\"a\",\"hostname\":\"%s\"}",
			       good[i]);
		CHECK_FAULTS(body, "");
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)snprintf(body, sizeof(body),
			       "{\"image\":\"a\",\"hostname\":\"%s\"}", bad[i]);
		CHECK_FAULTS(body, "/hostname");
	}
	(void)snprintf(body, sizeof(body),
		       "{\"image\":\"a\",\"hostname\":\"%065d\"}", 1);
	CHECK_FAULTS(body, "/hostname");
}

#define MOUNTS(list) "{\"image\":\"a\",\"mounts\":[" list "]}"
#define TMPFS(target) "{\"type\":\"tmpfs\",\"target\":\"" target "\"}"
#define BIND(source, target)                                                   \
	"{\"type\":\"bind\",\"source\":\"" source "\",\"target\":\"" target    \
	"\"}"

static void
mounts_are_checked(void)
{
	CHECK_FAULTS(MOUNTS(TMPFS("/tmp") "," BIND("/srv", "/a/b")), "");
	CHECK_FAULTS(
	    MOUNTS(TMPFS("/proc") "," TMPFS("/sys/fs") "," TMPFS(
		"/dev/x") "," TMPFS("/dev/shm") "," TMPFS("/") "," TMPFS("//")),
	    "/mounts/0/target /mounts/1/target /mounts/2/target "
	    "/mounts/4/target /mounts/5/target /mounts/5/target");
	CHECK_FAULTS(MOUNTS(TMPFS("x") "," TMPFS("/a/../b") "," TMPFS(
			 "/c") "," TMPFS("/c/./")),
		     "/mounts/0/target /mounts/1/target /mounts/3/target");
	CHECK_FAULTS(MOUNTS(
			 BIND("rel", "/a") "," BIND("/", "/b") "," BIND("/x/..",
									"/c")),
		     "/mounts/0/source /mounts/1/source /mounts/2/source");
	CHECK_FAULTS(MOUNTS("{\"type\":\"bind\",\"target\":\"/a\"},"
			    "{\"type\":\"nfs\",\"target\":\"/b\"},{}"),
		     "/mounts/0/source /mounts/1/type /mounts/2/type "
		     "/mounts/2/target");
	CHECK_FAULTS(MOUNTS("{\"type\":\"bind\",\"source\":\"/s\",\"target\":"
			    "\"/a\",\"options\":[\"ro\",\"rshared\","
			    "\"size=1\"]},{\"type\":\"tmpfs\",\"target\":"
			    "\"/b\",\"options\":[\"size=10m\",\"size=;\"]}"),
		     "/mounts/0/options/1 /mounts/0/options/2 "
		     "/mounts/1/options/1");
	CHECK_FAULTS(MOUNTS(BIND("/s", "/v") "," TMPFS("/v/in")),
		     "/mounts/1/target");
	CHECK_FAULTS(MOUNTS(TMPFS("/v") "," BIND("/s", "/v/in")), "");
}

#define SPEC_WITH(process, more, linux_more)                                   \
	"{\"spec\":{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"a\"],"   \
	"\"cwd\":\"/\"" process "}" more ",\"linux\":{\"namespaces\":["        \
	"{\"type\":\"mount\"}]" linux_more "}}}"
#define SPEC(more) SPEC_WITH("", more, "")

static void
a_client_s_spec_is_checked(void)
{
	CHECK_FAULTS(SPEC(""), "");
	CHECK_FAULTS("{\"spec\":{}}", "/spec/ociVersion /spec/process "
				      "/spec/linux/namespaces");
	CHECK_FAULTS("{\"spec\":{\"ociVersion\":\"2.0\",\"process\":"
		     "{\"args\":[]}},\"args\":[\"a\"]}",
		     "/args /spec/ociVersion /spec/process/args "
		     "/spec/process/cwd /spec/linux/namespaces");
	CHECK_FAULTS(SPEC(",\"hooks\":{},\"hostname\":\"a b\""),
		     "/spec/hooks /spec/hostname");
	CHECK_FAULTS(SPEC(",\"root\":{\"path\":\"rootfs\"}"), "");
	CHECK_FAULTS(SPEC(",\"root\":{\"path\":\"/srv/a\"}"), "");
	CHECK_FAULTS(SPEC(",\"root\":{\"path\":\"//\"}"), "/spec/root/path");
	CHECK_FAULTS(SPEC(",\"root\":{\"path\":\"a\"}"), "/spec/root/path");
	CHECK_FAULTS(SPEC_WITH(",\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\","
			       "\"soft\":1,\"hard\":20001},{\"type\":\"x\"}],"
			       "\"user\":{\"uid\":4294967295,\"gid\":-1}",
			       "", ""),
		     "/spec/process/user/uid /spec/process/user/gid "
		     "/spec/process/rlimits/0 /spec/process/rlimits/1");
	CHECK_FAULTS(SPEC_WITH(",\"oomScoreAdj\":-1,\"capabilities\":{"
			       "\"bounding\":[\"CAP_X\",\"CAP_SYS_RESOURCE\"]}",
			       "", ""),
		     "/spec/process/oomScoreAdj "
		     "/spec/process/capabilities/bounding/0 "
		     "/spec/process/capabilities/bounding/1");
	CHECK_FAULTS(SPEC(",\"annotations\":{\"run.oci.x\":\"1\",\"a\":\"b\"}"),
		     "/spec/annotations/run.oci.x");
}

static void
a_client_s_spec_of_linux_is_checked(void)
{
	CHECK_FAULTS(SPEC_WITH("", ",\"mounts\":[{\"destination\":\"a\"}]",
			       ",\"cgroupsPath\":\"x\""),
		     "/spec/mounts/0/destination /spec/linux/cgroupsPath");
#define MOUNT(target, type)                                                    \
	"{\"destination\":\"" target "\",\"type\":\"" type                     \
	"\",\"source\":\"/srv\"}"
	CHECK_FAULTS(SPEC(",\"mounts\":[" MOUNT("/proc", "proc") "," MOUNT(
			 "/dev/pts", "devpts") "," MOUNT("/sys", "sysfs") "]"),
		     "");
	CHECK_FAULTS(SPEC(",\"mounts\":[" MOUNT("/proc", "tmpfs") "," MOUNT(
			 "/dev", "bind") "," MOUNT("/dev/null", "bind") "]"),
		     "/spec/mounts/0/destination /spec/mounts/1/destination "
		     "/spec/mounts/2/destination");
	CHECK_FAULTS(SPEC(",\"mounts\":[" MOUNT("/a", "proc") "," MOUNT(
			 "/", "bind") "," MOUNT("/a//b", "bind") "]"),
		     "/spec/mounts/0/destination /spec/mounts/1/destination "
		     "/spec/mounts/2/destination");
	CHECK_FAULTS(SPEC_WITH("", "",
			       ",\"sysctl\":{\"net.ipv4.ip_forward\":\"1\","
			       "\"kernel.core_pattern\":\"x\"}"),
		     "/spec/linux/sysctl/net.ipv4.ip_forward "
		     "/spec/linux/sysctl/kernel.core_pattern");
	CHECK_FAULTS(SPEC_WITH("", "",
			       ",\"maskedPaths\":[\"x\"],\"devices\":[{"
			       "\"path\":\"/etc/x\"}],\"resources\":{\"pids\":"
			       "{\"limit\":0}},\"seccomp\":{}"),
		     "/spec/linux/maskedPaths/0 /spec/linux/devices/0/path "
		     "/spec/linux/resources/pids/limit "
		     "/spec/linux/seccomp/defaultAction");
	CHECK_FAULTS("{\"spec\":{\"ociVersion\":\"1.0.2\",\"process\":"
		     "{\"args\":[\"a\"],\"cwd\":\"/\"},\"linux\":{"
		     "\"namespaces\":[{\"type\":\"mount\"},{\"type\":"
		     "\"mount\"},{\"type\":\"net\"}]}}}",
		     "/spec/linux/namespaces/1 /spec/linux/namespaces/2");
}

static void
a_client_s_spec_is_adopted(void)
{
	cleanup_json json_t *spec =
	    parse("{\"ociVersion\":\"1.0.2\",\"x\":[1]}");
	cleanup_json json_t *adopted = spec_adopt(spec, &host, "ns", "id");

	CHECK_STR(json_get_text(json_object_get(adopted, "root"), "path"),
		  "rootfs");
	CHECK_STR(spec_cgroups_path(adopted), "/skiff-01234567/ns/id");
	CHECK(json_object_get(adopted, "x") && !spec_own_root(adopted));
}

static json_t *
spec_of(const char *text, struct skiff_error *err)
{
	cleanup_json json_t *body = parse(text);

	return spec_from(body, err);
}

static void
image_reset(void)
{
	strv_done(&image.env);
	strv_done(&image.entrypoint);
	strv_done(&image.cmd);
	image = (struct image_config){ 0 };
	image.architecture = (char *)"amd64";
}

static void
defaults_are_safe(void)
{
	struct skiff_error err = ERROR_INIT;

	image_reset();
	strv_add(&image.cmd, "sh");
	cleanup_json json_t *spec = spec_of("{\"image\":\"a\"}", &err);

	CHECK_AT(spec, "/process/args", "[\"sh\"]");
	CHECK_AT(spec, "/process/noNewPrivileges", "true");
	CHECK_AT(spec, "/process/oomScoreAdj", "0");
	CHECK_AT(spec, "/process/cwd", "\"/\"");
	CHECK_AT(spec, "/process/user",
		 "{\"uid\":0,\"gid\":0,\"umask\":18,\"additionalGids\":[0]}");
	CHECK_AT(spec, "/process/env",
		 "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		 "/sbin:/bin\",\"HOME=/\"]");
	CHECK_AT(spec, "/process/capabilities/bounding",
		 "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FOWNER\","
		 "\"CAP_FSETID\",\"CAP_KILL\",\"CAP_SETGID\",\"CAP_SETUID\","
		 "\"CAP_SETPCAP\",\"CAP_NET_BIND_SERVICE\","
		 "\"CAP_SYS_CHROOT\",\"CAP_SETFCAP\"]");
	CHECK_AT(spec, "/process/capabilities/inheritable", "[]");
	CHECK_AT(spec, "/process/capabilities/ambient", "[]");
	CHECK_AT(spec, "/process/rlimits/0",
		 "{\"type\":\"RLIMIT_NOFILE\",\"hard\":20000,\"soft\":1024}");
	CHECK_AT(spec, "/root", "{\"path\":\"rootfs\",\"readonly\":false}");
	CHECK_AT(spec, "/hostname", "\"web\"");
	CHECK_AT(spec, "/linux/cgroupsPath", "\"/skiff-01234567/default/web\"");
	CHECK_AT(spec, "/linux/resources/devices/0",
		 "{\"allow\":false,\"access\":\"rwm\"}");
	CHECK_AT(spec, "/linux/resources/pids/limit", "4096");
	CHECK_AT(spec, "/linux/namespaces/5", "{\"type\":\"network\"}");
	CHECK_AT(spec, "/linux/seccomp/architectures",
		 "[\"SCMP_ARCH_X86_64\"]");
	CHECK_AT(spec, "/hooks", "null");
	CHECK_AT(spec, "/annotations", "null");
}

static void
wishes_go_before_the_image(void)
{
	struct skiff_error err = ERROR_INIT;

	image_reset();
	strv_add(&image.entrypoint, "/entry");
	strv_add(&image.cmd, "arg");
	strv_add(&image.env, "A=image");
	strv_add(&image.env, "PATH=/bin");
	image.working_dir = (char *)"srv";
	cleanup_json json_t *plain = spec_of("{\"image\":\"a\"}", &err);
	cleanup_json json_t *args =
	    spec_of("{\"image\":\"a\",\"args\":[\"x\"],\"env\":[\"A=wish\","
		    "\"TERM=v\"],\"terminal\":true,\"cwd\":\"/w\"}",
		    &err);
	cleanup_json json_t *entry =
	    spec_of("{\"image\":\"a\",\"entrypoint\":[\"e\"]}", &err);

	CHECK_AT(plain, "/process/args", "[\"/entry\",\"arg\"]");
	CHECK_AT(plain, "/process/env",
		 "[\"PATH=/bin\",\"A=image\",\"HOME=/\"]");
	CHECK_AT(plain, "/process/cwd", "\"/srv\"");
	CHECK_AT(args, "/process/args", "[\"/entry\",\"x\"]");
	CHECK_AT(args, "/process/env",
		 "[\"PATH=/bin\",\"A=wish\",\"TERM=v\",\"HOME=/\"]");
	CHECK_AT(args, "/process/terminal", "true");
	CHECK_AT(args, "/process/cwd", "\"/w\"");
	CHECK_AT(entry, "/process/args", "[\"e\"]");
	CHECK(!spec_of("{\"image\":\"a\",\"entrypoint\":[]}", &err));
	CHECK_STR(err.field, "/args");
}

static void
limits_and_network_reach_the_spec(void)
{
	struct skiff_error err = ERROR_INIT;

	image_reset();
	cleanup_json json_t *spec = spec_of(
	    "{\"image\":\"a\",\"args\":[\"x\"],\"network\":\"host\","
	    "\"read_only\":true,\"resources\":{\"memory\":67108864,"
	    "\"cpus\":1.5,\"pids\":32},\"capabilities\":{\"drop\":[\"ALL\"],"
	    "\"add\":[\"SYS_ADMIN\"]}}",
	    &err);

	CHECK_AT(spec, "/linux/resources/memory",
		 "{\"limit\":67108864,\"swap\":67108864}");
	CHECK_AT(spec, "/linux/resources/cpu",
		 "{\"quota\":150000,\"period\":100000}");
	CHECK_AT(spec, "/linux/resources/pids/limit", "32");
	CHECK_AT(spec, "/linux/namespaces/5", "null");
	CHECK_AT(spec, "/linux/sysctl", "null");
	CHECK_AT(spec, "/process/capabilities/bounding", "[\"CAP_SYS_ADMIN\"]");
	CHECK_AT(spec, "/root/readonly", "true");
	CHECK_AT(spec, "/mounts/8/destination", "\"/tmp\"");
	CHECK_FAULTS("{\"image\":\"a\",\"args\":[\"x\"],\"capabilities\":"
		     "{\"add\":[\"SYS_RESOURCE\"]}}",
		     "/capabilities/add/0");
}

static void
wished_mounts_take_the_place_of_defaults(void)
{
	struct skiff_error err = ERROR_INIT;

	image_reset();
	cleanup_json json_t *spec = spec_of(
	    "{\"image\":\"a\",\"args\":[\"x\"],\"mounts\":["
	    "{\"type\":\"bind\",\"source\":\"/s\",\"target\":\"/run/b\","
	    "\"options\":[\"rbind\",\"ro\",\"dev\"]},"
	    "{\"type\":\"tmpfs\",\"target\":\"/run//\",\"options\":["
	    "\"size=1m\",\"exec\"]},"
	    "{\"type\":\"bind\",\"source\":\"/h\",\"target\":"
	    "\"/etc/hosts\"}]}",
	    &err);

	/* Without /run and /etc/hosts: seven defaults, two files. */
	CHECK_AT(spec, "/mounts/6/destination", "\"/sys/fs/cgroup\"");
	CHECK_AT(spec, "/mounts/7/destination", "\"/etc/hostname\"");
	CHECK_AT(spec, "/mounts/9",
		 "{\"destination\":\"/etc/hosts\",\"type\":\"bind\","
		 "\"source\":\"/h\",\"options\":[\"bind\",\"rprivate\","
		 "\"nosuid\",\"nodev\"]}");
	CHECK_AT(spec, "/mounts/10",
		 "{\"destination\":\"/run\",\"type\":\"tmpfs\",\"source\":"
		 "\"tmpfs\",\"options\":[\"mode=1777\",\"nosuid\",\"nodev\","
		 "\"size=1m\",\"exec\"]}");
	CHECK_AT(spec, "/mounts/11/options",
		 "[\"rprivate\",\"nosuid\",\"rbind\",\"rro\",\"dev\"]");
}

static bool
allows(const json_t *spec, const char *call)
{
	cleanup_free char *names = at(spec, "/linux/seccomp/syscalls/0/names");
	cleanup_free char *quoted = xasprintf("\"%s\"", call);

	return strstr(names, quoted) != NULL;
}

static void
seccomp_follows_the_capabilities(void)
{
	static const char *const never[] = { "io_uring_setup", "keyctl",
					     "add_key",	       "userfaultfd",
					     "kexec_load",     "swapon",
					     "pivot_root",     "move_pages",
					     "socket",	       "clone3" };
	struct skiff_error err = ERROR_INIT;

	image_reset();
	cleanup_json json_t *plain =
	    spec_of("{\"image\":\"a\",\"args\":[\"x\"]}", &err);
	cleanup_json json_t *admin =
	    spec_of("{\"image\":\"a\",\"args\":[\"x\"],\"capabilities\":"
		    "{\"add\":[\"SYS_ADMIN\",\"SYSLOG\"]}}",
		    &err);

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		CHECK(!allows(plain, never[i]));
	CHECK(allows(plain, "openat") && allows(plain, "chroot"));
	CHECK(!allows(plain, "mount") && !allows(plain, "unshare"));
	CHECK(!allows(plain, "fcntl64"));
	CHECK(allows(admin, "mount") && allows(admin, "clone3"));
	CHECK(!allows(admin, "keyctl"));
	CHECK_AT(plain, "/linux/seccomp/syscalls/14/names", "[\"clone3\"]");
	CHECK_AT(plain, "/linux/seccomp/syscalls/14/errnoRet", "38");
	image.architecture = (char *)"386";
	cleanup_json json_t *narrow =
	    spec_of("{\"image\":\"a\",\"args\":[\"x\"]}", &err);

	CHECK(allows(narrow, "fcntl64"));
	CHECK_AT(narrow, "/linux/seccomp/architectures", "[\"SCMP_ARCH_X86\"]");
}

static void
signals_have_names_and_numbers(void)
{
	CHECK(signal_number("SIGTERM") == 15 && signal_number("TERM") == 15);
	CHECK(signal_number("9") == 9 && signal_number("SIGRTMIN+3") == 37);
	CHECK(signal_number("0") < 0 && signal_number("65") < 0);
	CHECK(signal_number("") < 0 && signal_number("SIG") < 0);
	CHECK(signal_number("sigterm") == 15 && signal_number("Term") == 15);
	CHECK(signal_number("RTMIN") == 34 && signal_number("rtmax") == 64);
	CHECK(signal_number("SIGRTMAX-3") == 61);
	CHECK(signal_number("rtmax-30") == signal_number("RTMIN"));
	CHECK(signal_number("SIGRTMIN+99") < 0 &&
	      signal_number("RTMAX-31") < 0);
	CHECK(signal_number("RTMAX+1") < 0 && signal_number("RTMIN-1") < 0);
	CHECK(signal_number("RTMAX-") < 0 && signal_number("RTMIN+-1") < 0);
	CHECK(signal_number("io") == 29 && signal_number("SIGCLD") == 17);
	CHECK(signal_number("terms") < 0 && signal_number("SIGSIGTERM") < 0);
}

static void
bad_runtimes_are_known(void)
{
	CHECK(oci_runtime_warning("runc", "1.1.5+ds1"));
	CHECK(oci_runtime_warning("runc", "1.2.7") &&
	      !oci_runtime_warning("runc", "1.2.8"));
	CHECK(oci_runtime_warning("runc", "1.3.2") &&
	      !oci_runtime_warning("runc", "1.3.3"));
	CHECK(!oci_runtime_warning("runc", "1.4.0") &&
	      !oci_runtime_warning("runc", "2.0.0"));
	CHECK(oci_runtime_warning("runc", "what"));
	CHECK(oci_runtime_warning("crun", "1.19") &&
	      oci_runtime_warning("crun", "1.26"));
	CHECK(!oci_runtime_warning("crun", "1.8.1") &&
	      !oci_runtime_warning("crun", "1.27"));
}

TESTS(TEST(every_fault_is_told_by_pointer), TEST(limits_have_bounds),
      TEST(namespaces_are_own_the_host_s_or_another_s),
      TEST(hostnames_are_checked), TEST(mounts_are_checked),
      TEST(a_client_s_spec_is_checked),
      TEST(a_client_s_spec_of_linux_is_checked),
      TEST(a_client_s_spec_is_adopted), TEST(defaults_are_safe),
      TEST(wishes_go_before_the_image), TEST(limits_and_network_reach_the_spec),
      TEST(wished_mounts_take_the_place_of_defaults),
      TEST(seccomp_follows_the_capabilities),
      TEST(signals_have_names_and_numbers), TEST(bad_runtimes_are_known))
