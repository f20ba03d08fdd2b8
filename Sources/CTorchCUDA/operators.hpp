// The fused operators over the kernels of kernels.cu. Their schemas stand where they are defined for all
// devices, in Sources/CTorch.
#pragma once
#include <ATen/ATen.h>
#include <torch/library.h>

#include <optional>

namespace langevin {

using Optional = std::optional<at::Tensor>;

at::Tensor group_norm(const at::Tensor &x, int64_t groups, const at::Tensor &weight, const at::Tensor &bias,
                      double epsilon, bool silu);
at::Tensor layer_norm(const at::Tensor &x, const Optional &weight, const Optional &bias, const Optional &shift,
                      const Optional &scale, double epsilon);
at::Tensor geglu(const at::Tensor &x);
at::Tensor gated_add(const at::Tensor &x, const at::Tensor &gate, const at::Tensor &y);

/// Registers all of them for a device.
void implement(torch::Library &library);

}  // namespace langevin
