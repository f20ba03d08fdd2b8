#!/usr/bin/env bash
# Formatting and documentation: every file as swift-format lays it out, every public name documented.
set -euo pipefail
cd "$(dirname "$0")/.."
find Package.swift Sources Tests -name '*.swift' ! -name '*.pb.swift' -print0 \
    | xargs -0 swift format lint --strict --parallel
# Rooms import only what their row in Package.swift lists; the test of the rows is the build itself.
echo "lint: every file is in order" >&2
