#!/usr/bin/env bash
# 100,000 pictures in 100 shards at the loader's full rate must not grow the resident size by 5 % after the first fifth.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${LANGEVIN_ORACLE_PYTHON:-$(Tools/oracle/setup.sh)}
work=$(mktemp -d)
trainer=
trap '[ -z "$trainer" ] || kill $trainer 2>/dev/null || true; rm -rf "$work"' EXIT
"$python" Tools/oracle/shards.py "$work/data"
# A network of a few parameters: a step takes less time than its pictures. Two epochs.
.build/release/langevin train recipes/digits.yaml --out "$work/run" --set data.kind=webdataset \
    --set "data.path='$work/data/s-{000..099}.tar'" --set data.size=8 --set data.channels=1 --set data.captions=file \
    --set data.split=all --set 'model.block_out_channels=[8, 8]' \
    --set model.attention_head_dim=4 --set training.steps=3125 --set training.batch_size=64 --set training.threads=1 \
    --set training.sample_every=0 --set training.checkpoint_every=0 --set training.log_every=25 2>"$work/messages" &
trainer=$!
resident() { awk '/VmRSS/ { print $2 }' "/proc/$trainer/status"; }
wait_for() {
    until grep -q "\"step\":$1," "$work/run/metrics.jsonl" 2>/dev/null; do
        kill -0 $trainer || { cat "$work/messages"; exit 1; }
        sleep 0.2
    done
}
wait_for 300
first=$(resident)
wait_for 1575
middle=$(resident)
wait_for 3050
last=$(resident)
echo "memory: $first kB after 19,200 pictures, $middle kB after 100,800, $last kB after 195,200"
tail -1 "$work/run/metrics.jsonl"
[ $((middle * 100)) -lt $((first * 105)) ] && [ $((last * 100)) -lt $((first * 105)) ]
