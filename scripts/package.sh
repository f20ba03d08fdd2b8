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
unset PKG_CONFIG_PATH LANGEVIN_TORCH LANGEVIN_TORCH_LIB LD_LIBRARY_PATH GOMP_SPINCOUNT OMP_WAIT_POLICY
rm -f shapes.png
swift build -c release
shown=$(OMP_DISPLAY_ENV=VERBOSE swift run -c release --skip-build 2>&1)
fail() { echo "$shown" >&2; echo "package: $*" >&2; exit 1; }
[ "$(head -c 4 shapes.png | tail -c 3)" = PNG ] || fail "its program left no picture"
# What the library sets for threads holds in every program that links it.
if [ "$(uname -s)" = Linux ]; then
    [[ $shown == *"GOMP_SPINCOUNT = '1000'"* ]] || fail "threads of its program that wait spin too long"
fi
echo "package: the package that 'langevin new' lays out builds and runs" >&2

# The programs that README.md shows, in that package.
cd ../../..
"$program" train recipes/unet-text.yaml --out "$fresh/words" --set training.steps=2 \
    --set training.warmup_steps=0 --set evaluation.steps=3 > "$fresh/log" 2>&1 || { cat "$fresh/log" >&2; exit 1; }
awk '/^```swift$/ { inside = 1; next } /^```$/ { inside = 0 } inside && !(/^import / && seen[$0]++)' README.md \
    > "$package/Sources/shapes/main.swift"
cd "$package"
swift build -c release
program=$(swift build -c release --show-bin-path)/shapes
cd "$fresh"
shown=$("$program" 2>&1) || fail "README's program ended with $?"
for picture in seven preview; do
    [ "$(head -c 4 "$picture.png" | tail -c 3)" = PNG ] || fail "README's program left no $picture.png"
done
[ -s circle/checkpoints/step-200/model.safetensors ] || fail "README's training left no checkpoint"
echo "package: the programs of README.md build and run" >&2
