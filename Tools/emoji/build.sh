#!/usr/bin/env bash
# Builds the captioned pictures of the text-to-image model from Debian's packages and the emoji of shared/data.
#
#   Tools/emoji/build.sh OUT [EMOJI-64.TAR.GZ] [--emoji-only] [options of build.py]
#
# It needs python3 with venv and, but for --emoji-only, apt-get (packages are fetched and unpacked, not installed) and
# rsvg-convert (librsvg2-bin). What it fetches is kept in ${XDG_CACHE_HOME:-~/.cache}/langevin/emoji. OUT is outside the repository.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=$1
shift
emoji=$here/../../../shared/data/emoji/emoji-64.tar.gz
if [ $# -ge 1 ] && [ "${1#--}" = "$1" ]; then
    emoji=$1
    shift
fi
packages=(openclipart-svg=1:0.18+dfsg-19 tango-icon-theme=0.8.90-11 fonts-noto-color-emoji=2.042-0+deb12u1
    wamerican-small=2020.12.07-2)
if [ "${1-}" = --emoji-only ]; then
    packages=()
    shift
fi
[ -f "$emoji" ] || { echo "build: there is no $emoji: give the path of emoji-64.tar.gz" >&2; exit 2; }
if [ ${#packages[@]} -gt 0 ] && ! command -v rsvg-convert >/dev/null; then
    echo "build: rsvg-convert is missing: install librsvg2-bin" >&2
    exit 2
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/langevin/emoji
mkdir -p "$cache/debs"
for package in "${packages[@]}"; do
    name=${package%%=*}
    [ -e "$cache/unpacked/usr/share/doc/$name" ] && continue
    (cd "$cache/debs" && apt-get download -q "$package" >&2)
    mkdir -p "$cache/unpacked"
    dpkg-deb -x "$cache"/debs/"$name"_*.deb "$cache/unpacked"
done
[ -x "$cache/python/bin/python" ] || python3 -m venv "$cache/python"
"$cache/python/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
[ ${#packages[@]} -eq 0 ] || set -- --packages "$cache/unpacked" "$@"
"$cache/python/bin/python" "$here/build.py" --emoji "$emoji" --out "$out" "$@"
