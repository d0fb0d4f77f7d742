#!/bin/sh
# Relais, whole, on this machine, for trying it out: builds it, starts a private PostgreSQL
# and a private nginx on loopback, publishes the national forms, sends sample submissions as
# ODK Collect would and shows the rows that arrived.
#
# Guarantees: everything it writes is below DIR (and Debian packages, when some are missing);
# the checkout is not touched; the machine's own nginx and PostgreSQL are not touched; a
# second run on the same DIR keeps its data; whatever it started, it stops.
set -eu

usage()
{
    cat <<'END'
usage: sh plugin/quickstart.sh [--dir DIR] [--port N] [--detach]
       sh plugin/quickstart.sh --stop --dir DIR

  --dir DIR   put everything there; a second run takes up what is there
              (default: a new temporary directory)
  --port N    port of the web server on 127.0.0.1 (default: 8080, or the next free one)
  --detach    return once all runs, and leave it running
  --stop      end what runs in DIR; its data stay
  --help      this text

Without --detach it runs until Ctrl-C, then stops everything.
DIR/env names what was started, for scripts: RELAIS_URL, RELAIS_DB, RELAIS_SPOOL,
RELAIS_CONF, RELAIS_BIN. RELAIS_BUILD in the environment names a CMake build directory to
use instead of DIR/build.
END
}

root=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=plugin/packages.sh
. "$root/plugin/packages.sh"
# shellcheck source=plugin/processes.sh
. "$root/plugin/processes.sh"
# shellcheck source=plugin/cluster.sh
. "$root/plugin/cluster.sh"
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8
umask 022
# The caller's own PostgreSQL settings must not lead the commands below elsewhere.
unset PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGPASSFILE PGSERVICE PGOPTIONS PGDATA

DEFAULT_PORT=8080
# A submission on a slow line may take minutes; a refused one is read to its end as long, so
# that the phone sees the answer and not a broken connection.
BODY_LIMIT=100m
LINGER=300s

action=start dir='' port='' detach=no

say()
{
    printf '%s\n' "$@"
}

# die WHAT WHAT-TO-DO [LOG]: ends the run; what was started is stopped by the exit trap.
die()
{
    {
        echo "quickstart: $1"
        if [ -n "${3:-}" ] && [ -s "$3" ]; then
            tail -n 12 "$3" | sed 's/^/    /'
            echo "The log is $3"
        fi
        echo "$2"
    } >&2
    exit 1
}

misused()
{
    echo "quickstart: $1" >&2
    usage >&2
    exit 2
}

parse_arguments()
{
    while [ $# -gt 0 ]; do
        case $1 in
        --dir | --port)
            [ $# -ge 2 ] || misused "$1 needs a value."
            if [ "$1" = --dir ]; then dir=$2; else port=$2; fi
            shift
            ;;
        --dir=*) dir=${1#*=} ;;
        --port=*) port=${1#*=} ;;
        --detach) detach=yes ;;
        --stop) action=stop ;;
        --help | -h)
            usage
            exit 0
            ;;
        *) misused "unknown argument: $1" ;;
        esac
        shift
    done
    case $port in
    *[!0-9]* | ??????*) misused "--port needs a number, not \"$port\"." ;;
    esac
    if [ "$action" = stop ] && [ -z "$dir" ]; then
        misused "--stop needs the --dir DIR of what is to be stopped."
    fi
}

# ---- users: PostgreSQL refuses root, and the web server may not read what it received ----

choose_users()
{
    if [ "$(id -u)" -eq 0 ]; then
        store_user=postgres web_user=www-data web_group=www-data
    else
        store_user=$(id -un) web_user=$store_user web_group=$(id -gn)
    fi
}

as_store()
{
    # shellcheck disable=SC2046 # words
    $(user_prefix "$store_user" "$store_group") "$@"
}

own()
{
    [ "$(id -u)" -ne 0 ] || chown "$store_user:$store_group" "$@"
}

# ---- the directory ------------------------------------------------------------------------

