# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Debian packages of a suite without the machine's own lists and state:
# nothing of the machine changes, and it knows nothing of what it has.
#
#   . tests/apt_private.sh
#   apt_private_open DIR SUITE || die "$apt_private_error"
#   apt_private DIR apt-get --download-only install criu
#
# What apt says goes to DIR/out; packages lie in DIR/cache/archives.

# The mirror that this machine itself uses.
apt_private_mirror()
{
	# shellcheck disable=SC2016 # apt's variables
	uri=$(apt-get indextargets --format '$(REPO_URI) $(LABEL)' \
	    'Created-By: Packages' 2>/dev/null |
	    awk '$2 == "Debian" { print $1; exit }')
	echo "${uri:-http://deb.debian.org/debian}"
}

# apt_private_open DIR SUITE: makes DIR anew, and gets the suite's lists.
apt_private_open()
{
	rm -rf "${1:?}"
	mkdir -p "$1/state" "$1/lists/partial" "$1/cache/archives/partial" \
	    "$1/log"
	: >"$1/status"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	echo "deb [signed-by=$keyring] $(apt_private_mirror) $2 main" \
	    >"$1/sources.list"
	apt_private "$1" apt-get update >>"$1/out"
}

# apt_private DIR PROGRAM ARGUMENTS...: apt-get or apt-cache.
apt_private()
{
	apt_private_dir=$1
	apt_private_program=$2
	shift 2
	DEBIAN_FRONTEND=noninteractive "$apt_private_program" -q \
	    -o Dir::Etc::SourceList="$apt_private_dir/sources.list" \
	    -o Dir::Etc::SourceParts=/dev/null \
	    -o Dir::Etc::Preferences=/dev/null \
	    -o Dir::Etc::PreferencesParts=/dev/null \
	    -o Dir::State="$apt_private_dir/state" \
	    -o Dir::State::Lists="$apt_private_dir/lists" \
	    -o Dir::State::Status="$apt_private_dir/status" \
	    -o Dir::Cache="$apt_private_dir/cache" \
	    -o Dir::Log="$apt_private_dir/log" \
	    -o APT::Sandbox::User=root \
	    -o APT::Get::Assume-Yes=true \
	    -o APT::Keep-Downloaded-Packages=true \
	    -o Acquire::Languages=none \
	    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
	    -o Acquire::Retries=2 \
	    -o Acquire::http::Timeout=30 \
	    "$@" </dev/null 2>>"$apt_private_dir/out"
}
