#!/usr/bin/env bash
# A private registry with a password on localhost:25500, which Docker trusts without TLS because it is loopback.
#   registry.sh up      user lab, password lab-password
#   registry.sh down    it goes, with all that was pushed
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
PORT=${WINDLASS_LAB_REGISTRY_PORT:-25500}
CONTAINER=windlass-lab-registry-$PORT
SECRETS=$LAB_STATE/registry-$PORT

asks_for_password() { [[ $(curl --silent --output /dev/null --write-out '%{http_code}' "http://localhost:$PORT/v2/") = 401 ]]; }

up() {
  ! asks_for_password || return 0
  packages curl:curl htpasswd:apache2-utils
  "$(dirname "${BASH_SOURCE[0]}")/images.sh" registry
  down
  mkdir -p "$SECRETS"
  htpasswd -B -b -c "$SECRETS/htpasswd" lab lab-password 2>/dev/null # the registry takes no other kind than bcrypt
  docker run --detach --name "$CONTAINER" --publish "127.0.0.1:$PORT:5000" \
    --volume "$CONTAINER:/var/lib/registry" --volume "$SECRETS:/auth:ro" \
    --env REGISTRY_AUTH=htpasswd --env REGISTRY_AUTH_HTPASSWD_REALM=lab --env REGISTRY_AUTH_HTPASSWD_PATH=/auth/htpasswd \
    registry:2 >/dev/null
  eventually 20 asks_for_password || fail "the registry does not answer"
}

down() {
  docker rm --force "$CONTAINER" >/dev/null 2>&1 || true
  docker volume rm --force "$CONTAINER" >/dev/null
  rm -rf "$SECRETS"
}

case ${1:-} in
  up | down)
    one_at_a_time registry
    "$1"
    ;;
  *) fail "up or down" ;;
esac