# Where PostgreSQL's or the web server's user cannot enter DIR (below a private home, say),
# their files go to a directory that they can enter, and DIR/state leads there.
find_state()
{
    if [ -d "$dir/state" ]; then
        state=$(cd "$dir/state" && pwd -P)
    else
        state=$dir
    fi
    run=$state/run log=$state/log
}

prepare_directory()
{
    if [ -z "$dir" ]; then
        dir=$(mktemp -d "${TMPDIR:-/tmp}/relais-XXXXXX")
    fi
    mkdir -p -- "$dir" || die "cannot make the directory $dir." "Choose another with --dir."
    dir=$(cd "$dir" && pwd -P)
    case $dir in
    *[!A-Za-z0-9/._+@:=~-]*)
        die "the path $dir has characters that configuration files would misread." \
            "Choose a --dir with letters, digits and . _ - only."
        ;;
    esac
    find_state
    mkdir -p "$run" "$log"
}

# Once the packages are there, and with them the users.
settle_directory()
{
    store_group=$(id -gn "$store_user")
    as_store test -x "$dir" || chmod go+x "$dir"
    if [ "$state" = "$dir" ] && ! as_store test -x "$dir"; then
        state=$(mktemp -d /tmp/relais-XXXXXX)
        ln -s "$state" "$dir/state"
        find_state
        mkdir -p "$run" "$log"
        chmod 0711 "$state"
        say "User $store_user may not enter $dir: the servers' files are in $state."
    fi
    cd "$state"
    data=$state/postgres forms=$state/forms mappings=$state/transforms spool=$state/spool
    conf=$state/relais.conf passfile=$state/pgpass
}

# ---- start and stop ----------------------------------------------------------------------

# The web server first: what it has answered with 201 is on disk for the next start.
# A quick stop of nginx (TERM) closes connections in hand; those phones send again.
stop_all()
{
    stopped=
    stop_process nginx TERM
    stop_process forward TERM
    stop_process postgres INT
}

on_exit()
{
    status=$?
    trap - EXIT HUP INT TERM
    if [ "$keep_running" = no ] && [ -d "$run" ]; then
        stop_all
        [ -z "$stopped" ] || say "Stopped:$stopped. The data are in $dir."
    fi
    exit "$status"
}

# The port asked for, else that of the last run, else the next free one. PostgreSQL's is
# drawn at random: it must still be free when the server is started again after a stop.
choose_ports()
{
    http_port='' db_port=''
    if [ -s "$state/ports" ]; then
        read -r http_port db_port <"$state/ports"
    fi
    if [ -n "$port" ]; then
        port_is_free "$port" || die "port $port is taken by another program." \
            "Choose another --port, or leave it out to get a free one."
        http_port=$port
    else
        http_port=$(free_port "${http_port:-$DEFAULT_PORT}")
    fi
    db_port=$(free_port "${db_port:-$((20000 + $(od -An -N 2 -tu2 /dev/urandom) % 10000))}")
    echo "$http_port $db_port" >"$state/ports"
}

# ---- the steps ----------------------------------------------------------------------------

install_packages()
{
    # shellcheck disable=SC2086 # lists of words
    relais_install_packages "$log/apt.log" $RELAIS_BUILD_PACKAGES $RELAIS_RUN_PACKAGES ||
        die "not all packages are installed." "Mend that, then run this again."
    bin_postgres=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$bin_postgres" ] || die "PostgreSQL's initdb is not below /usr/lib/postgresql." \
        "Install the package postgresql-15."
    bin_postgres=${bin_postgres%/initdb}
}

build()
{
    build=${RELAIS_BUILD:-$state/build}
    say "Building (log: $log/build.log)"
    {
        [ -f "$build/CMakeCache.txt" ] ||
            cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DRELAIS_TESTS=OFF
        cmake --build "$build"
    } >"$log/build.log" 2>&1 || die "the build failed." "Mend what the compiler says, or report it." "$log/build.log"
    module=$(find "$build" -name ngx_http_relais_module.so | head -n 1)
    relais=$build/bin/relais
    { [ -n "$module" ] && [ -x "$relais" ]; } ||
        die "the build made no nginx module or no command in $build." "Report this." "$log/build.log"
}

