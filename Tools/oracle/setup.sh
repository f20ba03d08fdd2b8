#!/usr/bin/env bash
# Makes the virtual environment of the oracles, outside git, and prints the path of its Python.
#
#   Tools/oracle/setup.sh [DIRECTORY]     default: ${XDG_CACHE_HOME:-~/.cache}/langevin/oracle
#   LANGEVIN_ORACLE_SITE=DIR[:DIR...]     reuse the packages there (site-packages folders, `pip --target` folders)
#                                         instead of fetching torch 2.11.0 and its companions again
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
environment=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/langevin/oracle}
[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
python=$environment/bin/python
requirements=$here/requirements.txt
if [ -n "${LANGEVIN_ORACLE_SITE:-}" ]; then
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    tr : '\n' <<<"$LANGEVIN_ORACLE_SITE" >"$site/reused.pth"
    found=$("$python" -c 'import torch; print(torch.__version__.split("+")[0])' 2>/dev/null || true)
    if [ "$found" != 2.11.0 ]; then
        echo "setup: LANGEVIN_ORACLE_SITE=$LANGEVIN_ORACLE_SITE gives torch '$found', 2.11.0 is needed" >&2
        exit 2
    fi
    requirements=$environment/requirements.txt
    grep -v '^torch==' "$here/requirements.txt" >"$requirements"
fi
"$python" -m pip install --quiet --disable-pip-version-check -r "$requirements" >&2
# Beside the environment: diffusers behaves otherwise where it finds PEFT.
"$python" -m pip install --quiet --disable-pip-version-check --upgrade --no-deps --target "$environment/peft" \
    -r "$here/requirements_peft.txt" >&2
echo "$python"
