// The operators `langevin::…`: their signatures, their kernels, and what they mean where there is no kernel.
//
// An operator that is a formula of libtorch's own operators means that formula on every device. On a processor with the
// instructions a kernel serves it in inference; where gradients are recorded it is the formula still, but for the few
// that have a kernel for the way back. An operator on packed weights has the kernel only, and layers ask for it only
// where there is one (`ct_has_kernels`).
#include <ATen/autocast_mode.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>

#include "../internal.hpp"
#include "kernels.hpp"
#include "vectors.hpp"

namespace ct {

bool has_kernels(at::ScalarType type) {
#if CT_KERNELS
    static const bool hasVectors = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    static const bool hasBrain = hasVectors && __builtin_cpu_supports("avx512bf16");
    return type == at::kFloat ? hasVectors : type == at::kBFloat16 && hasBrain;
#else
    return false;
#endif
}

namespace {

bool isServed(const at::Tensor &x) { return x.is_cpu() && has_kernels(x.scalar_type()); }

// MARK: Formulas

at::Tensor group_norm_formula(const at::Tensor &x, int64_t groups, const at::Tensor &weight, const at::Tensor &bias,
                              double epsilon, bool silu) {
    auto y = at::group_norm(x, groups, weight, bias, epsilon);
    return silu ? at::silu(y) : y;
}

at::Tensor layer_norm_formula(const at::Tensor &x, const Optional &weight, const Optional &bias, const Optional &shift,
                              const Optional &scale, double epsilon) {
    auto y = at::layer_norm(x, {x.size(-1)}, weight, bias, epsilon);
    if (!shift.has_value() || !scale.has_value()) return y;
    return at::addcmul(*shift, y, *scale + 1);
}

// MARK: Kernels, where they serve

at::Tensor group_norm_cpu(const at::Tensor &x, int64_t groups, const at::Tensor &weight, const at::Tensor &bias,
                          double epsilon, bool silu) {
#if CT_KERNELS
    if (isServed(x) && x.dim() == 4 && x.numel() > 0) {
        return group_norm(x, groups, weight, bias, epsilon, silu);
    }
#endif
    return group_norm_formula(x, groups, weight, bias, epsilon, silu);
}

at::Tensor layer_norm_cpu(const at::Tensor &x, const Optional &weight, const Optional &bias, const Optional &shift,
                          const Optional &scale, double epsilon) {
#if CT_KERNELS
    const auto fits = [&](const Optional &t) { return !t.has_value() || t->scalar_type() == x.scalar_type(); };
    if (isServed(x) && x.numel() > 0 && fits(weight) && fits(bias) && fits(shift) && fits(scale)) {
        return layer_norm(x, weight, bias, shift, scale, epsilon);
    }
#endif
    return layer_norm_formula(x, weight, bias, shift, scale, epsilon);
}

/// In the picture's type.
at::Tensor convolution_formula(const at::Tensor &x, const at::Tensor &weight, const Optional &bias) {
    const auto type = x.scalar_type();
    return at::conv2d(x, weight.to(type), bias.has_value() ? bias->to(type) : bias, 1, 1);
}

/// The same with a kernel for each channel.
at::Tensor depthwise_formula(const at::Tensor &x, const at::Tensor &weight, const Optional &bias) {
    const auto type = x.scalar_type();
    return at::conv2d(x, weight.to(type), bias.has_value() ? bias->to(type) : bias, 1, weight.size(3) / 2, 1, x.size(1));
}

at::Tensor gelu_formula(const at::Tensor &x, bool isTanh) { return at::gelu(x, isTanh ? "tanh" : "none"); }

/// x[…, :n] · gelu(x[…, n:])
at::Tensor geglu(const at::Tensor &x) {
    const auto halves = x.chunk(2, -1);
    return halves[0] * at::gelu(halves[1]);
}

at::Tensor gated_add(const at::Tensor &x, const at::Tensor &gate, const at::Tensor &y) {
    return at::addcmul(x, gate, y);
}

at::Tensor gelu_cpu(const at::Tensor &x, bool isTanh) {
#if CT_KERNELS
    if (isServed(x) && x.numel() > 0 && x.is_non_overlapping_and_dense()) return gelu(x, isTanh);
#endif
    return gelu_formula(x, isTanh);
}

at::Tensor join_formula(at::TensorList pictures) { return at::cat(pictures, 1); }

at::Tensor join_cpu(at::TensorList pictures) {
#if CT_KERNELS
    const auto fits = [&](const at::Tensor &x) {
        return isServed(x) && x.dim() == 4 && x.numel() > 0 && x.scalar_type() == pictures[0].scalar_type() &&
               x.sizes().slice(2) == pictures[0].sizes().slice(2) && x.size(0) == pictures[0].size(0);
    };
    if (!pictures.empty() && std::all_of(pictures.begin(), pictures.end(), fits)) return join_channels(pictures);
#endif
    return join_formula(pictures);
}

at::Tensor attention_formula(const at::Tensor &query, const at::Tensor &key, const at::Tensor &value,
                             std::optional<double> scale) {
    return at::scaled_dot_product_attention(query, key, value, {}, 0, false, scale);
}

/// Whether the kernels of attention take these. They want the features of a head in pairs.
bool attends(const at::Tensor &query, const at::Tensor &key, const at::Tensor &value) {
    const auto fits = [&](const at::Tensor &x) {
        return isServed(x) && x.dim() == 4 && x.numel() > 0 && x.scalar_type() == query.scalar_type();
    };
    const bool isCast = at::autocast::is_autocast_enabled(at::kCPU) &&
                        at::autocast::get_autocast_dtype(at::kCPU) != query.scalar_type();
    return !isCast && fits(query) && fits(key) && fits(value) && query.size(3) % 2 == 0 && value.size(3) % 2 == 0;
}

at::Tensor attention_cpu(const at::Tensor &query, const at::Tensor &key, const at::Tensor &value,
                         std::optional<double> scale) {
#if CT_KERNELS
    if (attends(query, key, value)) return attention(query, key, value, scale);
#endif
    return attention_formula(query, key, value, scale);
}

// MARK: In front of kernels, which record nothing: the formula where gradients are recorded

template <auto formula, typename Schema, typename... Arguments>
at::Tensor recorded(const char *name, const Arguments &...arguments) {
    if (at::GradMode::is_enabled()) return formula(arguments...);
    at::AutoDispatchBelowADInplaceOrView below;
    static const auto operation = c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Schema>();
    return operation.call(arguments...);
}

#if CT_KERNELS
/// Gradients of gradients are the formula's: from what comes back from y, that of each input that wants one.
torch::autograd::variable_list formula_gradients(const at::Tensor &y, const torch::autograd::variable_list &inputs,
                                                 const torch::autograd::variable_list &gradients) {
    torch::autograd::variable_list wanting, result(inputs.size());
    for (const auto &input : inputs) {
        if (input.requires_grad()) wanting.push_back(input);
    }
    const auto found = torch::autograd::grad({y}, wanting, gradients, true, true, true);
    for (size_t i = 0, next = 0; i < inputs.size(); i++) {
        if (inputs[i].requires_grad()) result[i] = found[next++];
    }
    return result;
}

/// The group norm of training, where channels lie innermost.
struct RecordedGroupNorm : torch::autograd::Function<RecordedGroupNorm> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, int64_t groups,
                              const at::Tensor &weight, const at::Tensor &bias, double epsilon, bool silu) {
        at::AutoDispatchBelowADInplaceOrView below;
        const auto moments = group_norm_factors(x, groups, {}, {}, epsilon, {}, {});
        context->save_for_backward({x, weight, bias, moments});
        context->saved_data["groups"] = groups;
        context->saved_data["epsilon"] = epsilon;
        context->saved_data["silu"] = silu;
        const auto w = weight.to(at::kFloat);
        return scale_channels(x, at::stack({moments[0] * w, moments[1] * w + bias.to(at::kFloat)}), silu);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &weight = saved[1], &bias = saved[2];
        const auto groups = context->saved_data["groups"].toInt();
        const auto epsilon = context->saved_data["epsilon"].toDouble();
        const auto silu = context->saved_data["silu"].toBool();
        if (at::GradMode::is_enabled()) {
            const auto y = group_norm_formula(x, groups, weight, bias, epsilon, silu);
            const auto found = formula_gradients(y, {x, weight, bias}, gradients);
            return {found[0], {}, found[1], found[2], {}, {}};
        }
        auto [dx, dw, db] = group_norm_gradient(x, gradients[0], saved[3], groups, weight, bias, silu);
        return {dx, {}, dw, db, {}, {}};
    }
};

