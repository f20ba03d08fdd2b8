// Convolutions of kernel 3 and stride 1 whose borders are zeros: y = conv(silu(a·x + b)) + bias + addend + residual.
//
// Channels lie innermost, so a pixel with its left and right neighbour is one row of 3·inputs numbers, and the
// convolution is a sum of three products, one for each line of the kernel. The picture is copied into a frame of
// zeros first; a norm and a non-linearity before the convolution are applied in that copy and cost no pass over memory.
#include "kernels.hpp"
#include "parallel.hpp"
#include "pictures.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

/// Numbers to copy that are worth being taken by a thread.
constexpr int64_t numbersAtOnce = 16384;

/// - T: what weights and whatever is added are. X and Y: what goes in and comes out.
template <typename X, typename T, typename Y>
struct Convolution {
    const X *x;
    const T *weight, *bias, *addend, *residual;
    Y *y;
    /// a and b of every channel of every picture, null where x is taken as it is.
    const float *factors, *shifts;
    bool activates;
    /// Between what is added to a picture and to the next; 0 where all pictures have the same.
    int64_t addendStride;
    int64_t batch, height, width, inputs, outputs;

    // Narrow pictures: each pixel of the copy holds its neighbours, too, so that pixels of many lines are the rows of
    // one product. Wide ones: neighbours are where they are, and a product takes pixels of one line.
    bool isNarrow() const { return width < 32; }
    int64_t lineLength() const { return isNarrow() ? width * 3 * inputs : (width + 2) * inputs; }
    int64_t pictureLength() const { return (height + 2) * lineLength(); }
    int64_t step() const { return isNarrow() ? 3 * inputs : inputs; }

    // MARK: The copy

    /// - line: −1 and `height` are the frame's.
    void copyLine(int64_t picture, int64_t line, T *frame) const {
        T *to = frame + picture * pictureLength() + (line + 1) * lineLength();
        if (line < 0 || line == height) {
            std::memset(to, 0, lineLength() * sizeof(T));
            return;
        }
        const X *from = x + (picture * height + line) * width * inputs;
        const float *a = factors == nullptr ? nullptr : factors + picture * inputs;
        const float *b = factors == nullptr ? nullptr : shifts + picture * inputs;
        const int64_t size = inputs * sizeof(T);
        std::memset(to, 0, size);
        std::memset(to + lineLength() - inputs, 0, size);
        copyPixels<X, T>({from, inputs}, {to + inputs, step()}, width, inputs, a, b, activates);
        if (!isNarrow()) return;
        for (int64_t column = 0; column < width; column++) {
            T *own = to + inputs + column * step();
            if (column > 0) std::memcpy(own - 2 * inputs, own, size);
            if (column + 1 < width) std::memcpy(own + 2 * inputs, own, size);
        }
    }

    // MARK: The products

    /// Pixels of a line that one product takes, and lines that fill its sums.
    int64_t lineWidth() const { return isNarrow() ? width * height : width; }
    int64_t lineCount() const { return isNarrow() ? 1 : height; }
    int64_t segment() const { return std::min(rowsAtOnce, lineWidth()); }
    int64_t across() const { return (lineWidth() + segment() - 1) / segment(); }
    int64_t linesAtOnce() const { return std::max<int64_t>(1, rowsAtOnce / lineWidth()); }

    void finish(const float *sums, int64_t picture, int64_t pixel, int64_t count, int64_t block) const {
        const int64_t start = block * columns, end = std::min(start + columns, outputs);
        const T *vector = addend == nullptr ? nullptr : addend + picture * addendStride;
        for (int64_t i = 0; i < count; i++, sums += columns) {
            const int64_t place = (picture * height * width + pixel + i) * outputs;
            for (int64_t j = start; j < end; j += lanes) {
                const Mask m = first(end - j);
                Vector v = load(sums + j - start);
                if (bias != nullptr) v = v + load(bias + j, m);
                if (vector != nullptr) v = v + load(vector + j, m);
                if (residual != nullptr) v = v + load(residual + place + j, m);
                store(y + place + j, v, m);
            }
        }
    }

    /// A block of the outputs of some pixels: `lines` lines of `count` each.
    void sum(const T *frame, int64_t picture, int64_t line, int64_t lines, int64_t column, int64_t count,
             int64_t block) const {
        alignas(64) float sums[rowsAtOnce * columns];
        const int64_t wide = std::min(columns, rounded(outputs - block * columns, lanes));
        for (int64_t tap = 0; tap < 3; tap++) {
            const T *from = frame + picture * pictureLength() + (line + tap) * lineLength() + column * step();
            for (int64_t d = 0; d < 3 * inputs; d += depthAtOnce) {
                const Factor<T> own{weight + ((block * 3 + tap) * 3 * inputs + d) * columns, columns};
                for (int64_t i = 0; i < lines; i++) {
                    multiply<T>(count, wide, std::min(depthAtOnce, 3 * inputs - d),
                                {from + i * lineLength() + d, step()}, own, sums + i * count * columns, columns,
                                tap + d > 0);
                }
            }
        }
        finish(sums, picture, line * width + column, lines * count, block);
    }

