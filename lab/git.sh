#!/usr/bin/env bash
# What the tests of Git sources need: sshd (unpacked, never installed as a service) and git-lfs.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
UNPACKED=$LAB_STATE/openssh

unpack_sshd() {
  local work
  work=$(mktemp -d)
  log "unpacking sshd to $UNPACKED"
  apt-get -qq -o DPkg::Lock::Timeout=300 update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
    install --yes --no-install-recommends libwrap0 openssh-client >/dev/null
  # apt's own user may not write into a folder of ours; as root it may.
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download openssh-server)
  dpkg -x "$work"/openssh-server_*.deb "$UNPACKED"
  rm -rf "$work"
}

one_at_a_time git
packages git:git git-lfs:git-lfs ssh:openssh-client
command -v sshd >/dev/null 2>&1 || [[ -x $UNPACKED/usr/sbin/sshd ]] || unpack_sshd
