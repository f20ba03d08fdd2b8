#!/usr/bin/env bash
# Formatting and documentation: every file as swift-format lays it out, every public name documented.
set -euo pipefail
cd "$(dirname "$0")/.."
find Package.swift Sources Tests -name '*.swift' ! -name '*.pb.swift' -print0 \
    | xargs -0 swift format lint --strict --parallel
# Rooms import only what their row in Package.swift lists; the test of the rows is the build itself.
# Every line of code that an article shows stands in the sources, spaces at its ends aside.
article=Sources/Diffusion/Diffusion.docc/OneAlgebra.md
sources=$(mktemp)
trap 'rm -f "$sources"' EXIT
find Sources/Diffusion -name '*.swift' -exec sed 's/^ *//' {} + > "$sources"
{ awk '/^```/ { inside = ! inside; next } inside' "$article"
  sed -nE 's/^\|.*\| `(.*)` \|$/\1/p' "$article"; } | sed 's/^ *//' | while IFS= read -r line; do
    grep -qxF -- "$line" "$sources" || { echo "lint: $article shows a line that is not in the sources: $line" >&2; exit 1; }
done
echo "lint: every file is in order" >&2
