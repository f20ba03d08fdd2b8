// Products of small matrices, by the code that oneDNN generates for this processor (AVX-512, bfloat16 instructions,
// AMX), and the form in which they want their second factor.
#pragma once
#include <ATen/native/CPUBlas.h>

#include "parallel.hpp"
#include "vectors.hpp"

namespace ct {

template <typename T>
constexpr bool isBrain = std::is_same_v<T, at::BFloat16>;

/// Outputs of one block of packed weights. Its sums, 128 rows of them, stay in the first cache.
constexpr int64_t columns = 64;
/// Rows of the first factor that one product takes.
constexpr int64_t rowsAtOnce = 128;
/// Inputs of one product: rows and weights of so many stay in the second cache.
constexpr int64_t depthAtOnce = 1920;

constexpr int64_t rounded(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }
constexpr int64_t blocks(int64_t outputs) { return (outputs + columns - 1) / columns; }

/// Into how many parts tasks are cut along the blocks of weights, so that every thread has several.
inline int64_t partsOfTask(int64_t tasks, int64_t outputs) {
    const int64_t wanted = 4 * thread_count();
    return std::min(blocks(outputs), tasks < wanted ? (wanted + tasks - 1) / tasks : 1);
}

/// Where a weight is in a packed matrix of `width` columns.
template <typename T>
constexpr int64_t packedPlace(int64_t input, int64_t column, int64_t width) {
    return isBrain<T> ? (input / 2 * width + column) * 2 + input % 2 : input * width + column;
}

/// c ← a·b, or c + a·b: `rows` × `depth` times `depth` × `width`, the second packed. Row strides are given in elements.
template <typename T>
void multiply(int64_t rows, int64_t width, int64_t depth, const T *a, int64_t strideA, const T *b, int64_t strideB,
              float *c, int64_t strideC, bool adds) {
    at::native::cpublas::brgemm(rows, width, depth, strideA, strideB, strideC, adds, a, b, c, isBrain<T>);
}

/// Ends a thread's products: gives AMX its tiles back.
template <typename T>
void endProducts() {
    at::native::cpublas::brgemm_release(isBrain<T>);
}

/// The elements of a tensor.
template <typename T>
const T *elements(const at::Tensor &tensor) {
    return static_cast<const T *>(tensor.const_data_ptr());
}

/// The elements of an optional tensor, null where there is none.
template <typename T>
const T *elements(const std::optional<at::Tensor> &tensor) {
    return tensor.has_value() ? elements<T>(*tensor) : nullptr;
}

/// Memory of a kernel's own, with nothing in it yet, that begins with a line of the caches.
template <typename T>
struct Buffer {
    at::Tensor kept;
    T *data;

    explicit Buffer(int64_t count)
        : kept(at::empty({count}, at::CppTypeToScalarType<T>::value)), data(kept.mutable_data_ptr<T>()) {}
};

/// Calls a body with a value of the C++ type of a tensor's elements.
template <typename Body>
auto typed(const at::Tensor &x, const Body &body) {
    return x.scalar_type() == at::kBFloat16 ? body(at::BFloat16()) : body(float());
}

}  // namespace ct