/// The GELU of training.
struct RecordedGELU : torch::autograd::Function<RecordedGELU> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, bool isTanh) {
        at::AutoDispatchBelowADInplaceOrView below;
        context->save_for_backward({x});
        context->saved_data["tanh"] = isTanh;
        return gelu(x, isTanh);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   torch::autograd::variable_list gradients) {
        const auto x = context->get_saved_variables()[0];
        const bool isTanh = context->saved_data["tanh"].toBool();
        if (at::GradMode::is_enabled()) return {formula_gradients(gelu_formula(x, isTanh), {x}, gradients)[0], {}};
        return {gelu_gradient(x, gradients[0].to(x.scalar_type()), isTanh), {}};
    }
};

/// The layer norm of training. x̂ is the norm without parameters; they, and an example's own, make it a·x̂ + b.
struct RecordedLayerNorm : torch::autograd::Function<RecordedLayerNorm> {
    /// `[examples, width]` in float32, or a number where there is none.
    static at::Tensor rows(const at::Tensor &t, double otherwise, const at::Tensor &x) {
        return t.defined() ? t.to(at::kFloat).reshape({-1, x.size(-1)}) : at::full({1, 1}, otherwise, at::kFloat);
    }

    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, const Optional &weight,
                              const Optional &bias, const Optional &shift, const Optional &scale, double epsilon,
                              at::ScalarType type) {
        at::AutoDispatchBelowADInplaceOrView below;
        const auto given = [](const Optional &t) { return t.value_or(at::Tensor()); };
        context->save_for_backward({x, given(weight), given(bias), given(shift), given(scale)});
        context->saved_data["epsilon"] = epsilon;
        const auto own = rows(given(scale), 0, x) + 1;
        const int64_t examples = shift.has_value() || scale.has_value() ? x.size(0) : 1;
        const auto each = [&](const at::Tensor &t) { return t.expand({examples, x.size(-1)}).contiguous(); };
        const auto a = each(rows(given(weight), 1, x) * own);
        const auto b = each(rows(given(bias), 0, x) * own + rows(given(shift), 0, x));
        return scaled_layer_norm(x, a, b, epsilon, type);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &x = saved[0], &weight = saved[1], &bias = saved[2], &shift = saved[3], &scale = saved[4];
        const double epsilon = context->saved_data["epsilon"].toDouble();
        if (at::GradMode::is_enabled()) {
            const auto given = [](const at::Tensor &t) { return t.defined() ? Optional(t) : std::nullopt; };
            const auto y = layer_norm_formula(x, given(weight), given(bias), given(shift), given(scale), epsilon);
            torch::autograd::variable_list wanting;
            for (const auto &t : saved) wanting.push_back(t.defined() ? t : at::zeros({}));
            auto found = formula_gradients(y, wanting, {gradients[0].to(y.scalar_type())});
            found.resize(7);
            return found;
        }
        const auto own = rows(scale, 0, x) + 1, w = rows(weight, 1, x);
        const int64_t examples = shift.defined() || scale.defined() ? x.size(0) : 1;
        const auto a = (w * own).expand({examples, x.size(-1)}).contiguous();
        auto [dx, sums] = scaled_layer_norm_gradient(x, a, epsilon, gradients[0]);
        const auto sum = sums.select(1, 0), product = sums.select(1, 1);
        const auto like = [](const at::Tensor &found, const at::Tensor &t) -> at::Tensor {
            if (!t.defined()) return {};
            return (t.dim() == 1 ? found.sum(0) : found).reshape(t.sizes()).to(t.scalar_type());
        };
        return {dx, like(product * own, weight), like(sum * own, bias), like(sum, shift),
                like(product * w + sum * rows(bias, 0, x), scale), {}, {}};
    }
};

