// The gradients at weight and bias of a convolution of kernel 3 and stride 1 whose borders are zeros, in bfloat16: libtorch's
// own takes two to six times as long as the convolution itself.
//
// Of each place of the kernel it is a product of matrices, outputs × pixels times pixels × inputs. Pictures follow each
// other in one row of pixels, a line of zeros after each, so that the pixels below and above are a line away in it and
// one product takes many pictures. To the left and right they are one pixel away, and a second factor is packed in pairs
// of pixels: there are three of it, one for each column of the kernel.
#include <numeric>

#include "kernels.hpp"
#include "parallel.hpp"
#include "products.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

using Brain = at::BFloat16;

/// Pixels of one product: both factors and the sums of all nine places stay in the second cache.
constexpr int64_t pixelsAtOnce = 512;
constexpr int64_t taps = 9;

struct WeightGradient {
    const Brain *x, *gradient;
    int64_t batch, height, width, inputs, outputs;

    // The row of pixels: its lines are of even length, so that a pair of pixels is of one line, and are taken in chunks,
    // as equal a share of them as gives whole tiles of AMX, 32 pixels.
    int64_t lineLength = rounded(width, 2), lineCount = batch * (height + 1);
    int64_t fewest = divided(lineCount, std::max<int64_t>(1, pixelsAtOnce / lineLength));
    int64_t linesAtOnce = rounded(divided(lineCount, fewest), 32 / std::gcd(32, lineLength));
    int64_t chunks = divided(lineCount, linesAtOnce), depth = linesAtOnce * lineLength;
    /// Between the rows of a first factor: not a power of 2, with which they would share lines of the first cache.
    int64_t stride = depth + 32;
    /// Numbers of a block of inputs of a chunk and of the lines before and after it.
    int64_t packedLength = (linesAtOnce + 2) * lineLength * columns;

    // A task is a share of the outputs and a block of the inputs over a part of the row, as many parts as give every
    // thread several tasks.
    int64_t share = std::min<int64_t>(outputs, 2 * rowsAtOnce), shares = divided(outputs, share);
    int64_t pairs = shares * blocks(inputs);
    int64_t parts = std::clamp<int64_t>(divided(8 * thread_count(), pairs), 1, chunks);
    int64_t sumLength = taps * share * columns;

    static int64_t divided(int64_t count, int64_t unit) { return (count + unit - 1) / unit; }

    // MARK: Factors

    /// Where the pixels of a line of the row are in a picture of so many channels, null for a line of zeros.
    const Brain *line(const Brain *pictures, int64_t index, int64_t channels) const {
        if (index < 0 || index >= lineCount || index % (height + 1) == height) return nullptr;
        return pictures + (index - index / (height + 1)) * width * channels;
    }

    /// Some channels of the pixels of a line, as lower halves of 32 bits; zeros outside.
    struct Line {
        const Brain *data;
        int64_t width, channels;
        Mask mask;

        __m512i operator[](int64_t column) const {
            if (data == nullptr || column >= width) return _mm512_setzero_si512();
            return words(data + column * channels, mask);
        }
    };

    Line pixels(const Brain *pictures, int64_t index, int64_t channels, int64_t channel) const {
        const Brain *own = line(pictures, index, channels);
        return {own == nullptr ? nullptr : own + channel, width, channels, first(channels - channel)};
    }

    /// The outputs' gradients of a chunk, its pixels innermost, `[outputs, stride]`, and their sums, `[outputs]`.
    void transposeGradient(int64_t chunk, Brain *to, float *sums) const {
        for (int64_t channel = 0; channel < outputs; channel += lanes) {
            __m512i square[lanes];
            int64_t filled = 0;
            Vector sum = zero();
            Brain *target = to + channel * stride;
            for (int64_t i = 0; i < linesAtOnce; i++) {
                const Line own = pixels(gradient, chunk * linesAtOnce + i, outputs, channel);
                for (int64_t column = 0; column < lineLength; column += 2) {
                    const __m512i even = own[column], odd = own[column + 1];
                    sum = sum + widened(even) + widened(odd);
                    square[filled++] = paired(even, odd);
                    if (filled < lanes) continue;
                    transpose(square);
                    for (int64_t j = 0; j < std::min(lanes, outputs - channel); j++) {
                        _mm512_storeu_si512(target + j * stride, square[j]);
                    }
                    target += 2 * lanes;
                    filled = 0;
                }
            }
            store(sums + channel, sum, first(outputs - channel));
        }
    }

