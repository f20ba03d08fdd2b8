#!/usr/bin/env bash
# Builds what runs on NVIDIA's cards only, libLangevinCUDA.so, beside the programs that are there.
# Needs no GPU: libtorch's headers and those of the CUDA runtime, which scripts/setup.sh has fetched, and 1 MB more.
# Where an NVRTC can be loaded (LD_LIBRARY_PATH, or a whole PyTorch), the kernels are compiled once to see that they can.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f .libtorch/environment ] || scripts/setup.sh
source .libtorch/environment
[ "$(uname -s)" = Linux ] || { echo "cuda: only Linux has CUDA" >&2; exit 2; }
torch=$(dirname "$LANGEVIN_TORCH_LIB")
runtime=
for place in "$torch"/../nvidia/cu13 "${CUDA_HOME:-/usr/local/cuda}"; do
    if [ -z "$runtime" ] && [ -f "$place/include/cuda_runtime_api.h" ]; then runtime=$place; fi
done
[ -n "$runtime" ] || { echo "cuda: no cuda_runtime_api.h beside $torch; set CUDA_HOME to a CUDA 13 toolkit" >&2; exit 2; }

# The runtime's headers include some that come in another wheel.
crt=$runtime
if [ ! -f "$runtime/include/crt/host_config.h" ]; then
    crt=$PWD/.build/cuda/crt/nvidia/cu13
    [ -d "$crt" ] || python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
        --target .build/cuda/crt --no-deps 'nvidia-cuda-crt>=13.0,<13.1' >&2
fi

# The compiler of the toolchain, as for everything else.
compiler=$(dirname "$(readlink -f "$(command -v swift)")")/clang++
[ -x "$compiler" ] || compiler=clang++
sources=Sources/CTorchCUDA
objects=.build/cuda
mkdir -p "$objects"
{ echo 'R"CUDA('; cat "$sources/kernels.cu"; echo ')CUDA"'; } > "$objects/kernels.inc"
flags=(-std=c++20 -O2 -fPIC -Wall -I "$objects" -I Sources/CTorch/include
    -isystem "$torch/include" -isystem "$torch/include/torch/csrc/api/include" -isystem "$runtime/include"
    -isystem "$crt/include")
newest=$(ls -t "$sources"/* Sources/CTorch/*.hpp Sources/CTorch/include/* | head -1)
for name in operators compile launch graph check; do
    object=$objects/$name.o
    [ "$object" -nt "$newest" ] || "$compiler" "${flags[@]}" -c "$sources/$name.cpp" -o "$object"
done

libraries=(-L "$LANGEVIN_TORCH_LIB" -ltorch_cuda -lc10_cuda -ltorch_cpu -lc10 "$(ls "$runtime"/lib*/libcudart.so.13 | head -1)"
    -Wl,-rpath,'$ORIGIN' -Wl,-rpath,"$LANGEVIN_TORCH_LIB" -ldl)
library=$objects/libLangevinCUDA.so
# Every symbol must be found now: the library is loaded with RTLD_NOW on a machine that cannot link.
"$compiler" -shared -Wl,--no-undefined -Wl,--allow-shlib-undefined -o "$library" \
    "$objects"/{operators,compile,launch,graph}.o "${libraries[@]}"
for folder in .build/release .build/static/release; do
    if [ -d "$folder" ]; then cp "$library" "$folder/"; fi
done
echo "cuda: $library" >&2

# The check links no CUDA library, so it starts where there is none.
"$compiler" -o "$objects/check" "$objects"/{compile,check}.o -L "$LANGEVIN_TORCH_LIB" -ltorch_cpu -lc10 -ldl \
    -Wl,-rpath,"$LANGEVIN_TORCH_LIB"
"$objects/check" || echo "cuda: the kernels were not compiled" >&2
