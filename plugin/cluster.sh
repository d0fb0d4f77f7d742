# shellcheck shell=sh
# shellcheck disable=SC2154 # the caller sets root, data, run, log, db_port, passfile, bin_postgres, store_user
#
# The quickstart's private PostgreSQL: a cluster in $data on 127.0.0.1:$db_port, with no
# socket anywhere else. Sourced by plugin/quickstart.sh.

random_word()
{
    od -An -N 18 -tx1 /dev/urandom | tr -d ' \n'
}

# A password for each of the two roles, in a file that libpq reads and only the store's user
# and root can: nothing secret is on a command line or in DIR/env.
make_cluster()
{
    [ ! -s "$data/PG_VERSION" ] || return 0
    rm -rf "$data"
    install -d -m 0700 -o "$store_user" -g "$store_group" "$data"
    (
        umask 077
        printf '127.0.0.1:*:*:postgres:%s\n127.0.0.1:*:*:relais:%s\n' \
            "$(random_word)" "$(random_word)" >"$passfile"
        sed -n 's/.*:postgres://p' "$passfile" >"$run/password"
    )
    own "$passfile" "$run/password"
    as_store "$bin_postgres/initdb" -D "$data" -U postgres --pwfile="$run/password" \
        -A scram-sha-256 -E UTF8 --locale=C.UTF-8 >"$log/initdb.log" 2>&1 || {
        rm -f "$run/password" "$data/PG_VERSION"
        die "PostgreSQL's initdb failed." "Mend that, then run this again." "$log/initdb.log"
    }
    rm -f "$run/password"
    echo "include = 'relais.conf'" >>"$data/postgresql.conf"
}

# sql DATABASE ROLE [PSQL-ARGUMENT...]
sql()
{
    database=$1 role=$2
    shift 2
    psql -X -q -v ON_ERROR_STOP=1 \
        -d "host=127.0.0.1 port=$db_port dbname=$database user=$role passfile=$passfile" "$@"
}

start_postgres()
{
    say "Starting PostgreSQL on 127.0.0.1:$db_port"
    make_cluster
    cat >"$data/relais.conf" <<END
listen_addresses = '127.0.0.1'
port = $db_port
unix_socket_directories = ''
client_min_messages = warning
END
    own "$data/relais.conf"
    : >>"$log/postgres.log"
    own "$log/postgres.log"
    # pg_ctl puts the server into a session of its own: a Ctrl-C here does not reach it.
    as_store "$bin_postgres/pg_ctl" -D "$data" -l "$log/postgres.log" -w -t 60 start \
        >"$log/pg_ctl.log" 2>&1 </dev/null ||
        die "PostgreSQL did not start." "Mend that, then run this again." "$log/postgres.log"
    remember postgres "$(head -n 1 "$data/postmaster.pid")"
}

prepare_database()
{
    {
        if [ -z "$(sql postgres postgres -At -c "SELECT 1 FROM pg_roles WHERE rolname = 'relais'")" ]; then
            # The password goes by standard input: a command line can be read by everybody.
            printf "CREATE ROLE relais LOGIN PASSWORD '%s';\n" \
                "$(sed -n 's/.*:relais://p' "$passfile")" | sql postgres postgres
        fi
        if [ -z "$(sql postgres postgres -At -c "SELECT 1 FROM pg_database WHERE datname = 'relais'")" ]; then
            sql postgres postgres -c 'CREATE DATABASE relais OWNER relais'
        fi
        # The schema grants to roles, which its owner may not create.
        sql postgres postgres -f "$root/transforms/roles.sql"
        sql relais postgres -f "$root/transforms/logging.sql"
    } >"$log/database.log" 2>&1 ||
        die "the database could not be made." "Mend that, then run this again." "$log/database.log"
}
