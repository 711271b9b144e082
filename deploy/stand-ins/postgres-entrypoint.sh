#!/bin/bash
# Behaves like docker-entrypoint.sh of the official image, as far as this repository needs it: changes from root to the user
# postgres, initializes an empty PGDATA with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, and runs the server.
set -euo pipefail

[[ ${1:-} != -* ]] || set -- postgres "$@"
[[ ${1:-} == postgres ]] || exec "$@"

if [[ $(id --user) == 0 ]]; then
  install --directory --owner=postgres --group=postgres --mode=0700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

mkdir --parents --mode=0700 "$PGDATA"
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
  initdb --pgdata="$PGDATA" --username="$user" --auth-local=trust --auth-host=scram-sha-256 --no-instructions \
    --pwfile=<(echo "${POSTGRES_PASSWORD:?Database is uninitialized and superuser password is not specified.}") \
    --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  printf "listen_addresses = '*'\nunix_socket_directories = '/var/run/postgresql'\n" >>"$PGDATA/postgresql.conf"
  # Without a TCP address, so that clients cannot connect to the server while it is being set up.
  pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait start
  [[ $database == postgres ]] || createdb --host=/var/run/postgresql --username="$user" "$database"
  pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
fi
exec "$@"
