#!/usr/bin/env bash
# Ours and diffusers', alternately in one run on two threads. See Benchmarks/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${LANGEVIN_ORACLE_PYTHON:-$(Tools/oracle/setup.sh)}
exec "$python" Benchmarks/bench.py --program .build/release/langevin --python "$python" "$@"
