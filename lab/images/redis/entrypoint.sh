#!/bin/sh
# The contract of the official image: bare options or a .conf mean redis-server, which does not run as root
# and, without a configuration file, takes clients from other hosts.
set -eu
case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
  case "${2:-}" in
    *.conf) ;;
    *) case " $* " in *" --protected-mode "*) ;; *) set -- "$@" --protected-mode no ;; esac ;;
  esac
  if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis:redis '{}' +
    exec setpriv --reuid redis --regid redis --clear-groups -- "$@"
  fi
fi
exec "$@"
