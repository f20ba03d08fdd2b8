#!/usr/bin/env bash
# Writes the committed reference tensors of seed 0 again. Usage: Tools/oracle/fixtures.sh [PYTHON [SAMPLING]]
# SAMPLING is k-diffusion's sampling.py; without it the files of k-diffusion stay as they are.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
fixtures=$here/../../Tests/Fixtures
python=${1:-$("$here/setup.sh")}
for oracle in unet unet_condition convnext autoencoders autoencoder_losses ddpm s0 noise forward frechet optimizer variance \
    guidance montecarlo bound transport layouts pickles vocabulary float8 byte_pairs resnet efficient_unet data_order classifier unclip autoregressive bert; do
    rm -rf "${fixtures:?}/$oracle"
    "$python" "$here/$oracle.py" --seed 0 --out "$fixtures/$oracle" >&2
done
"$python" "$here/unet_condition.py" --seed 1 --added --cases 5 --out "$fixtures/unet_condition" >&2
rm -rf "${fixtures:?}/depth" "${fixtures:?}/enlarging" "${fixtures:?}/upscaling"
"$python" "$here/depth.py" --seed 0 --out "$fixtures/depth" >&2
"$python" "$here/enlarging.py" --seed 0 --cases 4 --out "$fixtures/enlarging" >&2
"$python" "$here/cascades_upscale.py" --seed 0 --out "$fixtures/upscaling" >&2
if [ -n "${EDM:-}" ]; then
    # A checkout of NVlabs/edm, which stays outside this project.
    "$python" "$here/edm.py" --edm "$EDM" --seed 0 --out "$fixtures/edm" >&2
fi
rm -rf "${fixtures:?}/degradation"
"$python" "$here/degradation.py" --seed 0 --out "$fixtures/degradation" >&2
rm -rf "${fixtures:?}/deepfloyd"
"$python" "$here/cascades_imagen.py" --seed 0 --out "$fixtures/deepfloyd" >&2
rm -rf "${fixtures:?}/places"
"$python" "$here/latents.py" --seed 0 --out "$fixtures/places" >&2
rm -rf "${fixtures:?}/mlp"
for seed in 0 1 2; do
    "$python" "$here/mlp.py" --seed "$seed" --cases 2 --out "$fixtures/mlp" >&2
done
rm -rf "${fixtures:?}/objectives"
for seed in 0 1; do
    "$python" "$here/objectives.py" --seed $seed --cases 40 --out "$fixtures/objectives" >&2
done
rm -rf "${fixtures:?}/text"
"$python" "$here/text_encoders.py" --seed 0 --out "$fixtures/text" >&2
"$python" "$here/unet_blocks.py" --seed 0 --out "$fixtures/unet" >&2
for kind in dit mmdit; do
    rm -rf "${fixtures:?}/$kind"
    "$python" "$here/transformers_oracle.py" --seed 0 --only $kind --out "$fixtures/$kind" >&2
done
rm -rf "$fixtures/tokenizers"
"$python" "$here/tokenizers_oracle.py" --seed 0 --out "$fixtures/tokenizers" >&2
rm -rf "$fixtures/pipelines"
"$python" "$here/pipelines.py" --seed 0 --out "$fixtures/pipelines" >&2
rm -rf "$fixtures/control"
"$python" "$here/control.py" --seed 0 --out "$fixtures/control" >&2
rm -rf "$fixtures/ip_adapter"
"$python" "$here/ip_adapter.py" --seed 0 --out "$fixtures/ip_adapter" >&2
"$python" "$here/peft_folders.py" --seed 0 --out "$fixtures/peft" >&2
if [ -n "${SKIMAGE:-}" ]; then
    # A Python with scikit-image and safetensors.
    rm -rf "$fixtures/control_pictures"
    "$SKIMAGE" "$here/control_pictures.py" --seed 0 --cases 3 --out "$fixtures/control_pictures" >&2
fi
rm -rf "$fixtures/unclip-pipelines"
"$python" "$here/cascades_unclip.py" --seed 0 --out "$fixtures/unclip-pipelines" >&2
rm -rf "$fixtures/repeats"
"$python" "$here/repeats.py" --seed 0 --out "$fixtures/repeats" >&2
mkdir -p "$fixtures/solvers"
if [ $# -ge 2 ]; then keep=none; else keep='k-*'; fi
find "$fixtures/solvers" -name '*.safetensors' ! -name "$keep" -delete
"$python" "$here/solvers.py" --seed 0 --out "$fixtures/solvers" ${2:+--k-diffusion "$2"} >&2
find "$fixtures" -type f -exec chmod 644 {} +
