#!/bin/sh
# Makes $BUILD/tidewheel_<version>_<architecture>.deb of what `make install` installs.
#
# There are no maintainer scripts: the unit has no user to be made (DynamicUser=), systemd looks for new
# units by itself, and nothing is started before somebody has named pipelines.
set -eu

cd "$(dirname "$0")/../.."
build=${BUILD:-build}
version=$("$build/tidewheel" version | awk '/^tidewheel/ {print $2}')
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
umask 022

make -s install BUILD="$build" DESTDIR="$root" PREFIX=/usr ZSHDIR=/usr/share/zsh/vendor-completions ETC=1 >/dev/null
doc=$root/usr/share/doc/tidewheel
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/tidewheel"
gzip -9n "$root/usr/share/man/man1/tidewheel.1"
rm "$doc/LICENSE" # copyright says where it is
install -m644 config/debian/copyright "$doc/copyright"
printf 'tidewheel (%s) unstable; urgency=medium\n\n  * See README.md.\n\n -- %s  %s\n' "$version" \
    "$(sed -n 's/^Maintainer: //p' config/debian/control)" \
    "$(date -uR -d "@$SOURCE_DATE_EPOCH")" | gzip -9n > "$doc/changelog.gz"

# What it links with, by the packages that have it.
mkdir "$work/debian" "$root/DEBIAN"
cp config/debian/control "$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O root/usr/bin/tidewheel 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
test -n "$depends"

field() { sed -n "s/^$1: //p" config/debian/control; }
{
    printf 'Package: tidewheel\nVersion: %s\nArchitecture: %s\n' "$version" "$architecture"
    printf 'Maintainer: %s\nSection: %s\nPriority: %s\n' "$(field Maintainer)" "$(field Section)" "$(field Priority)"
    printf 'Installed-Size: %s\n' "$(du -ks --exclude=DEBIAN "$root" | cut -f1)"
    printf 'Depends: %s\nSuggests: redis-server\n' "$depends"
    sed -n '/^Description:/,$p' config/debian/control
} > "$root/DEBIAN/control"
(cd "$root" && find etc -type f -printf '/%p\n') > "$root/DEBIAN/conffiles"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"

package=$build/tidewheel_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "$package"
