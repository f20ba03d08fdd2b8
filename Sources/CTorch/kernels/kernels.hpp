// Kernels of our own for processors, where a profile showed libtorch far from what the machine can do.
//
// Each is an operator `langevin::…` of libtorch's dispatcher (library.cpp), so Swift calls it as it calls every
// other.
// Arguments are checked there; here tensors are float32 or bfloat16, all of one type, pictures channels-last.
#pragma once
#include <ATen/ATen.h>

namespace ct {

/// Whether this processor has the instructions that the kernels for an element type need.
bool has_kernels(at::ScalarType type);

using Optional = std::optional<at::Tensor>;

/// What follows a product. The numbers are those that Swift passes.
enum class After : int64_t { nothing = 0, silu = 1, gelu = 2, geluTanh = 3, geglu = 4 };

/// - splits: whether products take float32 numbers as sums of two bfloat16 numbers.
at::Tensor pack_matrix(const at::Tensor &weight, bool isGated, bool splits);
at::Tensor unpack_matrix(const at::Tensor &packed, int64_t outputs, int64_t inputs, bool isGated);
at::Tensor linear(const at::Tensor &x, const at::Tensor &packed, const Optional &bias, int64_t outputs, int64_t after,
                  const Optional &residual, const Optional &gate);

/// - isBackward: for the convolution that takes a gradient back from the outputs of `weight` to its inputs.
at::Tensor pack_convolution(const at::Tensor &weight, bool isBackward);
at::Tensor unpack_convolution(const at::Tensor &packed, int64_t outputs, int64_t inputs);
/// With weights in bfloat16 the picture may be float32, and with `widens` the result is. In float32 it goes Winograd's
/// way where that pays.
at::Tensor convolution(const at::Tensor &x, const at::Tensor &packed, const Optional &bias, int64_t outputs,
                       const Optional &norm, bool silu, const Optional &addend, const Optional &residual, bool widens);

/// The gradients of weight and bias in float32, of pictures in bfloat16 whose channels lie innermost. That of the weight
/// lies in memory as the weight does.
std::tuple<at::Tensor, at::Tensor> convolution_weight_gradient(const at::Tensor &x, const at::Tensor &gradient,
                                                               const at::Tensor &weight);

/// The same of a depthwise convolution of kernel 3, 5 or 7, of pictures in either type.
std::tuple<at::Tensor, at::Tensor> depthwise_weight_gradient(const at::Tensor &x, const at::Tensor &gradient,
                                                             const at::Tensor &weight);

/// A convolution in float32 by fewer products; weights take four times the memory.
at::Tensor pack_winograd(const at::Tensor &weight, bool isBackward);
at::Tensor winograd(const at::Tensor &x, const at::Tensor &packed, const Optional &bias, int64_t outputs,
                    const Optional &norm, bool silu, const Optional &addend, const Optional &residual);
/// The same with weights as `pack_convolution` gives them.
at::Tensor transforming_winograd(const at::Tensor &x, const at::Tensor &packed, const Optional &bias, int64_t outputs,
                                 const Optional &norm, bool silu, const Optional &addend, const Optional &residual);
/// Whether that is faster: where there are tiles enough for the weights that have to be transformed or read. It does not
/// look at the batch, so that a picture of a batch is that picture alone.
bool winograd_pays(const at::Tensor &x, int64_t outputs);
/// Whether transformed weights are few enough to be kept.
bool winograd_keeps_weights(int64_t inputs, int64_t outputs);
/// The gradient of the weights, `[outputs, inputs, 3, 3]`; both pictures have their channels innermost.
at::Tensor winograd_weight_gradient(const at::Tensor &x, const at::Tensor &gradient);

/// Pictures of one type and size side by side along their channels.
at::Tensor join_channels(at::TensorList pictures);

at::Tensor attention(const at::Tensor &query, const at::Tensor &key, const at::Tensor &value,
                     std::optional<double> scale);
/// The same, for `attention_gradient`.
/// - logarithms: of what the softmax divides by, if asked for: the base is 2, `[batch, heads, queries]`.
at::Tensor attention_with_logarithms(const at::Tensor &query, const at::Tensor &key, const at::Tensor &value,
                                     std::optional<double> scale, at::Tensor *logarithms);
/// From the gradient at the output, those of queries, keys and values.
std::tuple<at::Tensor, at::Tensor, at::Tensor> attention_gradient(const at::Tensor &query, const at::Tensor &key,
                                                                  const at::Tensor &value, const at::Tensor &output,
                                                                  const at::Tensor &logarithms,
                                                                  const at::Tensor &gradient,
                                                                  std::optional<double> scale);

/// The a and b with which a·x + b is the group norm, `[2, batch, channels]` in float32. Weights are 1 and biases 0
/// where there are none.
at::Tensor group_norm_factors(const at::Tensor &x, int64_t groups, const Optional &weight, const Optional &bias,
                              double epsilon, const Optional &scale, const Optional &shift);
at::Tensor group_norm(const at::Tensor &x, int64_t groups, const at::Tensor &weight, const at::Tensor &bias,
                      double epsilon, bool silu);
/// silu(a·x + b), or without SiLU, of a picture whose channels lie innermost.
at::Tensor scale_channels(const at::Tensor &x, const at::Tensor &factors, bool silu);
/// From the gradient at silu(norm(x)), or without SiLU, those of x, weight and bias; `moments` are the factors of the
/// norm without weight and bias.
std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm_gradient(const at::Tensor &x, const at::Tensor &gradient,
                                                                   const at::Tensor &moments, int64_t groups,
                                                                   const at::Tensor &weight, const at::Tensor &bias,
                                                                   bool silu);
at::Tensor layer_norm(const at::Tensor &x, const Optional &weight, const Optional &bias, const Optional &shift,
                      const Optional &scale, double epsilon);

/// GELU of numbers without gaps between them, by the hyperbolic tangent or exactly, and what comes back from it.
at::Tensor gelu(const at::Tensor &x, bool isTanh);
at::Tensor gelu_gradient(const at::Tensor &x, const at::Tensor &gradient, bool isTanh);

/// a·x̂ + b in a type of its own, where x̂ is the layer norm of `[…, width]` without parameters; a and b are `[examples,
/// width]` in float32, for rows of one example after the other.
at::Tensor scaled_layer_norm(const at::Tensor &x, const at::Tensor &a, const at::Tensor &b, double epsilon,
                             at::ScalarType type);
/// From the gradient at it, that of x, and the sums of the gradient and of its product with x̂ over the rows of each
/// example, `[examples, 2, width]`.
std::tuple<at::Tensor, at::Tensor> scaled_layer_norm_gradient(const at::Tensor &x, const at::Tensor &a, double epsilon,
                                                              const at::Tensor &gradient);

/// x + gate·y in the type of x, with gates `[examples, width]` in float32.
at::Tensor gated_sum(const at::Tensor &x, const at::Tensor &gate, const at::Tensor &y);
/// From the gradient at it, those of y and of the gates.
std::tuple<at::Tensor, at::Tensor> gated_sum_gradient(const at::Tensor &gate, const at::Tensor &y,
                                                      const at::Tensor &gradient);

}  // namespace ct
