// Compiles the kernels for every mixture of types, which needs NVRTC and no GPU: scripts/cuda.sh runs it.
#include <cstdio>

#include "compile.hpp"

int main() {
    const std::pair<at::ScalarType, at::ScalarType> mixtures[] = {
        {at::kFloat, at::kFloat}, {at::kDouble, at::kDouble},     {at::kDouble, at::kFloat},   {at::kHalf, at::kHalf},
        {at::kHalf, at::kFloat},  {at::kBFloat16, at::kBFloat16}, {at::kBFloat16, at::kFloat},
    };
    try {
        for (int architecture : {80, 90, 100})
            for (auto [scalar, parameter] : mixtures) langevin::compile({scalar, parameter}, architecture);
    } catch (const c10::Error &error) {
        std::fprintf(stderr, "cuda: %s\n", error.what_without_backtrace());
        return 1;
    }
    std::fprintf(stderr, "cuda: NVRTC compiles the kernels for 80, 90 and 100\n");
}
