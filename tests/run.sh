#!/bin/sh
# Everything that Relais's tests can say about this checkout: installs what is missing,
# builds with warnings as errors, runs every family and prints one line per result.
#
# The last line is "N passed, N failed" over single tests, and the exit code says the same.
# Nothing is written into the checkout, and whatever a test started is stopped at the end.
set -eu

usage()
{
    cat <<'END'
usage: sh tests/run.sh [--quick | --long] [--only FAMILY]... [--fuzz SECONDS] [--dir DIR]

  --quick         what a developer runs before a commit: no fuzzers, no clang-tidy, no
                  crash tests
  --long          fuzzers for 5 minutes each, more kills, more submissions, clang's analyzer
  --only FAMILY   build unit fuzz checks e2e crash, or one program of the last two: e2e/test_path
                  (may be repeated)
  --fuzz SECONDS  time for each fuzzer (default 6)
  --dir DIR       build and log there and keep it, so that the next run builds less
                  (default: a temporary directory, removed at the end)
  --help          this text

tests/README.md says what each family proves. After unit and e2e tests the share of each folder's lines
that they ran is printed: with --only unit, that of the unit tests.
END
}

root=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=plugin/packages.sh
. "$root/plugin/packages.sh"
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
umask 022

lanes='' families='' mode=normal fuzz_seconds='' dir='' keep=no
cores=$(nproc)

parse_arguments()
{
    while [ $# -gt 0 ]; do
        case $1 in
        --only | --fuzz | --dir)
            [ $# -ge 2 ] || misused "$1 needs a value."
            case $1 in
            --only) families="$families $2" ;;
            --fuzz) fuzz_seconds=$2 ;;
            --dir) dir=$2 keep=yes ;;
            esac
            shift
            ;;
        --quick | --long) mode=${1#--} ;;
        --help | -h)
            usage
            exit 0
            ;;
        *) misused "unknown argument: $1" ;;
        esac
        shift
    done
    for family in $families; do
        case $family in
        build | unit | fuzz | checks | e2e | crash) ;;
        e2e/test_* | crash/test_*) [ -f "$root/tests/$family.py" ] || misused "no such program: $family." ;;
        *) misused "no such family: $family. There are: build unit fuzz checks e2e crash." ;;
        esac
    done
    if [ -z "$families" ]; then
        families='build unit checks e2e'
        [ "$mode" = quick ] || families="$families fuzz crash"
    fi
    case $mode in
    long) : "${fuzz_seconds:=300}" ;;
    *) : "${fuzz_seconds:=6}" ;;
    esac
}

misused()
{
    echo "run.sh: $1" >&2
    usage >&2
    exit 2
}

# wants FAMILY: or a program of it.
wants()
{
    case " $families " in
    *" $1 "* | *" $1/"*) ;;
    *) return 1 ;;
    esac
}

wants_all()
{
    case " $families " in
    *" $1 "*) ;;
    *) return 1 ;;
    esac
}

# ---- the run's directory, and leaving nothing behind ----------------------------------------

# Servers' users must be able to enter the directory. Every process of this run carries the
# mark in its environment, or works below the directory: so the end finds them all, also those
# that left the process group.
prepare_directory()
{
    [ -n "$dir" ] || dir=$(mktemp -d /tmp/relais-tests-XXXXXX)
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd -P)
    chmod go+x "$dir"
    logs=$dir/log results=$dir/results
    rm -rf "$logs" "$dir/tmp"
    mkdir -p "$logs" "$logs/servers" "$dir/tmp"
    chmod 1777 "$dir/tmp"
    : >"$results"
    export TMPDIR="$dir/tmp" RELAIS_TEST_SERVER_LOGS="$logs/servers"
    RELAIS_TEST_MARK=relais-tests-$$-$(date +%s)
    RELAIS_TEST_LONG=
    export RELAIS_TEST_MARK RELAIS_TEST_LONG
    [ "$mode" != long ] || RELAIS_TEST_LONG=yes
}

marked_processes()
{
    for process in /proc/[0-9]*; do
        [ "${process#/proc/}" != $$ ] || continue
        if tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -qx "RELAIS_TEST_MARK=$RELAIS_TEST_MARK" ||
            tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -qF "$dir/"; then
            echo "${process#/proc/}"
        fi
    done 2>/dev/null
}

# The pipeline above has marked helpers of its own, gone by the time they are signalled.
signal_marked()
{
    for marked in $(marked_processes); do
        kill "-$1" "$marked" 2>/dev/null || true
    done
}

on_exit()
{
    status=$?
    trap '' EXIT HUP INT TERM
    # shellcheck disable=SC2086 # words
    kill $lanes 2>/dev/null || true
    signal_marked TERM
    sleep 1
    signal_marked KILL
    [ "$keep" = yes ] || rm -rf "$dir"
    exit "$status"
}

