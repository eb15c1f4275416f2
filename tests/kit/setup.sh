#!/bin/sh
# Installs the Debian packages that are missing; asks for nothing when none is.
#
#     setup.sh            what it takes to build and to test
#     setup.sh lint       and what the lint and the fuzzers need
set -eu

packages="gcc libc6-dev make pkgconf librdkafka-dev libhiredis-dev libssl-dev libyajl-dev libyaml-dev
    libxxhash-dev libmicrohttpd-dev check openssl redis-server python3 maven default-jre-headless"
# 25 MB: the alerts and the dashboard are tested on a real Prometheus.
packages="$packages python3-yaml prometheus prometheus-redis-exporter"
if [ "${1:-}" = lint ]; then
    packages="$packages clang clang-format libclang-rt-dev cppcheck"
fi

if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is no Debian; install what stands for: "$packages
    exit 0
fi

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "setup: run this as root, or install sudo: apt-get install$missing"
        exit 1
    }
    as_root=sudo
fi

# A redis-server or a Prometheus that is installed here is for the tests: no service is to be started.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
fi
echo "setup: installing$missing"
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
# shellcheck disable=SC2086  # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
