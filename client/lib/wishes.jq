# SPDX-License-Identifier: Apache-2.0
# Pairs of option and value, as options.sh collects them, to the body of
# POST containers. $environ: the client's environment; $pwd: where it is.

def bad($why): "\($why)\n" | halt_error(1);
def pair: split("=") | {(.[0]): (.[1:] | join("="))};
def size($option):
	. as $text | ascii_downcase
	| (capture("^(?<n>[0-9]+([.][0-9]+)?)(?<unit>[bkmgt]?)(i?b)?$")
	   // bad("\($option): \($text) is no size, such as 64m"))
	| (.n | tonumber) * {"": 1, b: 1, k: 1024, m: 1048576,
		g: 1073741824, t: 1099511627776}[.unit] | floor;
def size_or_minus_one($option): if . == "-1" then -1 else size($option) end;
def number($option):
	. as $text
	| try tonumber catch bad("\($option): \($text) is no number");
# Without ".", "..", and slashes that say nothing.
def plain_path:
	reduce (split("/")[] | select(. != "" and . != ".")) as $part
	  ([]; if $part == ".." then .[:-1] else . + [$part] end)
	| "/" + join("/");
def host_path($option):
	if startswith("/") then plain_path
	elif . == "." or . == ".." or startswith("./") or startswith("../") then
		"\($pwd)/\(.)" | plain_path
	else bad("\($option): \(.) is no path: begin it with / or ./")
	end;

def environment:
	$environ | split("\u0000") | map(select(contains("=")) | pair) | add // {};
def env_entry:
	if contains("=") then [.]
	else . as $key | environment[$key] // null |
		if . == null then [] else ["\($key)=\(.)"] end
	end;

def no_volume($option; $name):
	bad("\($option): \($name) would be a volume, and there are none yet; "
	    + "SOURCE is a path of the host, from / or ./ on");

# What is for other systems, or is so anyway.
def mount_options:
	map(select(IN("", "z", "Z", "cached", "delegated", "consistent",
		"nocopy") | not));

# SOURCE:TARGET[:OPTION,...]
def volume:
	split(":")
	| if length == 1 then no_volume("--volume"; .[0])
	  elif length > 3 then
		bad("--volume is SOURCE:TARGET[:ro], not \(join(":"))")
	  elif .[0] | test("^[A-Za-z0-9][A-Za-z0-9_.-]*$") then
		no_volume("--volume"; .[0])
	  else . end
	| {type: "bind", source: (.[0] | host_path("--volume")), target: .[1],
	   options: (["rbind"] + ((.[2] // "rw") | split(",")
		| mount_options))};

# TARGET[:OPTION,...]
def tmpfs:
	split(":")
	| {type: "tmpfs", target: .[0],
	   options: ((.[1:] | join(":") | split(",")) as $own
		| [["nosuid", "suid"], ["nodev", "dev"], ["noexec", "exec"]]
		| map(select(.[1] as $other | $own | index($other) | not)[0])
		+ ($own | mount_options))};

# type=bind,source=S,target=T,readonly,...
def mount:
	. as $text
	| reduce (split(",")[] | split("=") | [.[0], (.[1:] | join("="))])
	  as [$key, $value] ({options: []};
		if $key == "type" then .type = $value
		elif $key == "source" or $key == "src" then
			.source = $value
		elif $key == "target" or $key == "dst" or $key == "destination"
		then .target = $value
		elif $key == "readonly" or $key == "ro" then
			.options += [if $value == "false" then "rw" else "ro" end]
		elif $key == "bind-propagation" then .options += [$value]
		elif $key == "bind-nonrecursive" then
			.is_flat = ($value != "false")
		elif $key == "bind-recursive" then
			.is_flat = ($value == "disabled")
		elif $key == "consistency" then .
		elif $key == "tmpfs-size" then
			.options += ["size=\($value | size("tmpfs-size"))"]
		elif $key == "tmpfs-mode" then .options += ["mode=\($value)"]
		elif $key == "options" then .options += ($value | split(":"))
		else bad("--mount: there is no \($key) in \($text)")
		end)
	| if .type == null then bad("--mount needs type=bind or type=tmpfs")
	  elif .type == "volume" then no_volume("--mount"; .source // $text)
	  elif .type == "bind" then
		.source |= (. // "" | host_path("--mount"))
		| .options = [if .is_flat then "bind" else "rbind" end] + .options
	  else . end
	| del(.is_flat)
	| if .target then . else bad("--mount needs target=") end;

# NAME=SOFT[:HARD]
def rlimit:
	. as $text
	| (capture("^(?<type>[A-Za-z_]+)=(?<soft>-?[0-9]+)(:(?<hard>-?[0-9]+))?$")
	   // bad("--ulimit is NAME=SOFT[:HARD], not \($text)"))
	| {type: .type, soft: (.soft | tonumber),
	   hard: (.hard // .soft | tonumber)};

# PATH[:INSIDE[:rwm]]
def device:
	split(":")
	| {path: .[0]}
	  + if .[1] then {container_path: .[1]} else {} end
	  + if .[2] then {permissions: .[2]} else {} end;

def security($value):
	if $value == "no-new-privileges" or $value == "no-new-privileges=true"
	    or $value == "no-new-privileges:true" then
		.allow_new_privileges = false
	elif $value == "no-new-privileges=false"
	    or $value == "no-new-privileges:false" then
		.allow_new_privileges = true
	elif $value == "seccomp=unconfined" or $value == "seccomp=default"
	then .seccomp = $value[8:]
	elif $value | startswith("seccomp=") then
		.seccomp = ($value[8:] | try fromjson
			catch bad("--security-opt: the seccomp profile is no file of JSON"))
	else bad("--security-opt: Skiff knows no \($value)") end;

def log_option($value):
	($value | pair) as $pair
	| if $pair["max-size"] then
		.stdio.log.max_size = ($pair["max-size"] | size("max-size"))
	  elif $pair["max-file"] then
		.stdio.log.max_files = ($pair["max-file"] | number("max-file"))
	  else bad("--log-opt is max-size=SIZE or max-file=N, not \($value)")
	  end;

def resource($key; value): .resources[$key] = value;

# docker's quota is of periods of 100 ms, unless they are said.
def quota:
	if .quota == null and .period == null then .
	elif .quota == null then bad("--cpu-period needs --cpu-quota")
	else (.quota / (.period // 100000)) as $cpus
		| del(.quota, .period) | .resources.cpus = $cpus
	end;

def wish($option; $value):
	if $option == "--argument" then .args += [$value]
	elif $option == "--name" then .id = $value
	elif $option == "--image" then .image = $value
	elif $option == "--platform" then .platform = $value
	elif $option == "--tty" then .terminal = ($value == "1")
	elif $option == "--interactive" then .stdio.stdin = ($value == "1")
	elif $option == "--env" then .env += ($value | env_entry)
	elif $option == "--workdir" then .cwd = $value
	elif $option == "--user" then .user = $value
	elif $option == "--hostname" then .hostname = $value
	elif $option == "--entrypoint" then
		.entrypoint = if $value == "" then [] else [$value] end
	elif $option == "--volume" then .mounts += [$value | volume]
	elif $option == "--mount" then .mounts += [$value | mount]
	elif $option == "--tmpfs" then .mounts += [$value | tmpfs
		| .options |= map(select(. != ""))]
	elif $option == "--shm-size" then
		.mounts += [{type: "tmpfs", target: "/dev/shm", options:
			["nosuid", "nodev", "noexec", "mode=1777",
			 "size=\($value | size($option))"]}]
	elif $option == "--device" then .devices += [$value | device]
	elif $option == "--group-add" then .group_add += [$value]
	elif $option == "--init" then .init = ($value == "1")
	elif $option | IN("--pid", "--ipc", "--uts") then
		.[$option[2:]] = $value
	elif $option == "--userns" then
		if $value | IN("auto", "host") then .userns = $value
		else bad("--userns is auto or host, not \($value)") end
	elif $option == "--cgroupns" then
		if $value == "private" then . else
			bad("--cgroupns is private: a container sees its own cgroups alone")
		end
	elif $option == "--network" then
		if $value | IN("none", "host") then .network = $value
		else bad("--network is none or host: there are no others yet, not even \($value)")
		end
	elif $option == "--dns" then .dns.servers += [$value]
	elif $option == "--dns-search" then .dns.search += [$value]
	elif $option == "--dns-option" then .dns.options += [$value]
	elif $option == "--memory" then
		resource("memory"; $value | size($option))
	elif $option == "--memory-swap" then
		resource("memory_swap"; $value | size_or_minus_one($option))
	elif $option == "--cpus" then resource("cpus"; $value | number($option))
	elif $option == "--cpu-shares" then
		resource("cpu_shares"; $value | number($option))
	elif $option == "--cpu-quota" then
		.quota = ($value | number($option))
	elif $option == "--cpu-period" then
		.period = ($value | number($option))
	elif $option == "--memory-reservation" then
		resource("memory_reservation"; $value | size($option))
	elif $option == "--memory-swappiness" then
		# docker's -1 is what it is without the option.
		if $value == "-1" then . else
			resource("memory_swappiness"; $value | number($option))
		end
	elif $option == "--oom-kill-disable" then
		resource("oom_kill_disable"; $value == "1")
	elif $option == "--cpuset-cpus" then resource("cpuset_cpus"; $value)
	elif $option == "--cpuset-mems" then resource("cpuset_mems"; $value)
	elif $option == "--pids-limit" then
		resource("pids"; $value | number($option))
	elif $option == "--blkio-weight" then
		resource("blkio_weight"; $value | number($option))
	elif $option == "--ulimit" then .rlimits += [$value | rlimit]
	elif $option == "--sysctl" then .sysctls += ($value | pair)
	elif $option == "--oom-score-adj" then
		.oom_score_adj = ($value | number($option))
	elif $option == "--read-only" then .read_only = ($value == "1")
	elif $option == "--privileged" then .privileged = ($value == "1")
	elif $option == "--cap-add" then .capabilities.add += [$value]
	elif $option == "--cap-drop" then .capabilities.drop += [$value]
	elif $option == "--security-opt" then security($value)
	elif $option == "--restart" then .restart_policy = $value
	elif $option == "--stop-signal" then .stop_signal = $value
	elif $option == "--stop-timeout" then
		.stop_timeout = ($value | number($option))
	elif $option == "--no-healthcheck" then
		.health |= if $value == "1" then false else . end
	elif $option == "--health-cmd" then
		.health.args = ["/bin/sh", "-c", $value]
	elif $option == "--health-retries" then
		.health.retries = ($value | number($option))
	elif $option | startswith("--health-") then
		.health[$option[9:] | gsub("-"; "_")] = $value
	elif $option == "--label" then .labels += ($value | pair)
	elif $option == "--annotation" then .annotations += ($value | pair)
	elif $option == "--log-opt" then log_option($value)
	elif $option == "--log-driver" then
		if $value == "none" then .stdio.mode = "null"
		elif $value == "log" or $value == "json-file" or $value == "local"
		then .
		else bad("--log-driver is log or none, not \($value)") end
	elif $option == "--runtime" then .runtime.name = $value
	elif $option == "--snapshotter" then .snapshotter = $value
	else bad("unknown option \($option)") end;

$ARGS.positional as $pairs
| reduce range(0; $pairs | length; 2) as $i
  ({}; wish($pairs[$i]; $pairs[$i + 1]))
| quota
