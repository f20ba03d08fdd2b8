// Gradients, and the modes of a thread that decide whether they are recorded.
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "internal.hpp"

namespace {

std::vector<at::Tensor> borrowed(CTTensor *const *tensors, int32_t count) {
    std::vector<at::Tensor> result;
    result.reserve(count);
    for (int i = 0; i < count; i++) result.push_back(ct::borrow(tensors == nullptr ? nullptr : tensors[i]));
    return result;
}

}  // namespace

bool ct_tensor_requires_gradient(const CTTensor *tensor) { return ct::borrow(tensor).requires_grad(); }

CTStatus ct_tensor_set_requires_gradient(CTTensor *tensor, bool value) {
    return ct::guarded([&] { ct::borrow(tensor).set_requires_grad(value); });
}

CTTensor *ct_tensor_gradient(const CTTensor *tensor) { return ct::give(ct::borrow(tensor).grad()); }

CTStatus ct_tensor_set_gradient(CTTensor *tensor, CTTensor *gradient) {
    return ct::guarded([&] { ct::borrow(tensor).mutable_grad() = ct::borrow(gradient); });
}

CTStatus ct_backward(CTTensor *tensor, CTTensor *gradient) {
    return ct::guarded([&] { ct::borrow(tensor).backward(ct::borrow(gradient)); });
}

CTStatus ct_gradients(CTTensor *const *outputs, int32_t output_count, CTTensor *const *inputs,
                      int32_t input_count, CTTensor *const *output_gradients, bool create_graph,
                      CTTensor **results) {
    return ct::guarded([&] {
        auto found = torch::autograd::grad(
            borrowed(outputs, output_count), borrowed(inputs, input_count),
            borrowed(output_gradients, output_count), create_graph, create_graph, /*allow_unused=*/true);
        for (int i = 0; i < input_count; i++) results[i] = ct::give(std::move(found[i]));
    });
}

bool ct_gradient_mode(void) { return c10::GradMode::is_enabled(); }
void ct_set_gradient_mode(bool enabled) { c10::GradMode::set_enabled(enabled); }

CTInference *ct_inference_begin(bool enabled) {
    return reinterpret_cast<CTInference *>(new c10::InferenceMode(enabled));
}
void ct_inference_end(CTInference *guard) { delete reinterpret_cast<c10::InferenceMode *>(guard); }

bool ct_autocast_enabled(int32_t device_type) {
    return at::autocast::is_autocast_enabled(static_cast<c10::DeviceType>(device_type));
}

int32_t ct_autocast_element_type(int32_t device_type) {
    return static_cast<int32_t>(
        at::autocast::get_autocast_dtype(static_cast<c10::DeviceType>(device_type)));
}

void ct_autocast_set(int32_t device_type, bool enabled, int32_t element_type) {
    auto device = static_cast<c10::DeviceType>(device_type);
    at::autocast::set_autocast_dtype(device, static_cast<c10::ScalarType>(element_type));
    at::autocast::set_autocast_enabled(device, enabled);
}

void ct_autocast_clear_cache(void) { at::autocast::clear_cache(); }
