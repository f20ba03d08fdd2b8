#!/usr/bin/env bash
# Runs `swift build` or `swift test` with this project's flags: scripts/swift.sh build|test [arguments]
# Everything is built once, in release: the program, the tests and the benchmarks share it.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f .libtorch/environment ] || scripts/setup.sh
source .libtorch/environment
verb=$1
shift
configuration=${LANGEVIN_CONFIGURATION:-release}
flags=(-c "$configuration" -Xlinker -rpath -Xlinker "$LANGEVIN_TORCH_LIB")
# The program carries the Swift runtime, so that it runs where no Swift is installed.
[ "$(uname -s)" = Linux ] && [ "$verb" = build ] && flags+=(--static-swift-stdlib)
exec swift "$verb" "${flags[@]}" "$@"
