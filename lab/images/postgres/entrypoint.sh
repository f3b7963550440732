#!/usr/bin/env bash
# The contract of the official image: POSTGRES_USER, _PASSWORD, _DB, _INITDB_ARGS (each also with _FILE),
# POSTGRES_HOST_AUTH_METHOD, PGDATA, /docker-entrypoint-initdb.d; nothing listens on TCP before all of that is done.
set -Eeuo pipefail

# from_file NAME [DEFAULT]: the variable, or the contents of the file that NAME_FILE names.
from_file() {
  local file=${1}_FILE
  if [[ -n ${!1:-} && -n ${!file:-} ]]; then
    echo >&2 "error: both $1 and $file are set (but are exclusive)"
    exit 1
  fi
  if [[ -n ${!file:-} ]]; then
    export "$1=$(<"${!file}")"
  else
    export "$1=${!1:-${2:-}}"
  fi
  unset "$file"
}

refuse_without_password() {
  [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]] || return 0
  cat >&2 <<'MESSAGE'
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser.
MESSAGE
  exit 1
}

create_cluster() {
  local -a options=()
  read -ra options <<<"$POSTGRES_INITDB_ARGS"
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${options[@]}"
  printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
}

run_sql() { psql --set ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" "$@"; }

run_init_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh)
        # shellcheck disable=SC1090
        if [[ -x $file ]]; then "$file"; else source "$file"; fi
        ;;
      *.sql) run_sql --dbname "$POSTGRES_DB" --file "$file" ;;
      *.sql.gz) gunzip --stdout "$file" | run_sql --dbname "$POSTGRES_DB" ;;
      *.sql.xz) xz --decompress --stdout "$file" | run_sql --dbname "$POSTGRES_DB" ;;
    esac
  done
}

prepare_database() {
  from_file POSTGRES_PASSWORD
  from_file POSTGRES_USER postgres
  from_file POSTGRES_DB "$POSTGRES_USER"
  from_file POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=scram-sha-256}"
  refuse_without_password
  create_cluster
  PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  export PGPASSWORD PGHOST=${LAB_SOCKETS%%,*}
  pg_ctl --pgdata "$PGDATA" --wait --options "-c listen_addresses='' -c unix_socket_directories='$LAB_SOCKETS'" start
  [[ $POSTGRES_DB = postgres ]] || run_sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
  run_init_files
  pg_ctl --pgdata "$PGDATA" --mode fast --wait stop
  unset PGPASSWORD PGHOST
  echo
  echo 'PostgreSQL init process complete; ready for start up.'
  echo
}

[[ ${1:-} != -* ]] || set -- postgres "$@"
[[ ${1:-} = postgres ]] || exec "$@"
if [[ $(id -u) = 0 ]]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 0700 "$PGDATA"
  find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres:postgres '{}' +
  exec setpriv --reuid postgres --regid postgres --init-groups -- "$0" "$@"
fi
[[ -s $PGDATA/PG_VERSION ]] || prepare_database
exec "$1" -c "listen_addresses=*" -c "unix_socket_directories=$LAB_SOCKETS" "${@:2}"
