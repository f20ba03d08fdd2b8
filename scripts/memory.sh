#!/usr/bin/env bash
# 10,000 training steps must not grow the resident size by 5 % after the first 1,000.
set -euo pipefail
cd "$(dirname "$0")/.."
run=$(mktemp -d)
trap 'kill $trainer 2>/dev/null || true; rm -rf "$run"' EXIT
.build/release/langevin train recipes/digits.yaml --out "$run/run" --set training.steps=11000 \
    --set training.batch_size=2 --set training.threads=1 --set 'model.block_out_channels=[8, 8]' --set model.attention_head_dim=4 \
    --set training.sample_every=0 --set training.checkpoint_every=0 --set training.log_every=100 2>/dev/null &
trainer=$!
resident() { awk '/VmRSS/ { print $2 }' "/proc/$trainer/status"; }
wait_for() { until grep -q "\"step\":$1," "$run/run/metrics.jsonl" 2>/dev/null; do sleep 0.2; done; }
wait_for 1000
first=$(resident)
wait_for 10900
last=$(resident)
echo "memory: $first kB after 1,000 steps, $last kB after 10,900"
[ $((last * 100)) -lt $((first * 105)) ]
