#!/usr/bin/env bash
# Ours and the peers', alternately in one run on two threads. See Benchmarks/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${LANGEVIN_ORACLE_PYTHON:-$(Tools/oracle/setup.sh)}
"$python" -c 'import openvino, accelerate' 2>/dev/null \
    || "$python" -m pip install --quiet --disable-pip-version-check -r Benchmarks/requirements.txt >&2 \
    || echo "bench: OpenVINO or accelerate could not be installed; what needs them stays empty" >&2
exec "$python" Benchmarks/bench.py --program .build/release/langevin --python "$python" "$@"
