#!/usr/bin/env bash
# Everything a build needs, found or fetched: system packages and libtorch 2.11.0.
# Leaves links to libtorch's headers and libraries in .libtorch (for SwiftPM) and .libtorch/environment (for the other
# scripts). Quick when repeated.
#
#   LANGEVIN_TORCH=DIR   use the PyTorch 2.11.0 at DIR (the folder that holds lib/ and include/)
#   LANGEVIN_CACHE=DIR   keep the downloaded libtorch there (default ~/.cache/langevin), shared by clones
set -euo pipefail
cd "$(dirname "$0")/.."
version=2.11.0
system=$(uname -s)

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 2; }

# --- system packages -------------------------------------------------------------------------
command -v swift >/dev/null || fail "no Swift here: install Swift 6.1 or later from swift.org/install and put it on PATH"
libraries=(libpng:libpng-dev:libpng libturbojpeg:libturbojpeg0-dev:jpeg-turbo libwebp:libwebp-dev:webp cairo:libcairo2-dev:cairo zlib:zlib1g-dev:zlib libcrypto:libssl-dev:openssl@3 libcurl:libcurl4-openssl-dev:)
if [ "$system" = Darwin ]; then
    command -v brew >/dev/null && PKG_CONFIG_PATH="$(brew --prefix)/opt/openssl@3/lib/pkgconfig:${PKG_CONFIG_PATH:-}"
    export PKG_CONFIG_PATH
fi
missing=()
command -v pkg-config >/dev/null || missing+=(pkg-config)
command -v python3 >/dev/null || missing+=(python3)
[ -n "${LANGEVIN_TORCH:-}" ] || python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
for row in "${libraries[@]}"; do
    IFS=: read -r name debian brew <<<"$row"
    # What Homebrew need not bring comes with macOS.
    [ "$system" = Darwin ] && [ -z "$brew" ] && continue
    command -v pkg-config >/dev/null && pkg-config --exists "$name" && continue
    if [ "$system" = Darwin ]; then missing+=("$brew"); else missing+=("$debian"); fi
done
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$system" = Darwin ]; then
        fail "these are missing: ${missing[*]}. Install them with: brew install ${missing[*]}"
    elif command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
        say "installing ${missing[*]}"
        sudo=""; [ "$(id -u)" = 0 ] || sudo=sudo
        $sudo apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}" >&2
    else
        fail "these packages are missing: ${missing[*]}. Install them (Debian, Ubuntu: sudo apt-get install ${missing[*]}) and try again"
    fi
fi

# --- libtorch --------------------------------------------------------------------------------
version_of() {
    local header=$1/include/torch/headeronly/version.h
    [ -f "$header" ] || header=$1/include/torch/csrc/api/include/torch/version.h
    sed -nE 's/^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ([0-9]+)$/\2/p' "$header" 2>/dev/null | paste -sd . -
}
if [ -n "${LANGEVIN_TORCH:-}" ]; then
    torch=$LANGEVIN_TORCH
    [ -d "$torch/torch/lib" ] && torch=$torch/torch
    [ -d "$torch/lib" ] || fail "LANGEVIN_TORCH=$LANGEVIN_TORCH holds no lib/: give the folder of the torch package (python3 -c 'import torch; print(torch.__path__[0])')"
else
    cache=${LANGEVIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/langevin}
    home=$cache/libtorch-$version
    torch=$home/torch
    if [ ! -d "$torch/lib" ]; then
        say "fetching libtorch $version into $home (once; 530 MB)"
        mkdir -p "$cache"
        staging=$(mktemp -d "$cache/libtorch.XXXXXX")
        trap 'rm -rf "$staging"' EXIT
        packages=("torch==$version")
        # libtorch_cpu.so of the Linux wheel needs these two small libraries, GPU or not.
        if [ "$system" = Linux ]; then packages+=(nvidia-cuda-runtime==13.0.96 'nvidia-cuda-cupti>=13.0,<13.1'); fi
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
            --target "$staging" --no-deps "${packages[@]}" >&2 \
            || fail "libtorch could not be fetched; with a PyTorch $version at hand, set LANGEVIN_TORCH to its folder"
        # The parts of Python are not needed: only headers and libraries stay.
        find "$staging/torch" -mindepth 1 -maxdepth 1 ! -name lib ! -name include -exec rm -rf {} +
        rm -f "$staging"/torch/lib/libtorch_python.*
        find "$staging" -mindepth 1 -maxdepth 1 ! -name torch ! -name nvidia -exec rm -rf {} +
        rm -rf "$home"
        mv "$staging" "$home"
        chmod 755 "$home"
    fi
fi
torch=$(cd "$torch" && pwd)
found=$(version_of "$torch")
[ "$found" = "$version" ] || fail "$torch holds libtorch '$found', this project needs $version"

mkdir -p .libtorch
# Links, so that the package names no folder outside itself. Made again only where they lead elsewhere.
for name in include lib; do
    [ "$(readlink ".libtorch/$name")" = "$torch/$name" ] || ln -sfn "$torch/$name" ".libtorch/$name"
done
echo "export LANGEVIN_TORCH_LIB=\"$torch/lib\"" > .libtorch/environment
if [ "$system" = Darwin ] && command -v brew >/dev/null; then
    echo "export PKG_CONFIG_PATH=\"$(brew --prefix)/opt/openssl@3/lib/pkgconfig\${PKG_CONFIG_PATH:+:\$PKG_CONFIG_PATH}\"" >> .libtorch/environment
fi
