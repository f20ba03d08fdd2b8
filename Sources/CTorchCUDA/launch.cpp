// Kernels on a GPU: compiled where they are first asked for, started on the current stream.
#include "launch.hpp"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <torch/library.h>

#include <map>
#include <mutex>

#include "compile.hpp"
#include "operators.hpp"

namespace langevin {
namespace {

/// Ten times the compute capability of a device.
int architecture(int device) {
    int major = 0, minor = 0;
    C10_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    C10_CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
    return 10 * major + minor;
}

/// The compiled kernels for some types; compiled once in a process, good for every device of a kind.
cudaLibrary_t library(Types types, int architecture) {
    static std::mutex mutex;
    static std::map<std::tuple<at::ScalarType, at::ScalarType, int>, cudaLibrary_t> compiled;
    std::lock_guard<std::mutex> lock(mutex);
    auto &library = compiled[{types.scalar, types.parameter, architecture}];
    if (library == nullptr) {
        auto code = compile(types, architecture);
        C10_CUDA_CHECK(cudaLibraryLoadData(&library, code.data(), nullptr, nullptr, 0, nullptr, nullptr, 0));
    }
    return library;
}

}  // namespace

void launch(const at::Tensor &x, const char *name, Types types, Grid grid, void **arguments) {
    c10::cuda::CUDAGuard guard(x.device());
    cudaKernel_t kernel = nullptr;
    C10_CUDA_CHECK(cudaLibraryGetKernel(&kernel, library(types, architecture(x.device().index())), name));
    auto stream = c10::cuda::getCurrentCUDAStream();
    C10_CUDA_CHECK(cudaLaunchKernel(reinterpret_cast<const void *>(kernel), dim3(grid.x, grid.y), dim3(grid.threads),
                                    arguments, grid.shared, stream));
}

TORCH_LIBRARY_IMPL(langevin, CUDA, library) { implement(library); }

}  // namespace langevin
