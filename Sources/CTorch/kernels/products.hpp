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

/// float32 numbers as sums of two bfloat16 numbers, which keep 16 of their 24 bits: a product of such is three products
/// of bfloat16 numbers (that of the two small parts is left out), and faster than one of float32 where there is AMX.
/// Source: Henry et al. 2019 (arXiv:1904.06376), section 3.
struct Split;

/// What numbers are in a product that is computed in T.
template <typename T>
using Part = std::conditional_t<std::is_same_v<T, Split>, at::BFloat16, T>;
template <typename T>
constexpr int64_t partCount = std::is_same_v<T, Split> ? 2 : 1;

/// A factor: where it begins, how far apart its rows are, and how far after the large parts of split numbers the small
/// ones lie, all in elements.
template <typename T>
struct Factor {
    const Part<T> *data;
    int64_t stride, apart;

    Factor from(int64_t place) const { return {data + place, stride, apart}; }
};

/// c ← a·b, or c + a·b: `rows` × `depth` times `depth` × `width`, the second packed.
template <typename T>
void multiply(int64_t rows, int64_t width, int64_t depth, Factor<T> a, Factor<T> b, float *c, int64_t strideC,
              bool adds) {
    const auto one = [&](int64_t partOfA, int64_t partOfB, bool adds) {
        at::native::cpublas::brgemm(rows, width, depth, a.stride, b.stride, strideC, adds, a.data + partOfA * a.apart,
                                    b.data + partOfB * b.apart, c, isBrain<Part<T>>);
    };
    one(0, 0, adds);
    if constexpr (partCount<T> == 2) {
        one(0, 1, true);
        one(1, 0, true);
    }
}

/// Ends a thread's products: gives AMX its tiles back.
template <typename T>
void endProducts() {
    at::native::cpublas::brgemm_release(isBrain<Part<T>>);
}

/// Writes a number of a product's factor.
template <typename T, typename X>
void put(X x, Part<T> *to, int64_t apart) {
    *to = static_cast<Part<T>>(x);
    if constexpr (partCount<T> == 2) to[apart] = static_cast<Part<T>>(x - static_cast<float>(*to));
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

/// The same for two tensors.
template <typename Body>
auto typed(const at::Tensor &x, const at::Tensor &y, const Body &body) {
    return typed(x, [&](auto left) { return typed(y, [&](auto right) { return body(left, right); }); });
}

}  // namespace ct