# publish FROM TO: copies what is new or newer, each file whole at once by a rename, so that
# a server that is watching never sees half of one. Files edited in TO stay as they are until
# the checkout has a newer one. A list that several forms share is a link in FROM, a file in TO.
publish()
{
    from=$1 to=$2
    mkdir -p "$to"
    (cd "$from" && find . -type d) | while read -r folder; do
        mkdir -p "$to/$folder"
    done
    (cd "$from" && find -L . -type f ! -name '*.md' ! -path './samples/*') | while read -r file; do
        if [ ! -e "$to/$file" ] || [ -n "$(find -L "$from/$file" -newer "$to/$file")" ]; then
            cp -p "$from/$file" "$to/$file.new"
            chmod 0644 "$to/$file.new"
            mv "$to/$file.new" "$to/$file"
        fi
    done
    find "$to" -type d -exec chmod 0755 {} +
}

# The secret of the keyed pseudonyms, and a certificate to seal identities to. On a real server
# the private key is not there at all; here it is the caller's, and the forwarder cannot read it.
make_keys()
{
    secret=$state/keys.secret certificate=$state/seal.pem private=$dir/seal.key
    if [ ! -e "$secret" ]; then
        (umask 027 && openssl rand -hex 32 >"$secret.new") || die "openssl made no secret." "Report this."
        own "$secret.new"
        mv "$secret.new" "$secret"
    fi
    if [ ! -e "$certificate" ]; then
        (umask 077 && openssl req -x509 -newkey rsa:3072 -noenc -keyout "$private" -out "$certificate.new" \
            -days 3650 -subj "/CN=Relais demonstration") >"$log/keys.log" 2>&1 ||
            die "openssl made no certificate." "Report this." "$log/keys.log"
        chmod 0644 "$certificate.new"
        mv "$certificate.new" "$certificate"
    fi
}

write_configuration()
{
    conninfo="host=127.0.0.1 port=$db_port dbname=relais user=relais passfile=$passfile"
    cat >"$conf.new" <<END
[spool]
directory = $spool
[store]
conninfo = $conninfo
[mappings]
directory = $mappings
[forms]
directory = $forms
[keys]
secret = $secret
version = 1
[seal]
certificate = $certificate
END
    mv "$conf.new" "$conf"
    chmod 0640 "$conf"
    own "$conf"
}

apply_schema()
{
    say "Loading the national schema (log: $log/schema.log)"
    "$relais" --config "$conf" plan >"$state/plan.sql" 2>"$log/schema.log" ||
        die "relais plan failed." "Mend that, then run this again." "$log/schema.log"
    sql relais relais -o /dev/null -f "$state/plan.sql" >>"$log/schema.log" 2>&1 ||
        die "the SQL that relais plan wrote to $state/plan.sql failed." "Report this." "$log/schema.log"
}

# The forwarder makes the spool's directories, as its own user: the web server's group may make
# files there and rename them, but not list. On a file system where only a synced directory
# makes a rename durable, the web server must be able to open it, and so to list.
start_forwarder()
{
    say "Starting relais forward (log: $log/forward.log)"
    if [ "$(id -u)" -eq 0 ]; then
        install -d -m 2710 -o "$store_user" -g "$web_group" "$spool"
    fi
    start_process forward "$store_user" "$web_group" "$relais" --config "$conf" forward
    wait_for 20 test -d "$spool/quarantine" || {
        is_running forward || die "relais forward ended." "Mend that, then run this again." "$log/forward.log"
        die "relais forward made no spool in $spool." "Look into the log." "$log/forward.log"
    }
    case $(stat -f -c %T "$spool") in
    ext2/ext3 | xfs | btrfs | tmpfs) ;;
    *) chmod g+r "$spool"/0?/new ;;
    esac
}

