# shellcheck shell=sh
# shellcheck disable=SC2034 # the lists are for the scripts that source this file
#
# The Debian 12 packages that Relais needs, and how a script installs what is missing.
# Sourced by plugin/quickstart.sh and tests/run.sh: a package is named here and nowhere else.

# To build the command and the nginx module. nginx-dev is the header tree that Debian's own
# nginx was built from; its configure script asks for PCRE and zlib.
RELAIS_BUILD_PACKAGES='gcc libc6-dev cmake ninja-build pkg-config gettext nginx-dev
    libpcre2-dev zlib1g-dev libxml2-dev nettle-dev libpq-dev libinih-dev libjansson-dev
    libutf8proc-dev libcsv-dev libqrencode-dev libpng-dev libsystemd-dev libssl-dev
    libcurl4-openssl-dev libzip-dev'

# To run a server of one's own; openssl makes its demonstration keys. setpriv, setsid and awk are in every Debian.
RELAIS_RUN_PACKAGES='nginx postgresql-15 postgresql-client-15 curl openssl'

# To build the Apache module, which no server of one's own needs.
RELAIS_APACHE_PACKAGES='apache2-dev'

# To test: unit tests, fuzzers, analysers, the client that speaks like Collect, the browser in
# which other form engines run; Apache without the files of a service, so that none can start;
# what lays a cable between two network namespaces and cuts it.
RELAIS_TEST_PACKAGES='libcmocka-dev clang libclang-rt-14-dev clang-format clang-tidy cppcheck
    shellcheck jing libxml2-utils python3 python3-h2 strace valgrind postgresql-15-pgtap chromium
    apache2-bin iproute2 nftables'

# relais_node_packages: prints the packages that bring Node and npm, in which the form engines run;
# nothing where a Node that is new enough is on the PATH already, whose files Debian's would replace.
relais_node_packages()
{
    node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' 2>/dev/null || printf 'nodejs '
    command -v npm >/dev/null || printf 'npm '
}

# relais_missing_packages PACKAGE...: prints those that are not installed.
relais_missing_packages()
{
    for package; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# relais_install_packages LOG PACKAGE...: installs what is missing, and only that.
# Returns 1, with the reason on stderr, when apt fails or may not be used.
relais_install_packages()
{
    apt_log=$1
    shift
    missing=$(relais_missing_packages "$@")
    [ -n "$missing" ] || return 0

    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        command -v sudo >/dev/null || {
            echo "These packages are missing: $missing" >&2
            echo "Install them, or run this as root or where sudo is allowed." >&2
            return 1
        }
    fi

    echo "Installing from Debian: $missing"
    relais_apt_install "$as_root" >"$apt_log" 2>&1 || {
        tail -n 15 "$apt_log" >&2
        echo "apt could not install all packages; the whole log is $apt_log." >&2
        return 1
    }
}

# Debian starts a server as soon as it is installed. A policy of "not now" for the length of
# the installation leaves the machine's own ports as they were.
relais_apt_install()
(
    as_root=$1
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap '$as_root rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 0755 "$policy"
    fi
    $as_root apt-get -q -o DPkg::Lock::Timeout=300 update </dev/null || echo "apt-get update failed"
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install $missing </dev/null
)