    void run() const {
        Buffer<T> buffer(batch * pictureLength() + 2 * inputs);
        T *frame = buffer.data;
        parallel(batch * (height + 2), numbersAtOnce / (width * inputs), [&](int64_t line) {
            copyLine(line / (height + 2), line % (height + 2) - 1, frame);
        });
        // As in a linear layer: tasks are some lines by some blocks of weights, those that share weights in turn.
        const int64_t pixels = segment() * linesAtOnce();
        const int64_t fitting = (1 << 20) / (inputs * static_cast<int64_t>(sizeof(T)) * pixels);
        const int64_t units = (lineCount() + linesAtOnce() - 1) / linesAtOnce() * across();
        const int64_t chunk = std::clamp<int64_t>(fitting, 1, 8);
        const int64_t chunks = (units + chunk - 1) / chunk, parts = partsOfTask(batch * chunks, outputs);
        const int64_t share = (blocks(outputs) + parts - 1) / parts;
        parallel(parts * batch * chunks, [&](int64_t task) {
            const int64_t picture = task / chunks % batch, part = task / (chunks * batch);
            const int64_t from = task % chunks * chunk, to = std::min(units, from + chunk);
            const int64_t end = std::min(blocks(outputs), (part + 1) * share);
            for (int64_t block = part * share; block < end; block++) {
                for (int64_t unit = from; unit < to; unit++) take(frame, picture, unit, block);
            }
            endProducts<T>();
        });
    }

    void take(const T *frame, int64_t picture, int64_t unit, int64_t block) const {
        const int64_t line = unit / across() * linesAtOnce(), column = unit % across() * segment();
        const int64_t lines = std::min(linesAtOnce(), lineCount() - line);
        sum(frame, picture, line, lines, column, std::min(segment(), lineWidth() - column), block);
    }
};

/// Where a weight `[output, input, line, column]` is when packed: by block and line of the kernel, its rows the inputs
/// of the left neighbour, of the pixel and of the right one.
template <typename T>
int64_t place(int64_t output, int64_t input, int64_t line, int64_t column, int64_t inputs) {
    return (output / columns * 3 + line) * 3 * inputs * columns +
           packedPlace<T>(column * inputs + input, output % columns, columns);
}

/// - isBackward: of the convolution that takes a gradient back, the weights being the forward one's: its kernels are
///   turned around, and its outputs were inputs.
template <typename Body>
void everyWeight(int64_t outputs, int64_t inputs, bool isBackward, const Body &body) {
    parallel(blocks(outputs), [&](int64_t block) {
        const int64_t end = std::min(outputs, (block + 1) * columns);
        for (int64_t input = 0; input < inputs; input++) {
            for (int64_t tap = 0; tap < 9; tap++) {
                for (int64_t output = block * columns; output < end; output++) {
                    const int64_t kernel = isBackward ? input * outputs + output : output * inputs + input;
                    body(kernel * 9 + (isBackward ? 8 - tap : tap), output, input, tap / 3, tap % 3);
                }
            }
        }
    });
}

}  // namespace

at::Tensor pack_convolution(const at::Tensor &weight, bool isBackward) {
    const auto source = weight.contiguous();
    return typed(source, [&](auto element) {
        using T = decltype(element);
        const int64_t outputs = weight.size(isBackward ? 1 : 0), inputs = weight.size(isBackward ? 0 : 1);
        auto packed = at::zeros({blocks(outputs), 3, 3 * inputs, columns}, source.options());
        const T *from = elements<T>(source);
        T *to = packed.template mutable_data_ptr<T>();
        everyWeight(outputs, inputs, isBackward,
                    [&](int64_t i, int64_t output, int64_t input, int64_t line, int64_t column) {
                        to[place<T>(output, input, line, column, inputs)] = from[i];
                    });
        return packed;
    });
}

at::Tensor unpack_convolution(const at::Tensor &packed, int64_t outputs, int64_t inputs) {
    return typed(packed, [&](auto element) {
        using T = decltype(element);
        auto weight = at::empty({outputs, inputs, 3, 3}, packed.options());
        const T *from = elements<T>(packed);
        T *to = weight.template mutable_data_ptr<T>();
        everyWeight(outputs, inputs, false, [&](int64_t i, int64_t output, int64_t input, int64_t line, int64_t column) {
            to[i] = from[place<T>(output, input, line, column, inputs)];
        });
        return weight;
    });
}

at::Tensor convolution(const at::Tensor &x, const at::Tensor &packed, const Optional &bias, int64_t outputs,
                       const Optional &norm, bool silu, const Optional &addend, const Optional &residual,
                       bool widens) {
    const auto computed = [&](auto given, auto element, auto result) {
        using X = decltype(given);
        using T = decltype(element);
        using Y = decltype(result);
        return convolve<Convolution<X, T, Y>, X, T, Y>(x, packed, bias, outputs, norm, silu, addend, residual);
    };
    if (packed.scalar_type() == at::kFloat) {
        return winograd_pays(x, outputs)
                   ? transforming_winograd(x, packed, bias, outputs, norm, silu, addend, residual)
                   : computed(float(), float(), float());
    }
    return typed(x, [&](auto given) {
        return widens ? computed(given, at::BFloat16(), float()) : computed(given, at::BFloat16(), at::BFloat16());
    });
}

}  // namespace ct
CT_VECTORS_END
#endif
