#!/bin/sh
# Builds an nginx, and the module for it, that AddressSanitizer watches: DIR/nginx and DIR/module.so.
#
# usage: sh tests/load/sanitized.sh DIR [SOURCE.tar.gz]
#
# The source is that of Debian's nginx (without SOURCE it is fetched by apt, whose lists of sources
# are kept in DIR). NGX_DEBUG_PALLOC makes every allocation of a request one that the sanitizer
# sees; without it nginx cuts them out of its own pools.
set -eu

dir=$1 source=${2:-}
root=$(cd "$(dirname "$0")/../.." && pwd -P)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)

# apt fails for want of Debian's own changes, which may be gone from the mirror, once it has the
# source they belong to.
fetch()
{
    mkdir -p "$dir/parts" "$dir/lists/partial"
    cat /etc/apt/sources.list.d/debian.sources >"$dir/parts/source.sources"
    sed -i 's/^Types: deb$/Types: deb-src/' "$dir/parts/source.sources"
    set -- -q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$dir/parts" \
        -o "Dir::State::lists=$dir/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    apt-get "$@" update
    (cd "$dir" && apt-get "$@" source --download-only nginx) || true
    source=$(find "$dir" -maxdepth 1 -name 'nginx_*.orig.tar.gz' | head -n 1)
}

build_nginx()
{
    mkdir -p "$dir/source"
    tar xf "$source" -C "$dir/source" --strip-components=1
    cd "$dir/source"
    ./configure --with-compat --with-threads --with-http_ssl_module --with-http_v2_module \
        --with-http_auth_request_module --with-http_sub_module --with-file-aio \
        --with-cc-opt='-g -O1 -fsanitize=address -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1' \
        --with-ld-opt=-fsanitize=address
    make -j"$(nproc)"
    cp objs/nginx "$dir/nginx"
}

build_module()
{
    cmake -S "$root" -B "$dir/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DRELAIS_SANITIZE=ON
    cmake --build "$dir/build" --target ngx_http_relais_module
    cp "$dir/build/plugin/nginx/ngx_http_relais_module.so" "$dir/module.so"
}

[ -n "$source" ] || fetch
[ -n "$source" ] || {
    echo "The source of nginx cannot be fetched by apt." >&2
    exit 1
}
build_nginx
build_module
