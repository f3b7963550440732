#!/usr/bin/env bash
# Images under their upstream names: pulled where a registry answers, otherwise built here from Debian and Python packages.
#   images.sh              the set that the demo and the tests need
#   images.sh NAME...      base python nginx postgres postgres15 redis node registry s3 moto (and what they stand on)
#   images.sh list         what each image built here truly is
# A name that already stands for an image that was not built here is left as it is.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
RECIPES=$(cd "$(dirname "${BASH_SOURCE[0]}")/images" && pwd)
LABEL=windlass-lab # no label under "windlass.": those belong to the product
STANDARD=(base python nginx postgres redis)
PULL_SECONDS=${WINDLASS_LAB_PULL_SECONDS:-20}

# The first name is the one that is pulled; the others come by themselves where there is a registry.
declare -A NAMES=(
  [base]="debian:bookworm-slim debian:12-slim debian:bookworm debian:12 busybox:latest alpine:latest alpine:3"
  [python]="python:3.11-slim python:3.11 python:3-slim python:3 python:3.11-alpine python:3-alpine python:3.11-slim-bookworm
    python:3.11-bookworm python:3.12-slim python:3.12 python:3.12-alpine python:3.13-slim python:3.10-slim python:slim"
  [nginx]="nginx:alpine nginx:latest nginx:1-alpine nginx:1 nginx:stable-alpine nginx:stable nginx:mainline-alpine nginx:1.27-alpine
    nginx:1.25-alpine"
  [postgres]="postgres:16-alpine postgres:16 postgres:16-bookworm postgres:latest postgres:alpine"
  [postgres15]="postgres:15-alpine postgres:15"
  [redis]="redis:7-alpine redis:7 redis:alpine redis:latest redis:7.0-alpine redis:7.2-alpine"
  [node]="node:20-slim node:20 node:20-alpine node:20-bookworm-slim node:lts-slim"
  [registry]="registry:2"
  [s3]="minio/minio:latest rclone/rclone:latest"
  [moto]="motoserver/moto:latest"
)
# What an image is built upon, beside its own recipe. A later wave needs an earlier one.
declare -A PARENTS=([python]=base [nginx]=base [redis]=base [postgres15]=base [registry]=base
  [postgres]="base python" [node]="base python" [s3]="nginx python" [moto]="base python")
WAVES=("base" "python nginx redis postgres15 registry" "postgres node s3 moto")

image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }
image_label() { docker image inspect --format "{{with .Config.Labels}}{{index . \"$LABEL.$2\"}}{{end}}" "$1" 2>/dev/null || true; }

# ---- pull -----------------------------------------------------------------------------------------------------------

registry_answers() { # asked once for each run, and only when something is missing
  if [[ -z ${REGISTRY_ANSWER:-} ]]; then
    REGISTRY_ANSWER=no
    ! timeout "$PULL_SECONDS" docker pull --quiet busybox:latest >/dev/null 2>&1 || REGISTRY_ANSWER=yes
    log "an image registry answers: $REGISTRY_ANSWER"
  fi
  [[ $REGISTRY_ANSWER = yes ]]
}

pulled() { # pulled NAME: its first name is there, and not from here
  local name=${NAMES[$1]%%[[:space:]]*}
  if [[ -n $(image_id "$name") ]]; then
    [[ -z $(image_label "$name" image) ]]
  else
    registry_answers && timeout 600 docker pull --quiet "$name" >/dev/null
  fi
}

# ---- build ----------------------------------------------------------------------------------------------------------

debian_sources() { # one-line sources of Debian 12 as this machine uses them; empty where it is another system
  apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' 'Origin: Debian' |
    sort --unique | grep ' bookworm' || true
}

