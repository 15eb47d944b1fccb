# Sourced by scripts/test and by tests that need a server of their own: database servers in a folder and on a free port
# of loopback, started by hand and stopped by whoever started them. By hand:
#   . scripts/services.sh; folder=$(mktemp -d); export TURBO_TEST_POSTGRES=$(start_postgres "$folder")

# The folder of PostgreSQL's programs, which Debian keeps off the PATH; the newest where there are several.
postgres_bin() {
  local bin newest=
  for bin in /usr/lib/postgresql/*/bin; do
    [ -x "$bin/initdb" ] && newest=$bin
  done
  if [ -z "$newest" ] && bin=$(command -v initdb); then newest=$(dirname "$(readlink -f "$bin")"); fi
  [ -n "$newest" ] && printf '%s\n' "$newest"
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && runuser -u postgres -- "$@")
  else
    "$@"
  fi
}

# Makes a server's folder, with one user, postgres, who needs no password from loopback. What was
# committed outlives the death of the process, as on any server; that of the machine is no matter here.
make_postgres() { # FOLDER
  local folder=$1 bin
  bin=$(postgres_bin) || { echo 'PostgreSQL is not installed' >&2; return 1; }
  mkdir -p "$folder"
  chmod 755 "$folder"
  if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; fi
  as_postgres "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$folder/initdb.log" 2>&1 ||
    { cat "$folder/initdb.log" >&2; return 1; }
  cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
fsync = off
CONF
}

# Starts the server of a folder, at the port it had before or else a free one, and prints its URL.
run_postgres() { # FOLDER
  local folder=$1 bin port attempt
  bin=$(postgres_bin) || return 1
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    if [ -f "$folder/port" ]; then port=$(cat "$folder/port"); else port=$((20000 + RANDOM % 12000)); fi
    if as_postgres "$bin/pg_ctl" -D "$folder/data" -l "$folder/data/server.log" -o "-p $port" -w -t 60 start >"$folder/start.log" 2>&1; then
      printf '%s\n' "$port" >"$folder/port"
      printf 'postgres://postgres@127.0.0.1:%s/postgres?sslmode=disable\n' "$port"
      return
    fi
    # Taken by another program, most likely: another port then, unless clients know this one.
    [ -f "$folder/port" ] && sleep 0.2
  done
  cat "$folder/start.log" "$folder/data/server.log" >&2
  return 1
}

start_postgres() { # FOLDER
  make_postgres "$1" && run_postgres "$1"
}

# immediate is a crash: no client is told, nothing is flushed.
stop_postgres() { # FOLDER [smart|fast|immediate]
  local bin
  bin=$(postgres_bin) || return 0
  [ -f "$1/data/postmaster.pid" ] || return 0
  as_postgres "$bin/pg_ctl" -D "$1/data" -m "${2:-fast}" -w stop >/dev/null
}

# Has the running server ask for passwords, and offer TLS with server.crt and server.key of its folder.
secure_postgres() { # FOLDER
  local folder=$1 bin
  bin=$(postgres_bin) || return 1
  if [ "$(id -u)" = 0 ]; then chown postgres "$folder/server.crt" "$folder/server.key"; fi
  chmod 600 "$folder/server.key"
  printf "ssl = on\nssl_cert_file = '%s'\nssl_key_file = '%s'\n" "$folder/server.crt" "$folder/server.key" >>"$folder/data/postgresql.conf"
  printf 'host all all 127.0.0.1/32 scram-sha-256\n' >"$folder/data/pg_hba.conf"
  as_postgres "$bin/pg_ctl" -D "$folder/data" -l "$folder/data/server.log" -o "-p $(cat "$folder/port")" -m fast -w restart >/dev/null
}
