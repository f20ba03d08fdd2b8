// The gradients at weight and bias of a depthwise convolution, whose channels have a kernel each, of stride 1 and borders of
// zeros: libtorch's own take ten times as long as the convolution in float32, and twenty in bfloat16.
//
// Channels lie innermost, 16 of them are a vector. A line of the gradient meets the lines of the picture around it, which wait
// in float32 with zeros at both ends; of a line of the kernel all columns are summed at once, in registers.
#include <algorithm>

#include "kernels.hpp"
#include "parallel.hpp"
#include "products.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

template <int64_t size, typename T>
struct DepthwiseGradient {
    const T *x, *gradient;
    int64_t batch, height, width, channels;

    static constexpr int64_t margin = size / 2;
    /// Sums of a task: those of the kernel's places, and that of the gradient.
    static constexpr int64_t sumLength = (size * size + 1) * lanes;
    /// A task is a block of channels of some pictures: the same ones whatever number of threads there is, so that sums are.
    static constexpr int64_t together = 8;
    int64_t blocks = (channels + lanes - 1) / lanes, parts = (batch + together - 1) / together;
    int64_t lineLength = (width + 2 * margin) * lanes;

    /// A line of a block of channels in float32.
    void widen(const T *from, Mask mask, float *to) const {
        for (int64_t column = 0; column < width; column++) store(to + column * lanes, load(from + column * channels, mask));
    }

    /// Adds what a line of the gradient and one of the picture are together for each column of the kernel.
    void add(const float *gradient, const float *line, float *sums) const {
        Vector own[size];
        for (int64_t j = 0; j < size; j++) own[j] = zero();
        for (int64_t column = 0; column < width; column++) {
            const Vector g = load(gradient + column * lanes);
            for (int64_t j = 0; j < size; j++) own[j] = fma(g, load(line + (column + j) * lanes), own[j]);
        }
        for (int64_t j = 0; j < size; j++) store(sums + j * lanes, load(sums + j * lanes) + own[j]);
    }

    /// - lines: `size` lines with zeros at both ends, and one more.
    void sum(int64_t from, int64_t to, int64_t block, float *lines, float *sums) const {
        const Mask mask = first(channels - block * lanes);
        float *ofGradient = lines + size * lineLength;
        std::fill(sums, sums + sumLength, 0.f);
        for (int64_t picture = from; picture < to; picture++) {
            const int64_t start = picture * height * width * channels + block * lanes;
            // Line y comes in, and line y − margin of the gradient has all that it meets.
            for (int64_t y = 0; y < height + margin; y++) {
                if (y < height) {
                    widen(x + start + y * width * channels, mask, lines + y % size * lineLength + margin * lanes);
                }
                const int64_t row = y - margin;
                if (row < 0) continue;
                widen(gradient + start + row * width * channels, mask, ofGradient);
                for (int64_t i = std::max<int64_t>(0, margin - row); i < std::min(size, height + margin - row); i++) {
                    add(ofGradient, lines + (row + i - margin) % size * lineLength, sums + i * size * lanes);
                }
                Vector all = zero();
                for (int64_t column = 0; column < width; column++) all = all + load(ofGradient + column * lanes);
                float *bias = sums + size * size * lanes;
                store(bias, load(bias) + all);
            }
        }
    }

    /// - result: of the weight, `[channels, 1, size, size]` in float32 at any strides; `bias`: `[channels]`.
    void run(at::Tensor &result, at::Tensor &bias) const {
        const int64_t memory = (size + 1) * lineLength;
        const Buffer<float> lines(thread_count() * memory), sums(parts * blocks * sumLength);
        std::fill(lines.data, lines.data + thread_count() * memory, 0.f);
        parallel(parts * blocks, [&](int64_t task, int64_t worker) {
            const int64_t part = task / blocks;
            sum(part * together, std::min(batch, (part + 1) * together), task % blocks, lines.data + worker * memory,
                sums.data + task * sumLength);
        });
        float *ofWeight = result.mutable_data_ptr<float>(), *ofBias = bias.mutable_data_ptr<float>();
        for (int64_t block = 0; block < blocks; block++) {
            const Mask mask = first(channels - block * lanes);
            for (int64_t place = 0; place <= size * size; place++) {
                Vector total = zero();
                for (int64_t part = 0; part < parts; part++) {
                    total = total + load(sums.data + (part * blocks + block) * sumLength + place * lanes);
                }
                if (place == size * size) {
                    store(ofBias + block * lanes, total, mask);
                } else {
                    float *to = ofWeight + place / size * result.stride(2) + place % size * result.stride(3);
                    scatter(to + block * lanes * result.stride(0), result.stride(0), total, mask);
                }
            }
        }
    }
};

template <int64_t size>
void run(const at::Tensor &x, const at::Tensor &gradient, at::Tensor &result, at::Tensor &bias) {
    typed(x, [&](auto type) {
        using T = decltype(type);
        DepthwiseGradient<size, T>{elements<T>(x), elements<T>(gradient), x.size(0), x.size(2), x.size(3), x.size(1)}.run(
            result, bias);
    });
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> depthwise_weight_gradient(const at::Tensor &x, const at::Tensor &gradient,
                                                             const at::Tensor &weight) {
    auto result = at::empty_like(weight, at::kFloat), bias = at::empty({weight.size(0)}, result.options());
    switch (weight.size(3)) {
        case 3: run<3>(x, gradient, result, bias); break;
        case 5: run<5>(x, gradient, result, bias); break;
        default: run<7>(x, gradient, result, bias);
    }
    return {result, bias};
}

}  // namespace ct
CT_VECTORS_END
#endif