# ---- results ------------------------------------------------------------------------------

# record STATUS NAME SECONDS [LOG]: one single test. STATUS is pass, fail or skip.
record()
{
    printf '%s %s %s %s\n' "$1" "$2" "$3" "${4:--}" >>"$results"
    printf '%-4s  %-64s %8s s\n' "$1" "$2" "$3"
}

# run_check NAME COMMAND...: a test that passes when the command succeeds.
run_check()
{
    name=$1
    shift
    file=$logs/$(echo "$name" | tr / -).log
    began=$(date +%s)
    if "$@" >"$file" 2>&1 </dev/null; then outcome=pass; else outcome=fail; fi
    record "$outcome" "$name" "$(($(date +%s) - began))" "$file"
    [ "$outcome" = pass ]
}

# record_all FAMILY LOG: results from lines "STATUS NAME SECONDS" on standard input.
record_all()
{
    while read -r outcome name seconds; do
        record "$outcome" "$1$name" "$seconds" "$2"
    done
}

show_failures()
{
    failed_logs=$(awk '$1 == "fail" { print $4 }' "$results" | sort -u)
    for file in $failed_logs; do
        [ -f "$file" ] || continue
        printf '\n==== %s\n' "$(awk -v file="$file" '$1 == "fail" && $4 == file { printf "%s ", $2 }' "$results")"
        tail -n 150 "$file"
    done
}

# ---- the families ---------------------------------------------------------------------------

# build NAME CMAKE-OPTION...: into $dir/NAME.
build()
{
    build_name=$1
    shift
    run_check "build/$build_name" configure_and_build "$dir/$build_name" "$@"
}

configure_and_build()
{
    into=$1
    shift
    cmake -S "$root" -B "$into" -G Ninja -DRELAIS_WERROR=ON -DRELAIS_APACHE=ON "$@" && cmake --build "$into"
}

# Sanitizers and counters of lines in one: what unit and e2e tests run on. Counters are of several threads.
build_watched()
{
    build gcc-watched -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug -DRELAIS_SANITIZE=ON \
        -DCMAKE_C_FLAGS='-O1 --coverage -fprofile-update=atomic' || return 1
    /usr/bin/python3 "$root/tests/coverage.py" --prepare "$dir/gcc-watched"
    find "$dir/gcc-watched" -type d -exec chmod a+rwx {} +
    : >"$logs/watched.built"
}

build_release()
{
    build gcc-release -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release -DRELAIS_UNIT=OFF && : >"$logs/release.built"
}

build_clang()
{
    build clang-fuzz -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=None -DRELAIS_SANITIZE=ON -DRELAIS_FUZZ=ON \
        -DCMAKE_C_FLAGS='-O1 -gline-tables-only'
}

run_unit()
{
    file=$logs/unit.log
    ctest --test-dir "$dir/gcc-watched" -j "$cores" --output-on-failure --no-tests=error >"$file" 2>&1 </dev/null || true
    awk '/ Test +#[0-9]+: / {
        sub(/.* Test +#[0-9]+: /, "")
        print ($0 ~ /[. ]Passed +[0-9.]+ sec$/ ? "pass" : "fail"), $1, $(NF - 1)
    }' "$file" >"$dir/unit.results"
    [ -s "$dir/unit.results" ] || echo "fail unit/no-tests 0" >"$dir/unit.results"
    record_all '' "$file" <"$dir/unit.results"
}

# Crashing inputs stay in the log's directory; the seed corpus is only read.
fuzz_one()
{
    mkdir -p "$dir/corpus/$1"
    set -- "$1" "$dir/corpus/$1" "$root/tests/fuzz/corpus/$1"
    dictionary=$root/tests/fuzz/$1.dict
    [ ! -f "$dictionary" ] || set -- "$@" "-dict=$dictionary"
    fuzzer=$dir/clang-fuzz/tests/fuzz/fuzz_$1
    shift
    "$fuzzer" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$logs/" -print_final_stats=1 "$@"
}

run_fuzzers()
{
    found=no
    for fuzzer in "$dir"/clang-fuzz/tests/fuzz/fuzz_*; do
        if [ ! -f "$fuzzer" ] || [ ! -x "$fuzzer" ]; then continue; fi
        found=yes
        target=${fuzzer##*/fuzz_}
        run_check "fuzz/$target" fuzz_one "$target" || true
    done
    [ "$found" = yes ] || record fail fuzz/no-targets 0
}

run_checks()
{
    for check in $(sh "$root/tests/checks.sh" --list); do
        case $mode.$check in
        quick.tidy | quick.analyzer | quick.gcc-analyzer | normal.analyzer) continue ;;
        esac
        run_check "checks/$check" sh "$root/tests/checks.sh" "$check" "$dir/clang-fuzz" || true
    done
}