write_nginx_configuration()
{
    mkdir -p "$state/nginx"
    user_line=
    [ "$(id -u)" -ne 0 ] || user_line="user $web_user $web_group;"
    cat >"$state/nginx/nginx.conf" <<END
load_module $module;
$user_line
daemon off;
pid $state/nginx/nginx.pid;
error_log $log/nginx.log warn;
worker_processes auto;
worker_rlimit_nofile 8192;
thread_pool default threads=32 max_queue=65536;
events {
    worker_connections 4096;
}
http {
    # Paths may carry tokens and queries carry device numbers: no access log.
    access_log off;
    server_tokens off;
    client_body_temp_path $state/nginx/body;
    proxy_temp_path $state/nginx/proxy;
    fastcgi_temp_path $state/nginx/fastcgi;
    uwsgi_temp_path $state/nginx/uwsgi;
    scgi_temp_path $state/nginx/scgi;

    client_max_body_size $BODY_LIMIT;
    client_body_buffer_size 1m;
    lingering_time $LINGER;
    lingering_timeout 30s;
    aio threads;

    server {
        listen 127.0.0.1:$http_port;
        location /openrosa/ {
            relais serve;
            relais_spool $spool;
            relais_forms $forms;
        }
    }
}
END
}

start_nginx()
{
    say "Starting nginx on 127.0.0.1:$http_port (log: $log/nginx.log)"
    write_nginx_configuration
    nginx -t -q -e "$log/nginx.log" -c "$state/nginx/nginx.conf" 2>"$log/nginx-t.log" ||
        die "nginx refuses its configuration." "Report this." "$log/nginx-t.log"
    start_process nginx root root nginx -e "$log/nginx.log" -c "$state/nginx/nginx.conf"
}

# as_collect ARGUMENT... URL: a request with the headers of ODK Collect.
as_collect()
{
    curl -sS --noproxy '*' --max-time 60 -H 'X-OpenRosa-Version: 1.0' -H 'Accept-Encoding: gzip' \
        -H 'User-Agent: org.odk.collect.android/v2026.3.3 Dalvik/2.1.0 (relais quickstart)' "$@"
}

lists_forms()
{
    is_running nginx || return 0
    as_collect "$url/formList?deviceID=$device" 2>/dev/null | grep -q '<formID>'
}

wait_for_servers()
{
    url=http://127.0.0.1:$http_port/openrosa
    device=collect%3Aquickstart000000
    # A form counts as written after two quiet seconds.
    wait_for 20 lists_forms ||
        die "no form is listed at $url/formList." "Look into the log." "$log/nginx.log"
    is_running nginx || die "nginx ended." "Mend that, then run this again." "$log/nginx.log"
    is_running forward || die "relais forward ended." "Mend that, then run this again." "$log/forward.log"
}

write_environment()
{
    cat >"$dir/env.new" <<END
RELAIS_URL='$url'
RELAIS_DB='$conninfo'
RELAIS_SPOOL='$spool'
RELAIS_CONF='$conf'
RELAIS_BIN='$build/bin'
export RELAIS_URL RELAIS_DB RELAIS_SPOOL RELAIS_CONF RELAIS_BIN
END
    mv "$dir/env.new" "$dir/env"
}

# Collect asks first (HEAD), then posts XML and files as one multipart body. The files of
# samples/NAME.xml are those in samples/NAME-media.
send_sample()
{
    sample=$1
    answer=$(as_collect -o /dev/null -w '%{http_code}' --head "$url/submission?deviceID=$device" 2>&1) || true
    [ "$answer" = 204 ] || die "HEAD submission was answered with $answer, not 204." "Look into the log." "$log/nginx.log"

    set -- -F "xml_submission_file=@$sample;type=text/xml"
    for file in "${sample%.xml}-media"/*; do
        [ ! -f "$file" ] || set -- "$@" -F "${file##*/}=@$file"
    done
    answer=$(as_collect -o "$run/answer" -w '%{http_code}' "$@" "$url/submission?deviceID=$device" 2>&1) || true
    [ "$answer" = 201 ] || die "$(basename "$sample") was answered with $answer, not 201." \
        "Look into the log." "$run/answer"
    rm -f "$run/answer"
}

