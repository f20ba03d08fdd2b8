// What a tensor is made of: sizes, memory, element type, device.
#include <sys/mman.h>
#include <unistd.h>

#include <memory>

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

namespace {

/// Memory of someone else's.
struct Lent {
    void *context;
    void (*release)(void *);
    /// Whether it is that of a file, of which the system can make it again.
    bool isMapped;
};

void giveBack(void *lent) {
    const std::unique_ptr<Lent> own(static_cast<Lent *>(lent));
    if (own->release != nullptr) own->release(own->context);
}

}  // namespace

CTStatus ct_tensor_from_memory(void *data, const int64_t *sizes, int32_t rank, int32_t element_type, bool is_mapped,
                               void *context, void (*release)(void *), CTTensor **result) {
    return ct::guarded([&] {
        // On an error nothing was taken: the caller's context stays the caller's.
        auto lent = std::make_unique<Lent>(Lent{context, nullptr, is_mapped});
        const auto made = lent.get();
        auto tensor = at::for_blob(data, at::IntArrayRef(sizes, rank))
                          .context(lent.release(), giveBack)
                          .options(at::TensorOptions().dtype(static_cast<c10::ScalarType>(element_type)))
                          .make_tensor();
        made->release = release;
        *result = ct::give(std::move(tensor));
    });
}

void ct_tensor_forget_pages(const CTTensor *tensor) {
    const auto &x = ct::borrow(tensor);
    if (!x.is_cpu() || !x.has_storage() || !x.is_non_overlapping_and_dense()) return;
    const auto &memory = x.storage().data_ptr();
    if (memory.get_deleter() != giveBack || !static_cast<Lent *>(memory.get_context())->isMapped) return;
    // What was written to a page is nowhere else.
    if (x.is_inference() || x._version() != 0) return;
    const auto size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto start = reinterpret_cast<uintptr_t>(x.const_data_ptr());
    const auto from = (start + size - 1) / size * size, to = (start + x.nbytes()) / size * size;
    if (from < to) madvise(reinterpret_cast<void *>(from), to - from, MADV_DONTNEED);
}
