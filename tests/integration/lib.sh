# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For tests in shell, those of the client above all. See skifftest.py for
# the Python side; images, registry and clean-up are the same programs.
#
#	. "$(dirname "$0")/lib.sh"
#	needs root runc
#	start_skiffd
#	start_registry
#	ref=$(push_image busybox t/busybox:1)
#	ok "the image is pulled" skiff pull "$ref"
#	is "it says so" "$(skiff images ls)" "…"
#	finish

set -u
# shellcheck disable=SC2034 # some are for the tests alone
{
	here=$(cd "$(dirname "$0")" && pwd)
	SKIFF_SRC=${SKIFF_SRC:-$(cd "$here/../.." && pwd)}
	SKIFF_BUILD=${SKIFF_BUILD:-$SKIFF_SRC}
	python=/usr/bin/python3
	n_tests=0
	n_failed=0
	registry_pid=
	skiffd_pid=
}

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 0
}

# needs THING...: root, or programs in PATH.
needs()
{
	[ -x "$SKIFF_BUILD/skiffd" ] || skip_all "no skiffd in $SKIFF_BUILD"
	for thing in "$@"; do
		if [ "$thing" = root ]; then
			[ "$(id -u)" = 0 ] || skip_all "needs root"
		else
			command -v "$thing" >/dev/null || skip_all "needs $thing"
		fi
	done
}

scratch=$(mktemp -d /tmp/skt.XXXXXX)
export SKIFF_TEST_SCRATCH="$scratch"
root=$scratch/root
state=$scratch/state
socket=$scratch/sock

clean_up()
{
	trap - EXIT INT TERM
	[ -z "$skiffd_pid" ] || kill "$skiffd_pid" 2>/dev/null
	[ -z "$skiffd_pid" ] || wait "$skiffd_pid" 2>/dev/null
	$python "$here/lib_picture.py" wipe "$root" "$state"
	[ -z "$registry_pid" ] || kill -9 "$registry_pid" 2>/dev/null
	rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# until_true SECONDS COMMAND...: polls until the command succeeds.
until_true()
{
	end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# start_skiffd [ARGUMENT...]: on $root, $state and $socket.
start_skiffd()
{
	"$SKIFF_BUILD/skiffd" --root "$root" --state "$state" \
	    --listen "unix:$socket" "$@" >>"$scratch/skiffd.log" 2>&1 &
	skiffd_pid=$!
	export SKIFF_HOST="unix://$socket"
	until_true 30 curl -sf --unix-socket "$socket" http://localhost/readyz ||
	    {
		sed 's/^/# /' "$scratch/skiffd.log"
		echo "Bail out! skiffd does not become ready"
		exit 1
	}
}

stop_skiffd()
{
	kill "$skiffd_pid" && wait "$skiffd_pid"
	skiffd_pid=
}

# api METHOD PATH [CURL-ARGUMENT...]
api()
{
	method=$1
	path=$2
	shift 2
	curl -s -X "$method" --unix-socket "$socket" "$@" \
	    "http://localhost$path"
}

skiff()
{
	"$SKIFF_SRC/client/skiff" "$@"
}

# start_registry: sets $registry to its host:port.
start_registry()
{
	# shellcheck disable=SC2046 # two numbers
	set -- $($python "$here/lib_registry.py" "$scratch/registry")
	[ $# = 2 ] || {
		echo "Bail out! no registry"
		exit 1
	}
	registry=127.0.0.1:$1
	registry_pid=$2
}

# push_image KIND NAME: KIND as in lib_images.py; prints the reference.
push_image()
{
	layout=$($python "$here/lib_images.py" "$1")
	skopeo copy --quiet --all --preserve-digests --dest-tls-verify=false \
	    "oci:$layout:latest" "docker://$registry/$2" >&2 &&
	    echo "$registry/$2"
}

verdict()
{
	n_tests=$((n_tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n_tests - $2"
	else
		n_failed=$((n_failed + 1))
		[ -z "${3-}" ] || printf '%s\n' "$3" | sed 's/^/# /'
		echo "not ok $n_tests - $2"
	fi
}

# ok TEXT COMMAND...: passes when the command succeeds.
ok()
{
	text=$1
	shift
	output=$("$@" 2>&1)
	verdict $? "$text" "$output"
}

# is TEXT ACTUAL EXPECTED
is()
{
	[ "$2" = "$3" ]
	verdict $? "$1" "got:      $2
expected: $3"
}

# like TEXT ACTUAL EXTENDED-REGULAR-EXPRESSION
like()
{
	printf '%s\n' "$2" | grep -qE -e "$3"
	verdict $? "$1" "got:      $2
expected: $3"
}

unlike()
{
	! printf '%s\n' "$2" | grep -qE -e "$3"
	verdict $? "$1" "got:      $2
without:  $3"
}

finish()
{
	echo "1..$n_tests"
	[ "$n_failed" = 0 ] || sed 's/^/# /' "$scratch/skiffd.log" | tail -n 40
	[ "$n_failed" = 0 ]
	exit
}
