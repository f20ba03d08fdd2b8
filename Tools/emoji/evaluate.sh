#!/usr/bin/env bash
# Measures the model that comes with the project on the pictures that build.sh wrote: docs/EmojiModel.md's figures.
#
#   Tools/emoji/evaluate.sh DATA OUT [MODEL]
#
# DATA is what `build.sh DATA …` wrote; OUT is made, outside the repository. A CLIP learns from one half of the pictures, and
# judges what is drawn from captions of the other half. It takes about a quarter of an hour on one core.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$(cd "$1" && pwd) out=$2 model=${3:-$here/models/emoji.safetensors}
langevin=${LANGEVIN_PROGRAM:-$here/.build/release/langevin}
[ ! -e "$out" ] || { echo "evaluate: $out is there already: give another name" >&2; exit 2; }
mkdir -p "$out/learnt" "$out/names" "$out/made"
python3 - "$data/train" "$out" <<'END'
import json, shutil, sys
data, out = sys.argv[1:]
with open(f"{data}/metadata.jsonl", encoding="utf-8") as file:
    rows = [json.loads(line) for line in file]
others = rows[1::2]
parts = {
    "learnt": rows[::2],
    # Emoji by their bare names, and pictures that were made of others.
    "names": [{**row, "text": row["text"][0]} for row in others if row["kind"].startswith("emoji")],
    "made": [row for row in others if not row["kind"].startswith("emoji")]}
for name, chosen in parts.items():
    with open(f"{out}/{name}/metadata.jsonl", "w", encoding="utf-8") as file:
        for row in chosen:
            shutil.copyfile(f"{data}/{row['file_name']}", f"{out}/{name}/{row['file_name']}")
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
END
"$langevin" train "$here/recipes/clip-emoji.yaml" --out "$out/clip" --set data.kind=folder --set data.path="$out/learnt" \
    --set data.split=all --set data.size=64 --set model.patch_size=16 --set training.steps=400
echo "Names of emoji that the model has learnt:"
"$langevin" evaluate "$model" --against "$out/names" --clip "$out/clip" --count 300
echo "The same over the scale of guidance:"
"$langevin" evaluate "$model" --against "$out/names" --clip "$out/clip" --count 100 --sweep 1 2 4 --plot "$out/sweep.png"
echo "Captions of other pictures that it has learnt: drawings, other colours, two things, places, numbers:"
"$langevin" evaluate "$model" --against "$out/made" --clip "$out/clip" --count 300
echo "Names of emoji that were held out:"
"$langevin" evaluate "$model" --against "$data/held-out"
# A step of training without a change, after which the loss is measured.
"$langevin" train "$here/recipes/emoji.yaml" --out "$out/loss" --set data.path="$data/train" \
    --set data.validation_path="$data/held-out" --set model.from="$model" --set training.steps=1 \
    --set training.warmup_steps=1 --set training.sample_every=0
echo "Loss of a batch that was learnt, and of 64 pictures that were held out:"
grep -oE '"(validation_)?loss":[0-9.]+' "$out/loss/metrics.jsonl"
