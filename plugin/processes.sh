# shellcheck shell=sh
# shellcheck disable=SC2154 # the caller sets run and log
#
# Background processes of a script: started in sessions of their own, remembered in
# $run/NAME.pid with their output in $log/NAME.log, and stopped by name.
# Sourced by plugin/quickstart.sh.

STOP_SECONDS=30

# started_at PID: when the process started, in the kernel's ticks; nothing when it has ended.
started_at()
{
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
}

# remember NAME PID: with the moment of its start, because a number that the kernel has given
# to another process since is not ours to signal.
remember()
{
    echo "$2 $(started_at "$2")" >"$run/$1.pid"
}

# is_running NAME: true, with $pid set, when the process of that name is alive.
is_running()
{
    [ -s "$run/$1.pid" ] || return 1
    read -r pid since <"$run/$1.pid"
    [ -n "$since" ] && [ "$(started_at "$pid")" = "$since" ]
}

# user_prefix USER GROUP: the words that run a command as USER when this is root. setpriv
# replaces itself by the command, so that $! is the command's own pid.
user_prefix()
{
    if [ "$(id -u)" -eq 0 ] && [ "$1" != root ]; then
        echo "setpriv --reuid=$1 --regid=$2 --clear-groups"
    fi
}

# start_process NAME USER GROUP COMMAND...: setsid keeps a Ctrl-C in the terminal from it.
start_process()
{
    name=$1
    prefix=$(user_prefix "$2" "$3")
    shift 3
    # shellcheck disable=SC2086 # words
    setsid $prefix "$@" >>"$log/$name.log" 2>&1 </dev/null &
    remember "$name" $!
}

# stop_process NAME SIGNAL: asks, waits, insists. Adds the name to $stopped.
stop_process()
{
    if is_running "$1"; then
        kill "-$2" "$pid" 2>/dev/null || true
        wait_for "$STOP_SECONDS" is_gone "$1" || {
            echo "$1 did not end within $STOP_SECONDS s and is killed; see $log/$1.log" >&2
            kill -KILL "$pid" 2>/dev/null || true
        }
        stopped="$stopped $1"
    fi
    rm -f "$run/$1.pid"
}

is_gone()
{
    ! is_running "$1"
}

# wait_for SECONDS COMMAND...: until it succeeds; 1 when it has not by then.
wait_for()
{
    tries=$(($1 * 5))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.2
    done
}

port_is_free()
{
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$(printf ':%04X' "$1")" '
            $4 == "0A" && substr($2, length($2) - 4) == port { used = 1 }
            END { exit used }'
}

# free_port FIRST: the first port from there on that nobody listens on.
free_port()
{
    candidate=$1
    until port_is_free "$candidate"; do
        candidate=$((candidate + 1))
    done
    echo "$candidate"
}
