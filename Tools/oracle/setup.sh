#!/usr/bin/env bash
# Makes the virtual environment of the oracles, outside git, and prints the path of its Python.
#
#   Tools/oracle/setup.sh [DIRECTORY]     default: ${XDG_CACHE_HOME:-~/.cache}/langevin/oracle
#   LANGEVIN_ORACLE_SITE=DIR              reuse the packages in DIR (a site-packages folder or a `pip --target`
#                                         folder that holds torch 2.11.0) instead of fetching torch again
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
environment=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/langevin/oracle}
[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
python=$environment/bin/python
if [ -n "${LANGEVIN_ORACLE_SITE:-}" ]; then
    [ -d "$LANGEVIN_ORACLE_SITE/torch" ] || { echo "setup: $LANGEVIN_ORACLE_SITE holds no torch/" >&2; exit 2; }
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    (cd "$LANGEVIN_ORACLE_SITE" && pwd) >"$site/reused.pth"
    found=$("$python" -c 'import torch; print(torch.__version__.split("+")[0])')
    [ "$found" = 2.11.0 ] || { echo "setup: $LANGEVIN_ORACLE_SITE holds torch $found, 2.11.0 is needed" >&2; exit 2; }
fi
"$python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
echo "$python"
