#!/bin/sh
# Checks of the source text that need no running program; tests/run.sh runs each as one test.
#
# usage: sh tests/checks.sh --list
#        sh tests/checks.sh NAME [BUILD]     BUILD: a configured build directory (clang)
set -eu

cd "$(dirname "$0")/.."
CHECKS='shell python format layers length calls house limits tidy analyzer gcc-analyzer cppcheck'
MAXIMUM_LINES=600 # a longer file has a second job: find it

c_files()
{
    find plugin tests -name node_modules -prune -o -name '*.[ch]' -print | sort
}

check_shell()
{
    find plugin tests .ci -name node_modules -prune -o \( -name '*.sh' -o -path .ci/run \) -print | sort | xargs shellcheck -x
}

check_python()
{
    find tests -name node_modules -prune -o -name '*.py' -print | sort | while read -r file; do
        /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1])' "$file" || exit 1
    done
}

check_format()
{
    c_files | xargs clang-format --dry-run -Werror
}

check_layers()
{
    c_files | grep '^plugin/' | xargs awk -f tests/layers.awk
}

check_length()
{
    find plugin tests transforms -name node_modules -prune -o \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \
        -o -name '*.sql' \) -print | sort |
        while read -r file; do
            lines=$(wc -l <"$file")
            [ "$lines" -le "$MAXIMUM_LINES" ] || echo "$file has $lines lines, more than $MAXIMUM_LINES"
        done | fail_on_output
}

# Calls that have no bound or run a shell; each has a better one.
check_calls()
{
    c_files | grep '^plugin/' | xargs grep -nE '(^|[^a-zA-Z0-9_])(strcpy|strcat|sprintf|vsprintf|gets|atoi|system|popen)\(' |
        fail_on_output
}

# What a reader should not trip over: unfinished marks, and a visible top level as agreed.
check_house()
{
    {
        grep -rnIE '\b(TODO|FIXME|XXX)\b' plugin xforms transforms tests --include='*.[ch]' --include='*.sh' \
            --include='*.py' --include='*.sql' --include='*.md' --include='*.xml' \
            --exclude=checks.sh --exclude-dir=node_modules
        for entry in *; do
            case $entry in
            plugin | xforms | transforms | tests | CMakeLists.txt | README.md | LICENSE | build*) ;;
            *) echo "$entry does not belong at the top level" ;;
            esac
        done
    } | fail_on_output
}

check_limits()
{
    /usr/bin/python3 tests/limits.py
}

# Prints what it reads, and fails if that was anything.
fail_on_output()
{
    ! grep .
}

# The checks of .clang-tidy that look at one place at a time.
check_tidy()
{
    compiled_files | xargs -P "$(nproc)" -n 1 clang-tidy -p "$build" --quiet --checks='-clang-analyzer-*'
}

# Those that follow paths through functions: ten times as slow, so for the long run.
check_analyzer()
{
    compiled_files | grep "^$PWD/plugin/" |
        xargs -P "$(nproc)" -n 1 clang-tidy -p "$build" --quiet --checks='-bugprone-*,-misc-*,-performance-*,-readability-*'
}

# gcc's own, over what reads bytes from outside. Its list of false alarms, each with its reason:
#   null-argument in envelope.c   the bytes come through a callback from relais_envelope_decrypt, whose
#                                 buffer is an array on its stack
check_gcc_analyzer()
{
    find plugin/openrosa plugin/spool plugin/xform plugin/transform/lexer.c plugin/sources -name '*.c' \
        ! -path 'plugin/sources/[!t]*' ! -path 'plugin/sources/tran*' | sort |
        while read -r file; do
            case $file in
            plugin/xform/envelope.c) echo "$file -Wno-analyzer-null-argument" ;;
            *) echo "$file" ;;
            esac
        done | xargs -P "$(nproc)" -L 1 gcc -c -o /dev/null -std=gnu17 -O1 -fanalyzer -Werror -D_GNU_SOURCE -Iplugin \
        -I/usr/include/libxml2 -DRELAIS_VERSION='"0"'
}

check_cppcheck()
{
    mkdir -p "$build/cppcheck"
    cppcheck --project="$build/compile_commands.json" --cppcheck-build-dir="$build/cppcheck" -j "$(nproc)" \
        --quiet --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        '-Djson_array_foreach(array,index,value)=for (index = 0; (value = json_array_get(array, index)) != 0; index++)' \
        '-Djson_object_foreach(object,key,value)=for (key = ""; (value = json_object_get(object, key)) != 0;)' \
        --suppressions-list=tests/cppcheck.suppressions
}

# The project's own sources that this build compiles.
compiled_files()
{
    sed -n 's/^ *"file": "\(.*\)",*$/\1/p' "$build/compile_commands.json" | grep "^$PWD/" | sort -u
}

main()
{
    case ${1:-} in
    --list)
        echo "$CHECKS"
        return
        ;;
    esac
    name=${1:?name of a check, or --list}
    build=${2:-build}
    case " $CHECKS " in
    *" $name "*) "check_$(echo "$name" | tr - _)" ;;
    *)
        echo "no such check: $name. There are: $CHECKS." >&2
        exit 2
        ;;
    esac
}

main "$@"
