#!/usr/bin/env bash
# A package that depends on this one, as `langevin new` lays it out, built and run in a plain environment.
# It lies in .build/package, so that building it again is quick.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$PWD/.build/release/langevin
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$program" new "$fresh/shapes"
package=.build/package/shapes
mkdir -p "$package"
find "$package" -mindepth 1 -maxdepth 1 ! -name .build -exec rm -rf {} +
cp -R "$fresh/shapes/." "$package"
cd "$package"
unset PKG_CONFIG_PATH LANGEVIN_TORCH LANGEVIN_TORCH_LIB LD_LIBRARY_PATH
swift build -c release
swift run -c release --skip-build | tail -1
"$program" inspect shapes.png >/dev/null
# What the library sets for threads holds in every program that links it.
if [ "$(uname -s)" = Linux ]; then
    OMP_DISPLAY_ENV=VERBOSE .build/release/shapes 2>&1 >/dev/null | grep -q "GOMP_SPINCOUNT = '1000'" \
        || { echo "package: threads of its program spin as long as they like" >&2; exit 1; }
fi
echo "package: the package of 'langevin new' builds and runs" >&2
