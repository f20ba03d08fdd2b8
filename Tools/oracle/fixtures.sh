#!/usr/bin/env bash
# Writes the committed reference tensors of seed 0 again. Usage: Tools/oracle/fixtures.sh [PYTHON]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
fixtures=$here/../../Tests/Fixtures
python=${1:-$("$here/setup.sh")}
for oracle in unet convnext ddpm s0 noise forward frechet optimizer variance; do
    rm -rf "${fixtures:?}/$oracle"
    "$python" "$here/$oracle.py" --seed 0 --out "$fixtures/$oracle" >&2
done
chmod 644 "$fixtures"/*/*
