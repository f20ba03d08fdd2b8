#!/usr/bin/env bash
# The table of the DDIM paper (arXiv:2010.02502, table 1) on digits: Fréchet distance of 1,000 samples for each η
# and number of steps. Rows: η, and σ̂, ancestral sampling with the larger variance β.
#   scripts/eta-table.sh RUN    a run of recipes/digits.yaml; prints a Markdown table
set -euo pipefail
cd "$(dirname "$0")/.."
program=${LANGEVIN_PROGRAM:-.build/release/langevin}
run=$1
steps=(10 20 50 100 1000)
large=$(mktemp -d)
trap 'rm -rf "$large"' EXIT
cp -r "$run/model" "$large/"
sed -i.old 's/"clip_sample": *false/"clip_sample": false, "variance_type": "fixed_large"/; /"variance_type": *"fixed_small"/d' \
    "$large/model/scheduler/scheduler_config.json"
sed -i.old -z 's/,\n}/\n}/' "$large/model/scheduler/scheduler_config.json"
rm -f "$large"/model/scheduler/*.old
distance() {
    "$program" evaluate "$@" --count 1000 --guidance 1 --threads "${LANGEVIN_THREADS:-2}" --json 2>/dev/null \
        | sed -E 's/.*"frechet_distance":([0-9.]+).*/\1/' | xargs printf '%.2f'
}
row() {
    local name=$1; shift
    printf '| %s |' "$name"
    for count in "${steps[@]}"; do printf ' %s |' "$(distance "$@" --steps "$count")"; done
    echo
}
echo "| η | ${steps[*]} |" | sed 's/ \([0-9]\)/ | \1/g; s/| |/|/'
echo "|---|---|---|---|---|---|"
for eta in 0 0.2 0.5 1; do row "$eta" "$run" --solver ddim --eta "$eta"; done
row "σ̂" "$large/model" --solver ddpm
