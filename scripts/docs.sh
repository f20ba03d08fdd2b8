#!/usr/bin/env bash
# The documentation of the mathematics, with the article "One algebra": .build/documentation/Diffusion.doccarchive.
#   docc preview, or any web server over that folder, shows it.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/swift.sh build --product langevin
graphs=$(mktemp -d)
trap 'rm -rf "$graphs"' EXIT
target=$(swift -print-target-info | sed -nE 's/.*"triple": "([^"]+)".*/\1/p' | head -1)
swift symbolgraph-extract -module-name Diffusion -I .build/release/Modules -target "$target" \
    -Xcc -fmodule-map-file=.build/release/CTorch.build/module.modulemap \
    -output-dir "$graphs" -minimum-access-level public
mkdir -p .build/documentation
docc convert Sources/Diffusion/Diffusion.docc --fallback-display-name Diffusion \
    --fallback-bundle-identifier langevin.Diffusion --additional-symbol-graph-dir "$graphs" \
    --output-path .build/documentation/Diffusion.doccarchive
