# shellcheck shell=bash
# Sourced by the scripts beside it: state folder, messages, packages, waiting.
# (No script of the lab ever stops or reconfigures an engine it did not start.)
set -euo pipefail
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
LAB_STATE=${WINDLASS_LAB_STATE:-/var/lib/windlass-lab}
LAB_PREFIX=windlass-lab

log() { printf 'lab: %s\n' "$*" >&2; }
fail() {
  log "$*"
  exit 1
}

(( EUID == 0 )) || fail "${0##*/} installs packages and starts an engine: run it as root"
mkdir -p "$LAB_STATE"

# Debian's own client has BuildKit inside; another one earlier on PATH may lack it.
docker_cli() {
  local cli=docker
  [[ ! -x /usr/bin/docker ]] || cli=/usr/bin/docker
  DOCKER_BUILDKIT=1 "$cli" "$@"
}

# packages COMMAND:PACKAGE... installs each package whose command is missing.
packages() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || [[ " ${missing[*]} " = *" ${pair##*:} "* ]] || missing+=("${pair##*:}")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  log "installing ${missing[*]}"
  apt-get -qq -o DPkg::Lock::Timeout=300 update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
    install --yes --no-install-recommends "${missing[@]}" >/dev/null 2>"$LAB_STATE/apt.log" ||
    { cat "$LAB_STATE/apt.log" >&2; fail "apt could not install ${missing[*]}"; }
}

# eventually SECONDS COMMAND... repeats the command until it succeeds or the time is up.
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  while ! "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# one_at_a_time NAME serialises this script against other runs of itself until it exits.
one_at_a_time() {
  exec {lab_lock}>"$LAB_STATE/$1.lock"
  flock "$lab_lock"
}
