// What the C++ bodies share: one way to hand a tensor out, one to turn an exception into a status.
#pragma once
#include <ATen/ATen.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "ctorch.h"

namespace ct {

inline CTTensor *give(at::Tensor tensor) {
    if (!tensor.defined()) return nullptr;
    return reinterpret_cast<CTTensor *>(tensor.unsafeReleaseTensorImpl());
}

inline at::Tensor borrow(const CTTensor *tensor) {
    if (tensor == nullptr) return at::Tensor();
    auto *impl = reinterpret_cast<c10::TensorImpl *>(const_cast<CTTensor *>(tensor));
    return at::Tensor(
        c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim_copy(impl));
}

inline const c10::TensorImpl &look(const CTTensor *tensor) {
    return *reinterpret_cast<const c10::TensorImpl *>(tensor);
}

inline at::Generator borrow(const CTGenerator *generator) {
    auto *impl = reinterpret_cast<c10::GeneratorImpl *>(const_cast<CTGenerator *>(generator));
    return at::Generator(c10::intrusive_ptr<c10::GeneratorImpl>::reclaim_copy(impl));
}

inline CTStatus failure(CTCode code, const char *message) {
    return CTStatus{code, strdup(message)};
}

/// Loads CUDA's libraries where they are; once. Returns why libtorch's is not loaded, or nothing.
std::string load_cuda();

/// Runs a body; whatever it throws becomes a status.
template <typename Body>
CTStatus guarded(Body &&body) {
    try {
        body();
        return CTStatus{CT_OK, nullptr};
    } catch (const c10::OutOfMemoryError &error) {
        return failure(CT_OUT_OF_MEMORY, error.what_without_backtrace());
    } catch (const c10::Error &error) {
        const char *message = error.what_without_backtrace();
        // The CPU allocator reports exhaustion as a plain error.
        bool memory = std::strstr(message, "DefaultCPUAllocator") != nullptr;
        return failure(memory ? CT_OUT_OF_MEMORY : CT_ERROR, message);
    } catch (const std::bad_alloc &) {
        return failure(CT_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception &error) {
        return failure(CT_ERROR, error.what());
    } catch (...) {
        return failure(CT_ERROR, "an exception of unknown type");
    }
}

}  // namespace ct