/// The gated sum of training.
struct RecordedGatedSum : torch::autograd::Function<RecordedGatedSum> {
    static at::Tensor rows(const at::Tensor &gate) {
        return gate.to(at::kFloat).reshape({-1, gate.size(-1)}).contiguous();
    }

    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, const at::Tensor &gate,
                              const at::Tensor &y) {
        at::AutoDispatchBelowADInplaceOrView below;
        context->save_for_backward({gate, y});
        return gated_sum(x, rows(gate), y);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &gate = saved[0], &y = saved[1];
        if (at::GradMode::is_enabled()) {
            return {gradients[0], (gradients[0] * y).sum_to_size(gate.sizes()).to(gate.scalar_type()),
                    (gradients[0] * gate).to(y.scalar_type())};
        }
        auto [dy, dGate] = gated_sum_gradient(rows(gate), y, gradients[0]);
        return {gradients[0], dGate.reshape(gate.sizes()).to(gate.scalar_type()), dy};
    }
};

/// The attention of training.
struct RecordedAttention : torch::autograd::Function<RecordedAttention> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &query, const at::Tensor &key,
                              const at::Tensor &value, std::optional<double> scale) {
        at::AutoDispatchBelowADInplaceOrView below;
        at::Tensor logarithms;
        const auto output = attention_with_logarithms(query, key, value, scale, &logarithms);
        context->save_for_backward({query, key, value, output, logarithms});
        context->saved_data["scale"] = scale;
        return output;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &query = saved[0], &key = saved[1], &value = saved[2];
        const auto scale = context->saved_data["scale"].toOptional<double>();
        if (at::GradMode::is_enabled()) {
            // As products: libtorch's fast attention has no second gradients.
            const double factor = scale.value_or(1 / std::sqrt(static_cast<double>(query.size(3))));
            const auto weights = at::softmax(at::matmul(query * factor, key.transpose(-1, -2)), -1);
            const auto found = formula_gradients(at::matmul(weights, value), {query, key, value}, gradients);
            return {found[0], found[1], found[2], {}};
        }
        auto [dQ, dK, dV] = attention_gradient(query, key, value, saved[3], saved[4], gradients[0], scale);
        return {dQ, dK, dV, {}};
    }
};

