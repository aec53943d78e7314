# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Options that docker(1) has and Skiff has not, each with the reason: who
# comes from there shall not look for a slip of the finger.

# refuse_option OPTION: ends the client if it is one of them.
refuse_option()
{
	case $1 in
	-p | --publish | -P | --publish-all | --expose)
		why="there are no networks with ports yet; with --network host the ports are the host's"
		;;
	--ip | --ip6 | --link | --link-local-ip | --mac-address | \
	    --network-alias | --net-alias | --add-host)
		why="there are no networks yet but none and host"
		;;
	--volumes-from | --volume-driver)
		why="there are no volumes yet; -v and --mount take paths of the host"
		;;
	-a | --attach)
		why="run shows all output, and takes input with -i; with -d it does neither"
		;;
	--cgroup-parent | --device-cgroup-rule)
		why="cgroups are the daemon's to arrange"
		;;
	--gpus) why="there is --device for single ones" ;;
	--storage-opt) why="a container's files have no limit of their own yet" ;;
	--blkio-weight-device | --device-read-bps | --device-read-iops | \
	    --device-write-bps | --device-write-iops | --cpu-rt-period | \
	    --cpu-rt-runtime | --kernel-memory)
		why="there is no such limit"
		;;
	--domainname) why="give the whole name with --hostname" ;;
	--cpu-count | --cpu-percent | --io-maxbandwidth | --io-maxiops | \
	    --isolation)
		why="it belongs to Windows"
		;;
	--use-api-socket) why="the API's socket is given to no container" ;;
	*) return 0 ;;
	esac
	usage_error "$1: $why"
}