    /// A block of the inputs of a chunk and of the lines before and after it, `[3, pixels/2, columns, 2]`.
    void packInputs(int64_t chunk, int64_t block, Brain *to) const {
        const int64_t start = block * columns, end = std::min(inputs, start + columns);
        for (int64_t i = 0; i < linesAtOnce + 2; i++) {
            for (int64_t channel = start; channel < end; channel += lanes) {
                const Line own = pixels(x, chunk * linesAtOnce + i - 1, inputs, channel);
                Brain *target = to + i * lineLength * columns + (channel - start) * 2;
                __m512i before = _mm512_setzero_si512(), even = own[0];
                for (int64_t column = 0; column < lineLength; column += 2, target += 2 * columns) {
                    const __m512i odd = own[column + 1], after = own[column + 2];
                    _mm512_storeu_si512(target, paired(before, even));
                    _mm512_storeu_si512(target + packedLength, paired(even, odd));
                    _mm512_storeu_si512(target + 2 * packedLength, paired(odd, after));
                    before = odd;
                    even = after;
                }
            }
        }
    }

    // MARK: Products

    /// A block of inputs and a share of the outputs over some chunks: `[taps, outputs, columns]`.
    void sum(int64_t from, int64_t to, int64_t block, int64_t index, const Brain *transposed, Brain *packed,
             float *sums) const {
        const int64_t start = index * share, end = std::min(outputs, start + share);
        const int64_t wide = std::min(columns, rounded(inputs - block * columns, lanes));
        for (int64_t chunk = from; chunk < to; chunk++) {
            packInputs(chunk, block, packed);
            for (int64_t i = 0; i < taps; i++) {
                // The three that read the same pixels follow each other.
                const int64_t line = i % 3, column = i / 3, tap = line * 3 + column;
                const Brain *shifted = packed + column * packedLength + line * lineLength * columns;
                for (int64_t row = start; row < end; row += rowsAtOnce) {
                    multiply<Brain>(std::min(rowsAtOnce, end - row), wide, depth,
                                    {transposed + (chunk * outputs + row) * stride, stride}, {shifted, columns},
                                    sums + (tap * share + row - start) * columns, columns, chunk > from);
                }
            }
        }
    }

    /// - result: of the weights, in float32 at any strides.
    void run(at::Tensor &result, at::Tensor &bias) const {
        const Buffer<Brain> transposed(chunks * outputs * stride);
        auto biases = at::empty({chunks, outputs}, at::kFloat);
        float *ofChunks = biases.mutable_data_ptr<float>();
        parallel(chunks, [&](int64_t chunk) {
            transposeGradient(chunk, transposed.data + chunk * outputs * stride, ofChunks + chunk * outputs);
        });
        bias = biases.sum(0);
        const Buffer<float> sums(parts * pairs * sumLength);
        const Buffer<Brain> packed(thread_count() * 3 * packedLength);
        parallel(parts * pairs, [&](int64_t task, int64_t worker) {
            const int64_t part = task / pairs, pair = task % pairs;
            sum(part * chunks / parts, (part + 1) * chunks / parts, pair / shares, pair % shares, transposed.data,
                packed.data + worker * 3 * packedLength, sums.data + task * sumLength);
            endProducts<Brain>();
        });
        float *to = result.mutable_data_ptr<float>();
        const int64_t ofOutput = result.stride(0), ofInput = result.stride(1);
        parallel(outputs, [&](int64_t output) {
            for (int64_t tap = 0; tap < taps; tap++) {
                float *own = to + output * ofOutput + tap / 3 * result.stride(2) + tap % 3 * result.stride(3);
                for (int64_t input = 0; input < inputs; input += lanes) {
                    const int64_t pair = input / columns * shares + output / share;
                    const float *summed = sums.data + pair * sumLength + input % columns +
                                          (tap * share + output % share) * columns;
                    Vector total = load(summed);
                    for (int64_t part = 1; part < parts; part++) total = total + load(summed + part * pairs * sumLength);
                    scatter(own + input * ofInput, ofInput, total, first(inputs - input));
                }
            }
        });
    }
};

}  // namespace

std::tuple<at::Tensor, at::Tensor> convolution_weight_gradient(const at::Tensor &x, const at::Tensor &gradient,
                                                               const at::Tensor &weight) {
    auto result = at::empty_like(weight, at::kFloat), bias = at::Tensor();
    WeightGradient{elements<Brain>(x), elements<Brain>(gradient), x.size(0), x.size(2), x.size(3), x.size(1),
                   gradient.size(1)}
        .run(result, bias);
    return {result, bias};
}

}  // namespace ct
CT_VECTORS_END
#endif
