// Linear layers: y = residual + gate · after(x·Wᵀ + b), what follows the product applied while its sums are in the
// first cache.
#include "kernels.hpp"
#include "parallel.hpp"
#include "products.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

/// The row of W in a column of a block; −1 for none. Where one half of the outputs gates the other, a block holds as
/// many of each.
int64_t output(int64_t block, int64_t column, int64_t outputs, bool isGated) {
    const int64_t half = columns / 2;
    if (!isGated) {
        const int64_t row = block * columns + column;
        return row < outputs ? row : -1;
    }
    const int64_t row = block * half + column % half;
    return row < outputs / 2 ? row + (column < half ? 0 : outputs / 2) : -1;
}

/// - T: what goes in and comes out. P: in what products are computed.
template <typename T, typename P>
struct LinearLayer {
    const T *x, *bias, *residual, *gate;
    const Part<P> *weight;
    T *y;
    int64_t rows, inputs, outputs;
    /// Rows that share a gate.
    int64_t rowsPerGate;
    After after;

    int64_t width() const { return after == After::geglu ? outputs / 2 : outputs; }

    template <After after>
    static Vector applied(Vector v) {
        if constexpr (after == After::silu) return silu(v);
        if constexpr (after == After::gelu) return gelu(v);
        if constexpr (after == After::geluTanh) return gelu_tanh(v);
        return v;
    }

    template <After after>
    void finish(const float *sums, int64_t row, int64_t count, int64_t block) const {
        constexpr int64_t wide = after == After::geglu ? columns / 2 : columns;
        const int64_t start = block * wide, end = std::min(start + wide, width());
        for (int64_t i = 0; i < count; i++, sums += columns) {
            const int64_t place = (row + i) * width();
            const T *gates = gate == nullptr ? nullptr : gate + (row + i) / rowsPerGate * width();
            for (int64_t j = start; j < end; j += lanes) {
                const Mask m = first(end - j);
                Vector v = load(sums + j - start);
                if (bias != nullptr) v = v + load(bias + j, m);
                v = applied<after>(v);
                if constexpr (after == After::geglu) {
                    Vector g = load(sums + wide + j - start);
                    if (bias != nullptr) g = g + load(bias + width() + j, m);
                    v = v * gelu(g);
                }
                if (gates != nullptr) v = v * load(gates + j, m);
                if (residual != nullptr) v = v + load(residual + place + j, m);
                store(y + place + j, v, m);
            }
        }
    }

    void finish(const float *sums, int64_t row, int64_t count, int64_t block) const {
        switch (after) {
            case After::nothing: return finish<After::nothing>(sums, row, count, block);
            case After::silu: return finish<After::silu>(sums, row, count, block);
            case After::gelu: return finish<After::gelu>(sums, row, count, block);
            case After::geluTanh: return finish<After::geluTanh>(sums, row, count, block);
            case After::geglu: return finish<After::geglu>(sums, row, count, block);
        }
    }

    /// Numbers of one block of packed weights, or of one part of them.
    int64_t blockLength() const { return inputs * columns; }

    void run() const {
        if constexpr (partCount<P> == 1) {
            run({x, inputs});
        } else {
            const int64_t count = std::max<int64_t>(1, 16384 / inputs);
            const Buffer<Part<P>> split(2 * rows * inputs);
            parallel((rows + count - 1) / count, [&](int64_t task) {
                for (int64_t row = task * count; row < std::min(rows, (task + 1) * count); row++) {
                    splitRow(x + row * inputs, split.data + row * 2 * inputs, inputs, inputs);
                }
            });
            run({split.data, 2 * inputs, inputs});
        }
    }

    void run(Factor<P> factor) const {
        // A task's rows stay in the second cache while the weights pass by. Few rows are shared by several tasks,
        // each with its part of the weights.
        const int64_t fitting = (5 << 18) / (factor.stride * static_cast<int64_t>(sizeof(Part<P>)));
        const int64_t most = std::clamp(fitting / rowsAtOnce * rowsAtOnce, rowsAtOnce, 8 * rowsAtOnce);
        const int64_t rowTasks = (rows + most - 1) / most;
        const int64_t chunk = rounded((rows + rowTasks - 1) / rowTasks, rowsAtOnce);
        const int64_t parts = partsOfTask(rowTasks, outputs);
        const int64_t share = (blocks(outputs) + parts - 1) / parts;
        parallel(rowTasks * parts, [&](int64_t task) {
            const int64_t from = task / parts * chunk, to = std::min(rows, from + chunk);
            const int64_t begin = task % parts * share, end = std::min(blocks(outputs), begin + share);
            for (int64_t block = begin; block < end; block++) {
                for (int64_t row = from; row < to; row += rowsAtOnce) {
                    sum(factor.from(row * factor.stride), block, row, std::min(rowsAtOnce, to - row));
                }
            }
            endProducts<P>();
        });
    }