/// The convolution of training. In float32 by fewer products, forward and back to the picture; in bfloat16, where weights
/// stay in float32, libtorch's own, and its gradient at the weights by a kernel of ours.
struct RecordedConvolution : torch::autograd::Function<RecordedConvolution> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, const at::Tensor &weight,
                              const Optional &bias) {
        at::AutoDispatchBelowADInplaceOrView below;
        context->save_for_backward({x, weight, bias.value_or(at::Tensor())});
        if (x.scalar_type() != at::kFloat) return convolution_formula(x, weight, bias);
        return winograd(x, pack_winograd(weight, false), bias, weight.size(0), {}, false, {}, {});
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto x = saved[0], weight = saved[1].to(x.scalar_type()), bias = saved[2];
        const auto dy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
        const bool needsPicture = context->needs_input_grad(0), needsWeight = context->needs_input_grad(1);
        const auto general = [&](std::array<bool, 3> needed) {
            const auto sizes = bias.defined() ? at::OptionalIntArrayRef(bias.sizes()) : std::nullopt;
            return at::convolution_backward(dy, x, weight, sizes, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1, needed);
        };
        if (at::GradMode::is_enabled() || dy.scalar_type() != x.scalar_type()) {
            // Gradients of gradients are libtorch's own.
            auto [dx, dw, db] = general({needsPicture, needsWeight, bias.defined()});
            return {dx, dw, db};
        }
        torch::autograd::variable_list result(3);
        const bool isFloat = x.scalar_type() == at::kFloat;
        if (needsPicture) {
            result[0] = isFloat ? winograd(dy, pack_winograd(weight, true), {}, weight.size(1), {}, false, {}, {})
                                : std::get<0>(general({true, false, false}));
        }
        if (needsWeight && !isFloat) {
            std::tie(result[1], result[2]) = convolution_weight_gradient(x, dy, weight);
        } else if (needsWeight) {
            result[1] = winograd_weight_gradient(x, dy);
        }
        if (!bias.defined()) {
            result[2] = at::Tensor();
        } else if (!result[2].defined()) {
            result[2] = dy.sum({0, 2, 3});
        }
        return result;
    }
};