send_samples()
{
    say "Sending the sample submissions of xforms/samples"
    instances='' sent=0
    for sample in "$root"/xforms/samples/*.xml; do
        [ -f "$sample" ] || die "there are no samples in xforms/samples." "Report this."
        send_sample "$sample"
        instances="$instances $(grep -o 'instanceID>[^<]*' "$sample" | head -n 1 | cut -d '>' -f 2)"
        sent=$((sent + 1))
    done
}

spool_is_empty()
{
    [ -z "$(find "$spool" -path '*/new/*' | head -n 1)" ]
}

# How many of the samples have their rows, or are a version that a later one replaced.
count_arrived()
{
    printf '%s\n' "SELECT count(DISTINCT instance_id) FROM relais.submission
        WHERE instance_id = ANY (string_to_array(:'instances', ' ')) AND state IN ('delivered', 'partial', 'superseded');" |
        sql relais relais -At -v instances="$instances"
}

# A parcel leaves the spool when its rows are committed, or for the quarantine.
wait_for_rows()
{
    wait_for 120 spool_is_empty ||
        die "the samples are still in the spool after 120 s." "Look into the log." "$log/forward.log"
    arrived=$(count_arrived)
    [ "$arrived" -eq "$sent" ] ||
        die "only $arrived of $sent samples became rows." \
            "See why: $relais --config $conf quarantine list" "$log/forward.log"
}

# What a newcomer wants to see: each recording as a row, without anything about the person.
show_rows()
{
    say '' "The rows that arrived:"
    sql relais relais -P pager=off -f - <<'END'
SELECT left(i.identification_id::text, 8) AS "identification", i.event_date AS "date", i.place_code AS "place",
       i.detection, i.consent_basis AS "consent",
       (SELECT count(*) FROM tip.identification_item x WHERE x.identification_id = i.identification_id) AS "items",
       (SELECT count(*) FROM tip.exploitation x WHERE x.identification_id = i.identification_id) AS "forms of exploitation",
       (SELECT count(*) FROM tip.route_leg x WHERE x.identification_id = i.identification_id) AS "legs of the route"
  FROM tip.identification i ORDER BY i.event_date, i.identification_id LIMIT 20;
SELECT state, count(*) AS "submissions", sum(octet_length(xml)) AS "bytes kept, sealed" FROM relais.submission GROUP BY state;
END
}

show_address()
{
    say "Collect's server address: $url"
    "$relais" --config "$conf" device sheet --url "$url" 2>>"$log/device.log" ||
        say "(no QR code: see $log/device.log)"
    cat <<END
It listens on this machine only. An emulator or a phone on USB reaches it after
    adb reverse tcp:$http_port tcp:$http_port

For scripts:  . $dir/env
Rows:         psql "\$RELAIS_DB"
State:        \$RELAIS_BIN/relais status
Quarantine:   \$RELAIS_BIN/relais quarantine list
Private key:  $private   (show and replay of the quarantine: --key)
Logs:         $log
Stop:         sh $root/plugin/quickstart.sh --stop --dir $dir
END
}

# Until Ctrl-C, or until a server ends by itself.
watch()
{
    say '' "Running. Ctrl-C stops everything."
    while is_running nginx && is_running forward && is_running postgres; do
        sleep 1
    done
    die "one of the servers ended." "Look into the logs in $log."
}

start()
{
    keep_running=no
    prepare_directory
    trap on_exit EXIT
    trap 'say; exit 0' HUP INT TERM
    say "Relais in $dir"
    install_packages
    settle_directory
    stop_all
    choose_ports
    build
    publish "$root/xforms" "$forms"
    publish "$root/transforms" "$mappings"
    start_postgres
    prepare_database
    make_keys
    write_configuration
    apply_schema
    start_forwarder
    start_nginx
    wait_for_servers
    write_environment
    send_samples
    wait_for_rows
    show_rows
    show_address
    if [ "$detach" = yes ]; then
        keep_running=yes
        exit 0
    fi
    watch
}

stop()
{
    [ -d "$dir" ] || die "there is no directory $dir." "Name the --dir that quickstart was started with."
    dir=$(cd "$dir" && pwd -P)
    find_state
    stop_all
    if [ -n "$stopped" ]; then
        say "Stopped:$stopped. The data are in $dir; run quickstart with --dir $dir to go on."
    else
        say "Nothing was running in $dir."
    fi
}

parse_arguments "$@"
choose_users
"$action"