    void sum(Factor<P> factor, int64_t block, int64_t row, int64_t count) const {
        alignas(64) float sums[rowsAtOnce * columns];
        const Factor<P> own{weight + partCount<P> * block * blockLength(), columns, blockLength()};
        for (int64_t d = 0; d < inputs; d += depthAtOnce) {
            multiply(count, columns, std::min(depthAtOnce, inputs - d), factor.from(d), own.from(d * columns), sums,
                     columns, d > 0);
        }
        finish(sums, row, count, block);
    }
};

/// Calls a body with the place of every weight in the matrix and in its packed form.
template <typename P, typename Body>
void everyWeight(int64_t outputs, int64_t inputs, bool isGated, const Body &body) {
    parallel(blocks(outputs), [&](int64_t block) {
        // Columns innermost: a row of the packed matrix is one after the other, and each row of W is read in order.
        for (int64_t i = 0; i < inputs; i++) {
            for (int64_t column = 0; column < columns; column++) {
                const int64_t row = output(block, column, outputs, isGated);
                if (row >= 0) {
                    body(row * inputs + i,
                         partCount<P> * block * inputs * columns + packedPlace<Part<P>>(i, column, columns));
                }
            }
        }
    });
}

template <typename T, typename P>
at::Tensor packed(const at::Tensor &weight, bool isGated) {
    const int64_t outputs = weight.size(0), inputs = weight.size(1);
    auto packed = at::zeros({blocks(outputs), partCount<P>, inputs, columns}, at::CppTypeToScalarType<Part<P>>::value);
    const T *from = elements<T>(weight);
    Part<P> *to = packed.template mutable_data_ptr<Part<P>>();
    everyWeight<P>(outputs, inputs, isGated,
                   [&](int64_t i, int64_t place) { put<P>(from[i], to + place, inputs * columns); });
    return packed;
}

template <typename T, typename P>
at::Tensor computed(const at::Tensor &x, const at::Tensor &packed, const Optional &bias, int64_t outputs, After after,
                    const Optional &residual, const Optional &gate) {
    LinearLayer<T, P> layer{elements<T>(x), elements<T>(bias), elements<T>(residual), elements<T>(gate),
                            elements<Part<P>>(packed)};
    layer.inputs = x.size(-1);
    layer.rows = layer.inputs == 0 ? 0 : x.numel() / layer.inputs;
    layer.outputs = outputs;
    layer.after = after;
    layer.rowsPerGate = gate.has_value() ? layer.rows / (gate->numel() / layer.width()) : layer.rows;
    auto sizes = x.sizes().vec();
    sizes.back() = layer.width();
    auto y = at::empty(sizes, x.options());
    layer.y = y.template mutable_data_ptr<T>();
    if (y.numel() > 0) layer.run();
    return y;
}

}  // namespace

at::Tensor pack_matrix(const at::Tensor &weight, bool isGated, bool splits) {
    const auto source = weight.contiguous();
    if (splits) return packed<float, Split>(source, isGated);
    return typed(source, [&](auto element) {
        using T = decltype(element);
        return packed<T, T>(source, isGated);
    });
}

at::Tensor unpack_matrix(const at::Tensor &packed, int64_t outputs, int64_t inputs, bool isGated) {
    return typed(packed, [&](auto element) {
        using T = decltype(element);
        auto weight = at::empty({outputs, inputs}, packed.options());
        const T *from = elements<T>(packed);
        T *to = weight.template mutable_data_ptr<T>();
        everyWeight<T>(outputs, inputs, isGated, [&](int64_t i, int64_t place) { to[i] = from[place]; });
        return weight;
    });
}

at::Tensor linear(const at::Tensor &x, const at::Tensor &packed, const Optional &bias, int64_t outputs, int64_t after,
                  const Optional &residual, const Optional &gate) {
    const auto own = x.contiguous();
    const auto kind = static_cast<After>(after);
    const bool isSplit = own.scalar_type() == at::kFloat && packed.scalar_type() == at::kBFloat16;
    if (isSplit) return computed<float, Split>(own, packed, bias, outputs, kind, residual, gate);
    return typed(own, [&](auto element) {
        using T = decltype(element);
        return computed<T, T>(own, packed, bias, outputs, kind, residual, gate);
    });
}

}  // namespace ct
CT_VECTORS_END
#endif
