#!/usr/bin/env bash
# More Docker Engines on this machine, for tests that restart an engine, kill it or fill its disk.
#   second-engine.sh up [--tmpfs SIZE] [--live-restore]   starts it; also again after stop and kill
#   second-engine.sh stop | restart                       as an administrator does it: SIGTERM, containers are stopped
#   second-engine.sh kill                                 dockerd dies by SIGKILL; its containers go on
#   second-engine.sh load IMAGE...                        images of the machine's own engine
#   second-engine.sh exec -- COMMAND...                   a command in its network, with DOCKER_HOST
#   second-engine.sh status | socket | down               down: all of it goes, also what was started by exec
# --name NAME (first) chooses one of several. Each has its own dockerd, containerd, network namespace, addresses,
# firewall, and disk (a tmpfs of SIZE where given). Its containers can be reached from inside its network only.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

name=second
if [[ ${1:-} = --name ]]; then
  name=${2:?a name}
  shift 2
fi
[[ $name =~ ^[a-z][a-z0-9]{0,8}$ ]] || fail "a name is up to 9 small letters and digits: $name"
HOME_DIR=$LAB_STATE/engines/$name
NUMBERS=$LAB_STATE/engine-numbers
RUN_DIR=/run/windlass-lab/$name # short, for the sockets
SOCKET=$RUN_DIR/docker.sock
NETNS=lab-$name
VETH=lab-$name
MOST=20

# ---- network --------------------------------------------------------------------------------------------------------

number() { # the engine's number, from which its addresses follow; making the folder claims it
  local n
  if [[ ! -s $HOME_DIR/number ]]; then
    for ((n = 1; n <= MOST; n++)); do
      ! mkdir "$NUMBERS/$n" 2>/dev/null || break
    done
    ((n <= MOST)) || fail "more than $MOST engines"
    echo "$n" >"$HOME_DIR/number"
  fi
  cat "$HOME_DIR/number"
}

way_out() { # way_out add|remove: the firewall rules by which its containers reach what this machine reaches
  local link=10.201.$(number).0/30 chain=FORWARD rule
  ! iptables -w -n -L DOCKER-USER >/dev/null 2>&1 || chain=DOCKER-USER
  while read -r -a rule; do
    if [[ $1 = remove ]]; then
      while iptables -w -t "${rule[0]}" -D "${rule[@]:1}" 2>/dev/null; do :; done
    elif ! iptables -w -t "${rule[0]}" -C "${rule[@]:1}" 2>/dev/null; then
      iptables -w -t "${rule[0]}" -I "${rule[@]:1}"
    fi
  done <<RULES
filter $chain -i $VETH -j ACCEPT
filter $chain -o $VETH -j ACCEPT
nat POSTROUTING -s $link ! -o $VETH -j MASQUERADE
RULES
}

make_network() {
  local link=10.201.$(number)
  if [[ ! -e /run/netns/$NETNS ]]; then
    ip netns add "$NETNS"
    ip link add "$VETH" type veth peer name eth0 netns "$NETNS"
    ip addr add "$link.1/30" dev "$VETH"
    ip link set "$VETH" up
    ip -n "$NETNS" link set lo up
    ip -n "$NETNS" addr add "$link.2/30" dev eth0
    ip -n "$NETNS" link set eth0 up
    ip -n "$NETNS" route add default via "$link.1"
  fi
  sysctl -qw net.ipv4.ip_forward=1
  way_out add
}

# ---- processes ------------------------------------------------------------------------------------------------------

running() { # running dockerd|containerd: the one of this engine
  local pid
  pid=$(cat "$RUN_DIR/$1.pid" 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) = "$1" ]] && ! dead "$pid"
}

dead() { [[ ! -e /proc/$1/stat || $(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) = [ZX] ]]; }

answers() { docker --host "unix://$SOCKET" version >/dev/null 2>&1; }

configure() {
  local n
  n=$(number)
  cat >"$RUN_DIR/containerd.toml" <<TOML
version = 2
root = "$HOME_DIR/disk/containerd"
state = "$RUN_DIR/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$RUN_DIR/containerd.sock"
TOML
  cat >"$RUN_DIR/daemon.json" <<JSON
{
  "hosts": ["unix://$SOCKET"],
  "containerd": "$RUN_DIR/containerd.sock",
  "data-root": "$HOME_DIR/disk/docker",
  "exec-root": "$RUN_DIR/docker",
  "pidfile": "$RUN_DIR/dockerd.pid",
  "bip": "10.202.$n.1/24",
  "default-address-pools": [{"base": "10.$((210 + n)).0.0/16", "size": 24}],
  "cgroup-parent": "/$NETNS",
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "live-restore": $([[ -e $HOME_DIR/live-restore ]] && echo true || echo false)
}
JSON
}