# Begun first, so that no lane has a long one left when the other is done.
LONGEST='crash/test_points crash/test_kill crash/test_store_trouble e2e/test_forms e2e/test_path e2e/test_national_lives
    e2e/test_figures e2e/test_aside e2e/test_apache_load e2e/test_schema e2e/test_pull_central e2e/test_quickstart
    e2e/test_valgrind e2e/test_pull_others crash/test_spool_full'

# A test that hangs must not keep the others' results from being known.
program_seconds=1200

# programs: e2e/test_* and crash/test_*, as wanted, those that take long first.
programs()
{
    {
        for program in $LONGEST; do echo "$program"; done
        (cd "$root/tests" && for program in e2e/test_*.py crash/test_*.py; do echo "${program%.py}"; done)
    } | awk '!seen[$0]++' | while read -r program; do
        if wants_all "${program%/*}" || wants_all "$program"; then echo "$program"; fi
    done
}

is_built()
{
    [ -f "$logs/$1.built" ]
}

# run_programs: each in a process of its own. Both lanes are at it: whoever makes a program's directory first runs it.
run_programs()
{
    [ "$mode" != long ] || program_seconds=7200
    for program in $(programs); do
        is_built release || continue
        case $program in e2e/*) is_built watched || continue ;; esac
        file=$logs/$(echo "$program" | tr / -)
        mkdir "$file.taken" 2>/dev/null || continue
        case $program in
        crash/*) run_program "$program" gcc-release '' ;;
        *)
            run_program "$program" gcc-watched watched
            [ ! -f "$file.watched.results.release" ] || run_program "$program" gcc-release release
            ;;
        esac
    done
}

# run_program PROGRAM BUILD PART: its tests that are for that build (e2e/builds.py).
run_program()
{
    file=$logs/$(echo "$1" | tr / -)${3:+.$3}
    : >"$file.results"
    # shellcheck disable=SC2086 # no part is no word
    RELAIS_BUILD=$dir/$2 timeout -k 10 "$program_seconds" \
        /usr/bin/python3 "$root/tests/unittest_results.py" "$root/tests/$1.py" "$file.results" $3 \
        >"$file.log" 2>&1 </dev/null ||
        [ -s "$file.results" ] || echo "fail did-not-run 0" >"$file.results"
    record_all "$1/" "$file.log" <"$file.results"
    sed -n 's/.*note: /      /p' "$file.log" # what a test wants to be read though it passed
}

# Two lanes at once keep two cores busy: one waits for compilers and fuzzers, one for servers. The
# one that has done its own helps with the programs that the other has not begun.
compiler_lane()
{
    if wants build || wants fuzz || wants checks; then
        if build_clang && wants fuzz; then run_fuzzers; fi
    fi
    if wants checks; then run_checks; fi
    until [ -f "$logs/builds.ended" ]; do sleep 1; done
    run_programs
}

server_lane()
{
    if wants build || wants unit || wants e2e; then
        build_watched || true
    fi
    if wants build || wants e2e || wants crash; then build_release || true; fi
    : >"$logs/builds.ended"
    if wants unit && is_built watched; then run_unit; fi
    run_programs
}

two_lanes()
{
    compiler_lane &
    compiler=$!
    server_lane &
    server=$!
    lanes="$compiler $server"
    wait "$compiler" || record fail compiler-lane 0
    wait "$server" || record fail server-lane 0
    lanes=
}

# What unit and e2e tests have run: of the families that this run was asked for.
show_coverage()
{
    if ! is_built watched || ! { wants unit || wants e2e; }; then return 0; fi
    echo
    run_check coverage /usr/bin/python3 "$root/tests/coverage.py" "$dir/gcc-watched" || true
    cat "$logs/coverage.log"
}

main()
{
    parse_arguments "$@"
    prepare_directory
    trap on_exit EXIT
    trap 'exit 1' HUP INT TERM
    # shellcheck disable=SC2046,SC2086 # lists of words
    run_check packages relais_install_packages "$logs/apt.log" \
        $RELAIS_BUILD_PACKAGES $RELAIS_APACHE_PACKAGES $RELAIS_RUN_PACKAGES $RELAIS_TEST_PACKAGES \
        $(relais_node_packages) || true
    two_lanes
    if wants_all e2e; then run_check privacy/logs-of-all-servers /usr/bin/python3 "$root/tests/answers_in_logs.py" "$logs/servers" || true; fi
    show_coverage
    show_failures
    passed=$(grep -c '^pass ' "$results" || true)
    failed=$(grep -c '^fail ' "$results" || true)
    skipped=$(grep -c '^skip ' "$results" || true)
    [ "$skipped" -eq 0 ] || echo "$skipped skipped"
    [ "$keep" = no ] || echo "Logs: $logs"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

main "$@"
