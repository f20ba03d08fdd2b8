#!/usr/bin/env bash
# Compares CUDA with the processor and measures it, on a machine with a GPU and PyTorch 2.11.0 (no Swift needed):
#
#   make dist cuda                                          where Swift is
#   scripts/gpu.sh OUT [MODEL…]                             where the GPU is, .build/static/release/langevin carried
#
# A small model of digits is trained on the spot; each MODEL is a folder in the diffusers layout, drawn with a prompt
# where it takes one. Leaves OUT/parity.md and OUT/bench.md. Fails where a picture is further off than its type allows.
# Never run so far: there was no GPU when it was written.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: scripts/gpu.sh OUT [MODEL…]}
shift
mkdir -p "$out"
program=.build/static/release/langevin
[ -x "$program" ] || { echo "gpu: no $program: make dist cuda" >&2; exit 2; }
[ -f "$(dirname "$program")/libLangevinCUDA.so" ] || echo "gpu: no libLangevinCUDA.so: plain operators only" >&2
python=${PYTHON:-python3}
torch=$("$python" -c 'import torch; assert torch.__version__.startswith("2.11.0"), torch.__version__; print(torch.__path__[0])')
export LD_LIBRARY_PATH="$PWD/$(dirname "$program"):$torch/lib:$(dirname "$torch")/nvidia/cu13/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader > "$out/gpu.txt" || true

"$program" train recipes/digits.yaml --set training.steps=100 --out "$out/digits"

# draw MODEL DEVICE TYPE FILE: twenty steps, four pictures, so that a step is recorded and replayed.
draw() {
    local options=(--device "$2" --dtype "$3" --steps 20 --count 4 --seed 1 -o "$4")
    if [ -d "$1/text_encoder" ]; then
        "$program" generate "a red cube on a table" --model "$1" "${options[@]}"
    else
        "$program" sample "$1" "${options[@]}"
    fi
}

# compare EXPECTED ACTUAL LIMIT LABEL: the largest and the mean difference, of the largest number expected.
compare() {
    "$python" - "$@" <<'PY'
import json, struct, sys, torch

def samples(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + size])["samples"]
    types = {"F32": torch.float32, "F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16}
    first, end = entry["data_offsets"]
    values = torch.frombuffer(bytearray(data[8 + size + first:8 + size + end]), dtype=types[entry["dtype"]])
    return values.double().reshape(entry["shape"])

expected, actual, limit, label = sys.argv[1:]
expected, actual = samples(expected), samples(actual)
off = (actual - expected).abs() / expected.abs().max()
ok = off.mean().item() <= float(limit)  # a NaN is not
print(f"| {label} | {off.max():.2e} | {off.mean():.2e} | {limit} | {'ok' if ok else 'FAILED'} |")
sys.exit(0 if ok else 1)
PY
}

failed=0
{
    echo "| model, type | largest difference | mean difference | limit of the mean | |"
    echo "|---|---|---|---|---|"
    for model in "$out/digits" "$@"; do
        name=$(basename "$model")
        draw "$model" cpu float32 "$out/$name-cpu.safetensors" >&2
        for row in float32:0.002 bfloat16:0.1; do
            IFS=: read -r type limit <<< "$row"
            own=$out/$name-$type
            if draw "$model" cuda "$type" "$own.safetensors" > "$own.log" 2>&1; then
                compare "$out/$name-cpu.safetensors" "$own.safetensors" "$limit" "$name, $type" || failed=1
            else
                echo "| $name, $type | | | $limit | FAILED: $(tail -1 "$own.log") |"
                failed=1
            fi
        done
    done
} > "$out/parity.md"
cat "$out/parity.md"
if grep "are not recorded" "$out"/*.log; then failed=1; fi

{
    echo "| work | type | milliseconds, median of 20 (tiny-1000: of 3) |"
    echo "|---|---|---|"
    for work in sd15-unet dit-xl2 sd-vae-decoder ddpm-cifar-forward ddpm-cifar-train tiny-1000; do
        for type in float32 bfloat16; do
            rounds=20
            [ "$work" = tiny-1000 ] && rounds=3
            "$program" bench "$work" --device cuda --dtype "$type" --rounds "$rounds" --json > "$out/bench.json" \
                && median=$(sed 's/.*"median_ms":\([0-9.]*\).*/\1/' "$out/bench.json") || { median=FAILED; failed=1; }
            echo "| $work | $type | $median |"
        done
    done
} > "$out/bench.md"
cat "$out/bench.md"
exit $failed