/// The depthwise convolution of training: libtorch's own, but for the gradient at the weights.
struct RecordedDepthwise : torch::autograd::Function<RecordedDepthwise> {
    static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &x, const at::Tensor &weight,
                              const Optional &bias) {
        at::AutoDispatchBelowADInplaceOrView below;
        context->save_for_backward({x, weight, bias.value_or(at::Tensor())});
        return depthwise_formula(x, weight, bias);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto x = saved[0], weight = saved[1].to(x.scalar_type()), bias = saved[2];
        const auto dy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
        // Gradients of gradients are libtorch's own.
        const bool isOwn = !at::GradMode::is_enabled() && dy.scalar_type() == x.scalar_type();
        const int64_t margin = weight.size(3) / 2;
        const auto sizes = bias.defined() ? at::OptionalIntArrayRef(bias.sizes()) : std::nullopt;
        auto [dx, dw, db] = at::convolution_backward(
            dy, x, weight, sizes, {1, 1}, {margin, margin}, {1, 1}, false, {0, 0}, x.size(1),
            {context->needs_input_grad(0), !isOwn, !isOwn && bias.defined()});
        if (isOwn) std::tie(dw, db) = depthwise_weight_gradient(x, dy, saved[1]);
        return {dx, dw, bias.defined() ? db : at::Tensor()};
    }
};
#endif

/// Whether a picture is one for the kernels of training: laid out for convolutions, and not by accident.
bool isLaidOut(const at::Tensor &x) {
    return isServed(x) && x.dim() == 4 && x.numel() > 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
           !x.is_contiguous();
}

using GroupNorm = at::Tensor(const at::Tensor &, int64_t, const at::Tensor &, const at::Tensor &, double, bool);

at::Tensor group_norm_recorded(const at::Tensor &x, int64_t groups, const at::Tensor &weight, const at::Tensor &bias,
                               double epsilon, bool silu) {
#if CT_KERNELS
    if (at::GradMode::is_enabled() && isLaidOut(x)) {
        return RecordedGroupNorm::apply(x, groups, weight, bias, epsilon, silu);
    }
#endif
    return recorded<group_norm_formula, GroupNorm>("langevin::group_norm", x, groups, weight, bias, epsilon, silu);
}

/// The picture in the type that convolutions compute in.
at::Tensor cast_for_convolutions(const at::Tensor &x) {
    return at::autocast::is_autocast_enabled(at::kCPU) ? x.to(at::autocast::get_autocast_dtype(at::kCPU)) : x;
}

at::Tensor convolution_recorded(const at::Tensor &x, const at::Tensor &weight, const Optional &bias) {
#if CT_KERNELS
    if (at::GradMode::is_enabled() && isLaidOut(x) && weight.scalar_type() == at::kFloat) {
        const auto own = cast_for_convolutions(x);
        const bool isBrain = own.scalar_type() == at::kBFloat16 && isServed(own);
        if (isBrain ? std::min(x.size(1), weight.size(0)) >= lanes : winograd_pays(own, weight.size(0))) {
            return RecordedConvolution::apply(own, weight, bias);
        }
    }
#endif
    return convolution_formula(x, weight, bias);
}

at::Tensor depthwise_recorded(const at::Tensor &x, const at::Tensor &weight, const Optional &bias) {
#if CT_KERNELS
    if (at::GradMode::is_enabled() && isLaidOut(x) && weight.scalar_type() == at::kFloat && weight.size(3) % 2 == 1 &&
        weight.size(3) >= 3 && weight.size(3) <= 7) {
        const auto own = cast_for_convolutions(x);
        if (isServed(own)) return RecordedDepthwise::apply(own, weight, bias);
    }
#endif
    return depthwise_formula(x, weight, bias);
}

at::Tensor attention_recorded(const at::Tensor &query, const at::Tensor &key, const at::Tensor &value,
                              std::optional<double> scale) {
#if CT_KERNELS
    if (at::GradMode::is_enabled() && attends(query, key, value)) {
        return RecordedAttention::apply(query, key, value, scale);
    }
#endif
    using Attention = at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &, std::optional<double>);
    return recorded<attention_formula, Attention>("langevin::attention", query, key, value, scale);
}

