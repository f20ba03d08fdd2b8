// How an operator starts a kernel of kernels.cu: on a GPU (launch.cpp), or in the tests on the processor.
#pragma once
#include <ATen/ATen.h>

#include <cstddef>

namespace langevin {

/// What a kernel is compiled for.
struct Types {
    /// What tensors hold.
    at::ScalarType scalar;
    /// What the weights of norms hold.
    at::ScalarType parameter;

    /// What is computed in.
    at::ScalarType real() const { return scalar == at::kDouble ? at::kDouble : at::kFloat; }
};

/// How many blocks of how many threads, with how many bytes of shared memory each.
struct Grid {
    unsigned x, y, threads;
    size_t shared;
};

/// Starts a kernel on the device of `x`; `arguments` point to its arguments.
void launch(const at::Tensor &x, const char *kernel, Types types, Grid grid, void **arguments);

/// Starts a kernel whose arguments have exactly the types that it declares.
template <typename... Arguments>
void start(const at::Tensor &x, const char *kernel, Types types, Grid grid, Arguments... arguments) {
    void *pointers[] = {&arguments...};
    launch(x, kernel, types, grid, pointers);
}

}  // namespace langevin
