#!/usr/bin/env bash
# Runs `swift build` or `swift test` with this project's flags: scripts/swift.sh build|test [arguments]
# Everything is built once, in release: the program, the tests and the benchmarks share it.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f .libtorch/environment ] && [ -e .libtorch/include ] || scripts/setup.sh
source .libtorch/environment
verb=$1
shift
configuration=${LANGEVIN_CONFIGURATION:-release}
flags=(-c "$configuration" -Xlinker "-L$LANGEVIN_TORCH_LIB" -Xlinker -rpath -Xlinker "$LANGEVIN_TORCH_LIB")
# With LANGEVIN_STATIC=1 the program carries the Swift runtime and runs where no Swift is installed
# (make dist). Tests cannot be built that way, so it has a folder of its own.
[ "${LANGEVIN_STATIC:-}" = 1 ] && flags+=(--static-swift-stdlib --scratch-path .build/static)
# The same flags for program and tests, so that neither rebuilds the other's modules; in debug `swift build` makes modules
# testable, too.
[ "$verb" = test ] && flags+=(--disable-xctest)
[ "$verb" = test ] && [ "$configuration" != debug ] && flags+=(--disable-testable-imports)
exec swift "$verb" "${flags[@]}" "$@"