recipe_of() { # a digest of all that decides what the image will be
  local parent
  {
    if [[ $1 = base ]]; then
      declare -f build_base
      cat /usr/local/share/ca-certificates/*.crt 2>/dev/null || true
    else
      [[ $1 != python ]] || declare -f pip_settings
      [[ $1 != postgres15 ]] || cat "$RECIPES/postgres/entrypoint.sh"
      find "$RECIPES/$1" -type f -print0 | sort --zero-terminated | xargs --null cat
      for parent in ${PARENTS[$1]}; do image_id "$LAB_PREFIX/$parent"; done
    fi
  } | sha256sum | cut -c 1-16
}

build_base() { # build_base RECIPE
  local sources folder options=()
  packages mmdebstrap:mmdebstrap
  sources=$(debian_sources)
  [[ -n $sources ]] || { apt-get -qq update && sources=$(debian_sources); }
  for folder in man locale doc info; do options+=(--dpkgopt="path-exclude=/usr/share/$folder/*"); done
  options+=(--dpkgopt='path-include=/usr/share/doc/*/copyright'
    --aptopt='Apt::Install-Recommends "0"' --aptopt='Acquire::Languages "none"')
  # A machine behind a proxy has certificates of its own: without them nothing in a container could reach the outside.
  # No service may start when its package is installed. busybox stands in for what the alpine tags would bring.
  # shellcheck disable=SC2016
  options+=(--customize-hook='cp -t "$1/usr/local/share/ca-certificates" /usr/local/share/ca-certificates/*.crt 2>/dev/null &&
      chroot "$1" update-ca-certificates >/dev/null 2>&1 || true'
    --customize-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d" && chmod +x "$1/usr/sbin/policy-rc.d"'
    --customize-hook='for tool in wget nc ping; do ln -s busybox "$1/usr/bin/$tool"; done'
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/apt "$1"/etc/resolv.conf "$1"/etc/hostname')
  if [[ -n $sources ]]; then
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,netbase,busybox "${options[@]}" bookworm - - <<<"$sources"
  else
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,netbase,busybox "${options[@]}" bookworm -
  fi | docker import --change 'CMD ["bash"]' --change "LABEL $LABEL.image=base $LABEL.recipe=$1 $LABEL.version=12" \
    --change "LABEL $LABEL.truth=\"Debian 12 minbase with ca-certificates, netbase, busybox\"" - "$LAB_PREFIX/base" >/dev/null
}

package_lists() { # an image whose only use is to lend its package lists to builds; renewed when it is a day old
  local today
  today=$(date +%F)
  [[ $(image_label "$LAB_PREFIX/apt" recipe) != "$today $(image_id "$LAB_PREFIX/base")" ]] || return 0
  docker_cli build --quiet --tag "$LAB_PREFIX/apt" --label "$LABEL.recipe=$today $(image_id "$LAB_PREFIX/base")" \
    --build-arg "DAY=$today" "$RECIPES/apt" >/dev/null
}

pip_settings() { # what this machine's pip needs to reach its index; folders of this machine mean nothing in a container
  local key name value
  echo '[global]'
  echo 'cert = /etc/ssl/certs/ca-certificates.crt'
  echo 'root-user-action = ignore'
  echo 'disable-pip-version-check = true'
  for key in index-url extra-index-url trusted-host proxy; do
    name=PIP_${key^^}
    name=${name//-/_}
    value=${!name:-$(python3 -m pip config get "global.$key" 2>/dev/null || true)}
    [[ -z $value || $value = *file:* || $value = /* ]] || printf '%s = %s\n' "$key" "${value//$'\n'/ }"
  done
}

build_image() { # build_image NAME RECIPE
  local context proxy arguments=()
  context=$(mktemp -d)
  cp -r "$RECIPES/$1/." "$context"
  [[ $1 != python ]] || pip_settings >"$context/pip.conf"
  [[ $1 != postgres15 ]] || cp "$RECIPES/postgres/entrypoint.sh" "$context"
  for proxy in http_proxy https_proxy no_proxy; do
    [[ -z ${!proxy:-} ]] || arguments+=(--build-arg "$proxy=${!proxy}")
  done
  docker_cli build --progress plain --tag "$LAB_PREFIX/$1" --label "$LABEL.image=$1" --label "$LABEL.recipe=$2" \
    "${arguments[@]}" "$context" >"$LAB_STATE/build-$1.log" 2>&1 || {
    tail -n 25 "$LAB_STATE/build-$1.log" >&2
    fail "could not build $1"
  }
  rm -rf "$context"
}

ensure_built() { # ensure_built NAME
  local recipe started=$SECONDS
  recipe=$(recipe_of "$1")
  [[ $(image_label "$LAB_PREFIX/$1" recipe) != "$recipe" ]] || return 0
  if [[ $1 = base ]]; then build_base "$recipe"; else build_image "$1" "$recipe"; fi
  log "built $1 in $((SECONDS - started)) s"
}

build_all() { # build_all NAME...: wave after wave, the images of one wave side by side
  local wave name job jobs
  for wave in "${WAVES[@]}"; do
    jobs=()
    for name in $wave; do
      [[ " $* " != *" $name "* ]] || { ensure_built "$name" & jobs+=($!); }
    done
    for job in "${jobs[@]}"; do wait "$job"; done
    [[ $wave != base || $# -eq 1 ]] || needs_nothing "$@" || package_lists
  done
}

needs_nothing() { # all of them are there, by their recipes
  local name
  for name in "$@"; do
    [[ $(image_label "$LAB_PREFIX/$name" recipe) = $(recipe_of "$name") ]] || return 1
  done
}

give_names() { # give_names NAME...
  local name alias id present
  present=$(docker image ls --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}')
  for name in "$@"; do
    id=$(image_id "$LAB_PREFIX/$name")
    for alias in ${NAMES[$name]}; do
      [[ $'\n'$present$'\n' != *$'\n'"$alias $id"$'\n'* ]] || continue
      if [[ $'\n'$present != *$'\n'"$alias "* || -n $(image_label "$alias" image) ]]; then
        docker tag "$LAB_PREFIX/$name" "$alias"
      else
        log "left $alias alone: it was not built here"
      fi
    done
  done
}

# ---- main -----------------------------------------------------------------------------------------------------------

list() {
  local name
  for name in base python nginx postgres postgres15 redis node registry s3 moto; do
    [[ -z $(image_id "$LAB_PREFIX/$name") ]] ||
      printf '%-11s %-8s %s\n' "$name" "$(image_label "$LAB_PREFIX/$name" version)" "$(image_label "$LAB_PREFIX/$name" truth)"
  done
}

main() {
  local name parent wanted=() build=()
  [[ ${1:-} != list ]] || { list; return; }
  wanted=("$@")
  (($#)) || wanted=("${STANDARD[@]}")
  for name in "${wanted[@]}"; do
    [[ -n ${NAMES[$name]:-} ]] || fail "no image called $name; there are: ${!NAMES[*]}"
  done
  one_at_a_time images
  for name in "${wanted[@]}"; do
    pulled "$name" || build+=("$name")
  done
  [[ ${#build[@]} -gt 0 ]] || return 0
  wanted=("${build[@]}")
  for name in "${wanted[@]}"; do
    for parent in ${PARENTS[$name]:-}; do build+=("$parent" ${PARENTS[$parent]:-}); done
  done
  build_all "${build[@]}"
  give_names "${wanted[@]}"
}
main "$@"
