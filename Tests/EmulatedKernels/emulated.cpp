// The kernels and the operators of Sources/CTorchCUDA on the processor: a thread for each thread of a block,
// the blocks one after another. Slow, and the same arithmetic.
#include <torch/library.h>

#include <algorithm>
#include <barrier>
#include <bit>
#include <cmath>
#include <map>
#include <thread>

#include "../../Sources/CTorchCUDA/launch.hpp"
#include "../../Sources/CTorchCUDA/operators.cpp"

namespace {

struct Index {
    unsigned x, y;
};
thread_local Index threadIdx, blockIdx, blockDim, gridDim;
thread_local void *shared_memory_of_block;
thread_local std::barrier<> *barrier_of_block;

void __syncthreads() { barrier_of_block->arrive_and_wait(); }
float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }

struct bf16 {
    unsigned short bits;
};
struct f16 {
    unsigned short bits;
};
float wide(f16 x) { return static_cast<float>(c10::Half(x.bits, c10::Half::from_bits())); }
void narrow(float x, f16 &y) { y.bits = c10::Half(x).x; }

using std::erf, std::exp, std::sqrt;

#define EMULATED
#define KERNEL static
#define DEVICE static inline
#define SHARED(type, name) type *name = static_cast<type *>(shared_memory_of_block)

namespace float32 {
#define SCALAR float
#define PARAMETER float
#define REAL float
#include "../../Sources/CTorchCUDA/kernels.cu"
#undef SCALAR
}  // namespace float32
namespace float16 {
#define SCALAR f16
#include "../../Sources/CTorchCUDA/kernels.cu"
#undef SCALAR
#undef PARAMETER
}  // namespace float16
namespace bfloat16 {
#define SCALAR bf16
#define PARAMETER bf16
#include "../../Sources/CTorchCUDA/kernels.cu"
#undef SCALAR
#undef PARAMETER
#undef REAL
}  // namespace bfloat16
namespace float64 {
#define SCALAR double
#define PARAMETER double
#define REAL double
#include "../../Sources/CTorchCUDA/kernels.cu"
}  // namespace float64

using Kernel = std::function<void(void **)>;

template <typename... Arguments, size_t... I>
Kernel unpacked(void (*kernel)(Arguments...), std::index_sequence<I...>) {
    return [kernel](void **arguments) { kernel(*static_cast<Arguments *>(arguments[I])...); };
}

template <typename... Arguments>
Kernel unpacked(void (*kernel)(Arguments...)) {
    return unpacked(kernel, std::index_sequence_for<Arguments...>());
}

#define KERNELS(space)                                                                                  \
    {                                                                                                   \
        {"group_sums", unpacked(space::group_sums)}, {"group_statistics", unpacked(space::group_statistics)}, \
        {"group_apply", unpacked(space::group_apply)}, {"layer_norm", unpacked(space::layer_norm)},     \
        {"geglu", unpacked(space::geglu)}, {"gated_add", unpacked(space::gated_add)},                   \
    }

const std::map<std::string, Kernel> &kernels(langevin::Types types) {
    using Mixture = std::pair<at::ScalarType, at::ScalarType>;
    static const std::map<Mixture, std::map<std::string, Kernel>> all{
        {{at::kFloat, at::kFloat}, KERNELS(float32)},
        {{at::kHalf, at::kFloat}, KERNELS(float16)},
        {{at::kHalf, at::kHalf}, KERNELS(float16)},  // for kernels without weights
        {{at::kBFloat16, at::kBFloat16}, KERNELS(bfloat16)},
        {{at::kDouble, at::kDouble}, KERNELS(float64)},
    };
    return all.at({types.scalar, types.parameter});
}

}  // namespace

void langevin::launch(const at::Tensor &, const char *name, Types types, Grid grid, void **arguments) {
    const auto &kernel = kernels(types).at(name);
    for (unsigned y = 0; y < grid.y; y++)
        for (unsigned x = 0; x < grid.x; x++) {
            std::barrier<> barrier(grid.threads);
            std::vector<double> shared(grid.shared / sizeof(double) + 1);
            std::vector<std::thread> threads;
            for (unsigned thread = 0; thread < grid.threads; thread++)
                threads.emplace_back([&, thread] {
                    threadIdx = {thread, 0}, blockIdx = {x, y};
                    blockDim = {grid.threads, 1}, gridDim = {grid.x, grid.y};
                    shared_memory_of_block = shared.data(), barrier_of_block = &barrier;
                    kernel(arguments);
                });
            for (auto &thread : threads) thread.join();
        }
}

TORCH_LIBRARY(langevin_emulated, library) {
    library.def("group_norm(Tensor x, int groups, Tensor weight, Tensor bias, float epsilon, bool silu) -> Tensor");
    library.def(
        "layer_norm(Tensor x, Tensor? weight, Tensor? bias, Tensor? shift, Tensor? scale, float epsilon) -> Tensor");
    library.def("geglu(Tensor x) -> Tensor");
    library.def("gated_add(Tensor x, Tensor gate, Tensor y) -> Tensor");
}
TORCH_LIBRARY_IMPL(langevin_emulated, CPU, library) { langevin::implement(library); }

// The same functions for a device that is never used: libtorch refuses them where they no longer fit the
// program's own `langevin::…`, and with that every test of this bundle, not a program on a card.
TORCH_LIBRARY_IMPL(langevin, FPGA, library) { langevin::implement(library); }
