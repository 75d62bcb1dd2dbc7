# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
#
# To be sourced. apt with lists, status and cache of its own: the host's apt configuration and architectures stay as
# they are, and no root is needed. The host's mirror and its Acquire settings (proxies, retries) are taken over.

# need_space DIR MEBIBYTES: says so and fails where a folder's file system has less room (apt itself can hang then).
need_space() {
    local free
    free=$(df --output=avail -m "$1" | tail -n 1 | tr -d ' ')
    [ "$free" -ge "$2" ] && return 0
    echo "${0##*/}: $1 is on a file system with $free MiB free, and $2 MiB are needed" >&2
    return 1
}

# private_apt_configure DIR deb|deb-src ARCHITECTURE: makes APT_CONFIG for the apt-get and apt-cache calls that follow.
private_apt_configure() {
    local dir=$1 kind=$2 architecture=$3 keyring=/usr/share/keyrings/debian-archive-keyring.gpg option=
    mkdir -p "$dir/lists/partial" "$dir/archives/partial"
    [ "$kind" = deb ] && option="arch=$architecture "
    [ -e "$keyring" ] && option="${option}signed-by=$keyring"
    # shellcheck disable=SC2016 # the dollars are for apt
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>"$dir/targets.log" |
        awk -v start="$kind [$option]" '$2 ~ /^bookworm/ && $3 == "main" && !seen[$0]++ { print start, $0 }' \
            >"$dir/sources.list" || true
    if [ ! -s "$dir/sources.list" ]; then
        echo "${0##*/}: this host's apt sources name no Debian 12 (bookworm) mirror$(apt_reason "$dir/targets.log")" >&2
        return 2
    fi
    [ "$kind" = deb ] && : >"$dir/status"
    {
        apt-config dump | grep '^Acquire' || true
        echo "Dir::Etc::sourcelist \"$dir/sources.list\"; Dir::Etc::sourceparts \"/dev/null\";"
        echo "Dir::Etc::parts \"/dev/null\"; Dir::Etc::main \"/dev/null\"; Dir::Cache \"$dir\";"
        echo "Dir::State::lists \"$dir/lists\"; Dir::State::extended_states \"$dir/extended_states\";"
        echo "Dir::Cache::srcpkgcache \"\"; Dir::Cache::pkgcache \"\"; APT::Sandbox::User \"\";"
        echo "Acquire::Languages \"none\"; Acquire::Retries \"3\";"
        [ "$kind" = deb ] && echo "Dir::State::status \"$dir/status\"; APT::Architecture \"$architecture\";" \
            "APT::Architectures { \"$architecture\"; };"
        true
    } >"$dir/apt.conf"
    export APT_CONFIG="$dir/apt.conf"
}

# quiet_apt LOG COMMAND...: what apt says goes to the end of a file: the line that we end with is to be the only one.
quiet_apt() {
    local log=$1
    shift
    "$@" >>"$log" 2>&1
}

# apt_reason LOG: the first thing that it complained of, to be put after a message; nothing when there is none.
apt_reason() { sed -n 's/^[WE]: \(.*[^ ]\) *$/: \1/p' "$1" 2>/dev/null | sed 's/  */ /g' | head -n 1; }

# private_apt_update LOG: with the configuration in force. One index in mid-sync on a mirror must not stop us; what follows says whether enough is there.
private_apt_update() { quiet_apt "$1" apt-get update -qq || true; }
