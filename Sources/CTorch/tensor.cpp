// What a tensor is made of: sizes, memory, element type, device.
#include "internal.hpp"

void ct_free(void *pointer) { std::free(pointer); }

void ct_tensor_release(CTTensor *tensor) {
    if (tensor == nullptr) return;
    c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(
        reinterpret_cast<c10::TensorImpl *>(tensor));
}

int32_t ct_tensor_rank(const CTTensor *tensor) { return static_cast<int32_t>(ct::look(tensor).dim()); }

void ct_tensor_sizes(const CTTensor *tensor, int64_t *sizes) {
    auto values = ct::look(tensor).sizes();
    std::copy(values.begin(), values.end(), sizes);
}

void ct_tensor_strides(const CTTensor *tensor, int64_t *strides) {
    auto values = ct::look(tensor).strides();
    std::copy(values.begin(), values.end(), strides);
}

int64_t ct_tensor_element_count(const CTTensor *tensor) { return ct::look(tensor).numel(); }

int32_t ct_tensor_element_type(const CTTensor *tensor) {
    return static_cast<int32_t>(c10::typeMetaToScalarType(ct::look(tensor).dtype()));
}

void ct_tensor_device(const CTTensor *tensor, int32_t *type, int32_t *index) {
    auto device = ct::look(tensor).device();
    *type = static_cast<int32_t>(device.type());
    *index = device.has_index() ? device.index() : 0;
}

bool ct_tensor_is_contiguous(const CTTensor *tensor) { return ct::look(tensor).is_contiguous(); }

void *ct_tensor_data(const CTTensor *tensor) {
    const auto &impl = ct::look(tensor);
    if (impl.numel() == 0 || !impl.device().is_cpu()) return nullptr;
    return ct::borrow(tensor).data_ptr();
}

CTStatus ct_tensor_from_memory(void *data, const int64_t *sizes, int32_t rank, int32_t element_type,
                               void *context, void (*release)(void *), CTTensor **result) {
    return ct::guarded([&] {
        auto deleter = [context, release](void *) {
            if (release != nullptr) release(context);
        };
        auto options = at::TensorOptions().dtype(static_cast<c10::ScalarType>(element_type));
        *result = ct::give(at::from_blob(data, at::IntArrayRef(sizes, rank), deleter, options));
    });
}