start() {
  # Not by a function: $! must be the program itself.
  local enter=(nsenter --net="/run/netns/$NETNS")
  if ! running containerd; then
    "${enter[@]}" setsid nohup containerd --config "$RUN_DIR/containerd.toml" \
      >>"$HOME_DIR/containerd.log" 2>&1 </dev/null {lab_lock}>&- &
    echo $! >"$RUN_DIR/containerd.pid"
    eventually 20 ctr --address "$RUN_DIR/containerd.sock" version || fail "$name: containerd does not answer"
  fi
  if ! running dockerd; then
    rm -f "$RUN_DIR/dockerd.pid"
    "${enter[@]}" setsid nohup dockerd --config-file "$RUN_DIR/daemon.json" \
      >>"$HOME_DIR/dockerd.log" 2>&1 </dev/null {lab_lock}>&- &
  fi
  eventually 60 answers || {
    tail -n 20 "$HOME_DIR/dockerd.log" >&2
    fail "$name: dockerd does not answer"
  }
}

end_dockerd() { # end_dockerd SIGNAL
  local pid
  running dockerd || return 0
  pid=$(cat "$RUN_DIR/dockerd.pid")
  kill -s "$1" "$pid"
  eventually 60 dead "$pid" || fail "$name: dockerd does not end"
}

kill_everything() { # all in the engine's network, and the containers, which have networks of their own
  local inside pid
  [[ -e /run/netns/$NETNS ]] || return 0
  while inside=$(ip netns pids "$NETNS") && [[ -n $inside ]]; do
    # First whoever would start others again.
    for pid in $inside; do ! [[ $(cat "/proc/$pid/comm" 2>/dev/null) =~ ^(dockerd|containerd)$ ]] || kill -KILL "$pid" 2>/dev/null || true; done
    for pid in $inside; do pkill -KILL --parent "$pid" || true; done
    for pid in $inside; do kill -KILL "$pid" 2>/dev/null || true; done
    sleep 0.05
  done
}

no_groups() { # removes the control groups; fails while a process of theirs is still ending
  local group
  for group in /sys/fs/cgroup/{,*/}"$NETNS"; do
    [[ ! -d $group ]] || find "$group" -depth -type d -exec rmdir {} +
  done
}

# ---- commands -------------------------------------------------------------------------------------------------------

up() {
  local size=
  while (($#)); do
    case $1 in
      --tmpfs) size=${2:?a size, say 400m}; shift 2 ;;
      --live-restore) mkdir -p "$HOME_DIR"; touch "$HOME_DIR/live-restore"; shift ;;
      *) fail "up knows --tmpfs SIZE and --live-restore" ;;
    esac
  done
  packages dockerd:docker.io iptables:iptables ip:iproute2 nsenter:util-linux pkill:procps
  mkdir -p "$HOME_DIR/disk" "$RUN_DIR" "$NUMBERS"
  make_network
  if [[ -n $size ]] && ! mountpoint -q "$HOME_DIR/disk"; then
    mount -t tmpfs -o "size=$size" "$NETNS" "$HOME_DIR/disk"
  fi
  configure
  start
}

down() {
  local mounted
  [[ -e $HOME_DIR/number ]] || return 0
  kill_everything
  while read -r mounted; do umount --lazy "$mounted"; done < <(
    awk -v home="$HOME_DIR/" -v run="$RUN_DIR/" 'index($2, home) == 1 || index($2, run) == 1 { print $2 }' /proc/mounts | sort -r)
  way_out remove
  ip netns del "$NETNS" 2>/dev/null || true
  ip link del "$VETH" 2>/dev/null || true
  eventually 5 no_groups || log "$name: control groups stay behind"
  rm -rf "$RUN_DIR" "${NUMBERS:?}/$(number)"
  rm -rf "$HOME_DIR"
}

load() {
  local image wanted=()
  for image in "$@"; do
    [[ $(docker --host "unix://$SOCKET" image inspect --format '{{.Id}}' "$image" 2>/dev/null) = \
      $(docker image inspect --format '{{.Id}}' "$image") ]] || wanted+=("$image")
  done
  [[ ${#wanted[@]} -eq 0 ]] || docker save "${wanted[@]}" | docker --host "unix://$SOCKET" load --quiet
}

status() {
  local part
  for part in dockerd containerd; do
    printf '%s\t%s\n' "$part" "$(running $part && cat "$RUN_DIR/$part.pid" || echo down)"
  done
  printf 'socket\t%s\ndisk\t%s\n' "$SOCKET" "$(df --output=size,avail,fstype -h "$HOME_DIR/disk" 2>/dev/null | tail -n 1)"
  running dockerd
}

case ${1:-} in
  up | down | stop | kill | restart) one_at_a_time "engine-$name" ;;
esac
case ${1:-} in
  up | down | load | status) "$@" ;;
  stop) end_dockerd TERM ;;
  kill) end_dockerd KILL ;;
  restart) end_dockerd TERM && start ;;
  socket) echo "$SOCKET" ;;
  exec)
    shift
    [[ ${1:-} != -- ]] || shift
    exec nsenter --net="/run/netns/$NETNS" env DOCKER_HOST="unix://$SOCKET" "$@"
    ;;
  *)
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 64
    ;;
esac