using LayerNorm = at::Tensor(const at::Tensor &, const Optional &, const Optional &, const Optional &,
                             const Optional &, double);

/// Whether something is `[batch, 1, width]` for tokens `[batch, tokens, width]`.
bool isForExamples(const at::Tensor &t, const at::Tensor &x) {
    return x.dim() == 3 && t.dim() == 3 && t.size(0) == x.size(0) && t.size(1) == 1 && t.size(2) == x.size(2);
}

at::Tensor layer_norm_recorded(const at::Tensor &x, const Optional &weight, const Optional &bias,
                               const Optional &shift, const Optional &scale, double epsilon) {
#if CT_KERNELS
    const bool isModulated = shift.has_value() || scale.has_value();
    const auto fits = [&](const Optional &t) { return !t.has_value() || isForExamples(*t, x); };
    if (at::GradMode::is_enabled() && isServed(x) && x.numel() > 0 && shift.has_value() == scale.has_value() &&
        fits(shift) && fits(scale)) {
        // What is modulated goes to a linear layer, so it may have the type that those compute in at once.
        const auto type = isModulated && at::autocast::is_autocast_enabled(at::kCPU)
                              ? at::autocast::get_autocast_dtype(at::kCPU)
                              : x.scalar_type();
        if (has_kernels(type)) return RecordedLayerNorm::apply(x, weight, bias, shift, scale, epsilon, type);
    }
#endif
    return recorded<layer_norm_formula, LayerNorm>("langevin::layer_norm", x, weight, bias, shift, scale, epsilon);
}

at::Tensor gelu_recorded(const at::Tensor &x, bool isTanh) {
#if CT_KERNELS
    if (at::GradMode::is_enabled() && isServed(x) && x.numel() > 0) {
        return RecordedGELU::apply(x.is_non_overlapping_and_dense() ? x : x.contiguous(), isTanh);
    }
#endif
    return recorded<gelu_formula, at::Tensor(const at::Tensor &, bool)>("langevin::gelu", x, isTanh);
}

at::Tensor geglu_recorded(const at::Tensor &x) {
    if (at::GradMode::is_enabled()) {
        const auto halves = x.chunk(2, -1);
        return halves[0] * gelu_recorded(halves[1], false);
    }
    return recorded<geglu, at::Tensor(const at::Tensor &)>("langevin::geglu", x);
}

at::Tensor gated_add_recorded(const at::Tensor &x, const at::Tensor &gate, const at::Tensor &y) {
#if CT_KERNELS
    // Into the type of x alone, as the formula does.
    const bool isWider = x.scalar_type() == at::kFloat ||
                         (y.scalar_type() == x.scalar_type() && gate.scalar_type() == x.scalar_type());
    if (at::GradMode::is_enabled() && isServed(x) && isServed(y) && isServed(gate) && isWider && x.numel() > 0 &&
        x.sizes() == y.sizes() && isForExamples(gate, x)) {
        return RecordedGatedSum::apply(x, gate, y);
    }
#endif
    using GatedAdd = at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &);
    return recorded<gated_add, GatedAdd>("langevin::gated_add", x, gate, y);
}

at::Tensor join_recorded(at::TensorList pictures) {
    return recorded<join_formula, at::Tensor(at::TensorList)>("langevin::join", pictures);
}

}  // namespace
}  // namespace ct

extern "C" bool ct_keeps_winograd(const CTTensor *x, int64_t outputs) {
#if CT_KERNELS
    const auto &picture = ct::borrow(x);
    return ct::winograd_pays(picture, outputs) && ct::winograd_keeps_weights(picture.size(1), outputs);
#else
    return false;
#endif
}

extern "C" bool ct_multiplies_split(void) {
#if CT_KERNELS
    static const bool hasTiles = __builtin_cpu_supports("amx-bf16");
    return hasTiles && ct::has_kernels(at::kBFloat16);
#else
    return false;
#endif
}

extern "C" bool ct_has_kernels(int32_t element_type) {
    return ct::has_kernels(static_cast<at::ScalarType>(element_type));
}

