#!/usr/bin/env bash
# Slow proofs: fresh cases for a seed against diffusers, through the commands.
# SEED=N chooses the cases; the date's own by default, printed. CASES=N says how many bad inputs are tried.
# GUIDED_DIFFUSION=FOLDER, a checkout of github.com/openai/guided-diffusion, adds the comparison of likelihoods.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${LANGEVIN_ORACLE_PYTHON:-$(Tools/oracle/setup.sh)}
seed=${SEED:-$(date +%Y%m%d)}
echo "verify: seed $seed" >&2
"$python" Tools/oracle/commands.py --program .build/release/langevin --seed "$seed" --recipe recipes/digits.yaml
"$python" Tools/oracle/badinput.py --program .build/release/langevin --seed "$seed" --cases 40 --self-test
"$python" Tools/oracle/badinput.py --program .build/release/langevin --seed "$seed" --cases "${CASES:-2000}"
"$python" Tools/oracle/pipelines.py --program .build/release/langevin --seed "$seed"
"$python" Tools/oracle/repeats.py --program .build/release/langevin --seed "$seed"
"$python" Tools/oracle/recipes.py --program .build/release/langevin --seed "$seed"
"$python" Tools/oracle/autoencoder_recipes.py --program .build/release/langevin --seed "$seed" --cases 8
"$python" Tools/oracle/clip.py --program .build/release/langevin --seed "$seed" --cases 8
"$python" Tools/oracle/latents.py --program .build/release/langevin --seed "$seed" --cases 1
"$python" Tools/oracle/hub.py --program .build/release/langevin --seed "$seed"
if [[ -n "${GUIDED_DIFFUSION:-}" ]]; then
    "$python" Tools/oracle/likelihood.py --guided-diffusion "$GUIDED_DIFFUSION" --program .build/release/langevin \
        --seed "$seed" --cases 4
else
    echo "verify: GUIDED_DIFFUSION is not set: likelihoods are not compared" >&2
fi
"$python" Tools/oracle/learning.py --program .build/release/langevin --seed "$seed" --points 10 --digits 3
texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT
"$python" Tools/oracle/conversion.py --program .build/release/langevin --seed "$seed" --out "$texts/conversion"
"$python" Tools/oracle/tokenizers_oracle.py --seed "$seed" --strings 100000 --out "$texts"
LANGEVIN_TOKENIZERS=$texts scripts/swift.sh test --filter TokenizersTests
"$python" Tools/oracle/data_order.py --seed "$seed" --cases 400 --out "$texts/order"
LANGEVIN_DATA_ORDER=$texts/order/cases.json scripts/swift.sh test --filter DatasetsTests
LANGEVIN_TEST_KILLS=200 scripts/swift.sh test --filter TrainingTests
LANGEVIN_TEST_KILLS=50 scripts/swift.sh test --filter CommandTests.ShardCommandTests
scripts/memory.sh
scripts/memory_shards.sh
