#!/bin/sh
# The benchmark: what Relais does beside what the same machine can do in the same run.
#
#   sh tests/bench/run.sh [--short] [--seconds N] [--only answers,capture,pull,memory,forward,ledger]
#
# Installs what is missing, starts a private Relais by plugin/quickstart.sh, measures, stops it,
# and prints the tables that stand in README.md. It takes about 22 minutes (--short: 5). Nothing
# here is a test: figures of a busy machine are figures of a busy machine.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=plugin/packages.sh
. plugin/packages.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # lists of words
relais_install_packages "$log" $RELAIS_BUILD_PACKAGES $RELAIS_RUN_PACKAGES $RELAIS_TEST_PACKAGES
python3 tests/bench/bench.py "$@"