TORCH_LIBRARY(langevin, library) {
    library.def(
        "group_norm(Tensor x, int groups, Tensor weight, Tensor bias, float epsilon, bool silu) -> Tensor");
    library.def(
        "layer_norm(Tensor x, Tensor? weight, Tensor? bias, Tensor? shift, Tensor? scale, float epsilon) -> Tensor");
    library.def("pack_matrix(Tensor weight, bool is_gated, bool splits) -> Tensor");
    library.def("unpack_matrix(Tensor packed, int outputs, int inputs, bool is_gated) -> Tensor");
    library.def(
        "linear(Tensor x, Tensor packed, Tensor? bias, int outputs, int after, Tensor? residual, Tensor? gate)"
        " -> Tensor");
    library.def("pack_convolution(Tensor weight, bool is_backward) -> Tensor");
    library.def("unpack_convolution(Tensor packed, int outputs, int inputs) -> Tensor");
    library.def(
        "convolution(Tensor x, Tensor packed, Tensor? bias, int outputs, Tensor? norm, bool silu, Tensor? addend,"
        " Tensor? residual, bool widens) -> Tensor");
    library.def("pack_winograd(Tensor weight, bool is_backward) -> Tensor");
    library.def("convolution_3x3(Tensor x, Tensor weight, Tensor? bias) -> Tensor");
    library.def("convolution_depthwise(Tensor x, Tensor weight, Tensor? bias) -> Tensor");
    library.def(
        "winograd(Tensor x, Tensor packed, Tensor? bias, int outputs, Tensor? norm, bool silu, Tensor? addend,"
        " Tensor? residual) -> Tensor");
    library.def(
        "group_norm_factors(Tensor x, int groups, Tensor? weight, Tensor? bias, float epsilon, Tensor? scale,"
        " Tensor? shift) -> Tensor");
    library.def("attention(Tensor query, Tensor key, Tensor value, float? scale) -> Tensor");
    library.def("join(Tensor[] pictures) -> Tensor");
    library.def("gelu(Tensor x, bool tanh) -> Tensor");
    library.def("geglu(Tensor x) -> Tensor");
    library.def("gated_add(Tensor x, Tensor gate, Tensor y) -> Tensor");
}

TORCH_LIBRARY_IMPL(langevin, CompositeExplicitAutograd, library) {
    library.impl("attention", ct::attention_formula);
    library.impl("join", ct::join_formula);
    library.impl("convolution_3x3", ct::convolution_formula);
    library.impl("convolution_depthwise", ct::depthwise_formula);
    library.impl("group_norm", ct::group_norm_formula);
    library.impl("layer_norm", ct::layer_norm_formula);
    library.impl("gelu", ct::gelu_formula);
    library.impl("geglu", ct::geglu);
    library.impl("gated_add", ct::gated_add);
}

TORCH_LIBRARY_IMPL(langevin, Autograd, library) {
    library.impl("attention", ct::attention_recorded);
    library.impl("join", ct::join_recorded);
    library.impl("convolution_3x3", ct::convolution_recorded);
    library.impl("convolution_depthwise", ct::depthwise_recorded);
    library.impl("group_norm", ct::group_norm_recorded);
    library.impl("layer_norm", ct::layer_norm_recorded);
    library.impl("gelu", ct::gelu_recorded);
    library.impl("geglu", ct::geglu_recorded);
    library.impl("gated_add", ct::gated_add_recorded);
}

#if CT_KERNELS
TORCH_LIBRARY_IMPL(langevin, CPU, library) {
    library.impl("join", ct::join_cpu);
    library.impl("group_norm", ct::group_norm_cpu);
    library.impl("layer_norm", ct::layer_norm_cpu);
    library.impl("gelu", ct::gelu_cpu);
    library.impl("pack_matrix", ct::pack_matrix);
    library.impl("unpack_matrix", ct::unpack_matrix);
    library.impl("linear", ct::linear);
    library.impl("pack_convolution", ct::pack_convolution);
    library.impl("unpack_convolution", ct::unpack_convolution);
    library.impl("convolution", ct::convolution);
    library.impl("pack_winograd", ct::pack_winograd);
    library.impl("winograd", ct::winograd);
    library.impl("group_norm_factors", ct::group_norm_factors);
    library.impl("attention", ct::attention_cpu);
}
#endif
