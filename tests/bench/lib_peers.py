# SPDX-License-Identifier: Apache-2.0
"""dockerd, containerd and podman of Debian's, each on directories, cgroups
and sockets of its own, without network. All of it is gone after end()."""
from benchlib import *

needs("root", "containerd", "ctr", "dockerd", "podman", "crun", "runc")

CONTAINERD = """version = 2
root = "%(dir)s/root"
state = "%(dir)s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "%(dir)s/sock"
[ttrpc]
  address = "%(dir)s/ttrpc"
"""


class Peer:
    """What all of them share: a directory, and processes that name it."""

    def __init__(self, name):
        self.name = name
        self.dir = scratch(name)
        os.makedirs(self.dir)
        for part in ("state", "exec", "run"):
            os.makedirs(volatile(name) + "/" + part)
            os.symlink(volatile(name) + "/" + part, self.dir + "/" + part)
        remove_cgroups(cgroup_of(name))  # of a bench that was killed
        self.process = None

    def daemon(self, argv, **more):
        with open(self.dir + "/log", "ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **more)

    def kill9(self):
        self.process.kill()
        self.process.wait()

    def processes(self, word=""):
        """Pids of all that has the directory and the word in its argv."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    argv = f.read()
            except OSError:
                continue
            if self.dir.encode() in argv and word.encode() in argv and \
                    int(pid) != os.getpid():
                found.append(int(pid))
        return found

    def end(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill9()
        for pid in self.processes():
            kill(pid)
        with open("/proc/self/mounts") as f:
            mounts = [line.split()[1] for line in f]
        for mount in reversed(mounts):
            if mount.startswith(self.dir + "/"):
                subprocess.run(["umount", "-l", mount])
        remove_cgroups(cgroup_of(self.name))


def cgroup_of(name):
    return "skiffbench-" + name


def remove_cgroups(name):
    """In every hierarchy, and whatever still runs in them."""
    tops = [d.path for d in os.scandir("/sys/fs/cgroup")
            if d.is_dir(follow_symlinks=False) and
            os.path.exists(d.path + "/cgroup.procs")]

    def try_all():
        left = False
        for top in tops:
            for path, _, _ in os.walk(os.path.join(top, name),
                                      topdown=False):
                try:
                    with open(path + "/cgroup.procs") as f:
                        for pid in f.read().split():
                            kill(int(pid))
                except OSError:
                    pass  # of no cgroup file system, or gone
                try:
                    os.rmdir(path)
                except OSError:
                    left = True
        return not left
    try:
        until(try_all, "removal of cgroups " + name, timeout=10)
    except TimeoutError as why:
        print("# %s" % why)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass  # it has ended meanwhile


class Containerd(Peer):
    def __init__(self, name="containerd"):
        super().__init__(name)
        with open(self.dir + "/config.toml", "w") as f:
            f.write(CONTAINERD % {"dir": self.dir})
        self.start()

    def start(self):
        self.daemon(["containerd", "--config", self.dir + "/config.toml"])
        until(lambda: os.path.exists(self.dir + "/sock") and subprocess.run(
            self.ctr("version"), capture_output=True).returncode == 0,
            "containerd")

    def ctr(self, *arguments):
        return [shutil.which("ctr"), "--address", self.dir + "/sock",
                "-n", cgroup_of(self.name)] + list(arguments)

    def run_ctr(self, *arguments):
        program(self.ctr(*arguments))

    def pull(self, ref):
        self.image = ref
        self.run_ctr("images", "pull", "--plain-http", ref)

    def create_start(self, name, args=("sleep", "100000")):
        self.run_ctr("run", "-d", "--null-io", "--runc-root",
                     self.dir + "/runc", self.image, name, *args)

    def run_true(self, name):
        self.run_ctr("run", "--rm", "--runc-root", self.dir + "/runc",
                     self.image, name, "true")

    def exec_true(self, name, i):
        self.run_ctr("task", "exec", "--exec-id", "e%d" % i, name, "true")

    def remove(self, name):
        self.run_ctr("task", "rm", "-f", name)
        self.run_ctr("container", "rm", name)

    def n_running(self):
        return subprocess.run(self.ctr("task", "ls"), capture_output=True,
                              text=True).stdout.count("RUNNING")

    def daemons(self):
        return [self.process.pid]

    def shims(self):
        return self.processes("containerd-shim")


class DockerApi:
    """What dockerd and podman answer alike."""

    def connect(self):
        return Http(self.socket)

    def body(self, args):
        return {"Image": self.image, "Cmd": list(args),
                "HostConfig": {"NetworkMode": "none",
                               "CgroupParent": "/" + cgroup_of(self.name)}}

    def create(self, http, name, args, **more):
        http("POST", "/v1.40/containers/create?name=" + name,
             dict(self.body(args), **more))

    def create_start(self, name, args=("sleep", "100000"), http=None):
        http = http or self.http
        self.create(http, name, args)
        http("POST", "/v1.40/containers/%s/start" % name)

    def run_true(self, name):
        self.create_start(name, ("true",))
        self.http("POST", "/v1.40/containers/%s/wait" % name)
        self.remove(name)

    def exec_true(self, name, _i):
        made = json.loads(self.http(
            "POST", "/v1.40/containers/%s/exec" % name,
            {"Cmd": ["true"], "AttachStdout": True}))
        once = Http(self.socket)
        once("POST", "/v1.40/exec/%s/start" % made["Id"],
             {"Detach": False}, until_end=True)
        once.socket.close()
        found = json.loads(self.http(
            "GET", "/v1.40/exec/%s/json" % made["Id"]))
        equal(found["ExitCode"], 0)

    def n_running(self):
        return len(json.loads(self.http("GET",
                                        "/v1.40/containers/json?limit=0")))


class Dockerd(DockerApi, Peer):
    def __init__(self, name="dockerd"):
        super().__init__(name)
        self.socket = self.dir + "/sock"
        self.containerd = Containerd(name + "-containerd")
        with open(self.dir + "/config.json", "w") as f:
            f.write("{}")
        self.start()

    def start(self):
        self.daemon([
            "dockerd", "--data-root", self.dir + "/data", "--exec-root",
            self.dir + "/exec", "--pidfile", self.dir + "/pid", "--host",
            "unix://" + self.socket, "--containerd",
            self.containerd.dir + "/sock", "--iptables=false",
            "--ip6tables=false", "--bridge=none", "--live-restore",
            "--storage-driver=overlay2", "--config-file",
            self.dir + "/config.json",
            "--exec-opt", "native.cgroupdriver=cgroupfs"])

        def answers():
            if self.process.poll() is not None:
                with open(self.dir + "/log") as f:
                    raise RuntimeError("dockerd ended:\n" + f.read()[-2000:])
            try:
                self.http = Http(self.socket)
                self.http("GET", "/_ping")
                return True
            except OSError:
                return False
        until(answers, "dockerd", every=0.001)

    def pull(self, ref):
        self.image = ref
        name, tag = ref.rsplit(":", 1)
        self.http("POST", "/v1.40/images/create?fromImage=%s&tag=%s" % (
            quote(name), tag))

    def remove(self, name):
        self.http("DELETE", "/v1.40/containers/%s?force=1" % name)

    def daemons(self):
        return [self.process.pid, self.containerd.process.pid]

    def shims(self):
        return self.containerd.shims()

    def end(self):
        super().end()
        self.containerd.end()
        remove_cgroups(cgroup_of(self.name))


class Podman(DockerApi, Peer):
    def __init__(self, name="podman"):
        super().__init__(name)
        self.socket = self.dir + "/sock"
        # Its own default is more than root may have everywhere.
        with open(self.dir + "/containers.conf", "w") as f:
            f.write("[containers]\n"
                    'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n')
        self.daemon(self.podman("system", "service", "--time=0",
                                "unix://" + self.socket),
                    env=dict(os.environ, CONTAINERS_CONF=self.dir +
                             "/containers.conf"))
        until(lambda: os.path.exists(self.socket), "podman")
        self.http = Http(self.socket)

    def podman(self, *arguments):
        return [shutil.which("podman"), "--root", self.dir + "/root",
                "--runroot", self.dir + "/run", "--tmpdir",
                self.dir + "/tmp", "--cgroup-manager=cgroupfs",
                "--events-backend=none", "--storage-driver=overlay",
                "--runtime=crun"] + list(arguments)

    def pull(self, ref):
        self.image = ref
        program(self.podman("pull", "-q", "--tls-verify=false", ref))

    def remove(self, name):
        self.http("DELETE", "/v4.0.0/libpod/containers/%s"
                  "?force=true&timeout=0" % name)

    def daemons(self):
        return [self.process.pid]

    def shims(self):
        return self.processes("conmon")
