// Convolutions of kernel 3 in float32 by Winograd's minimal filtering F(4×4, 3×3): of a square of 6×6 pixels, 36
// products give 4×4 sums, where the plain way takes 144. Pictures, weights and sums are transformed, and in between
// there are 36 products of matrices. It is exact but for rounding, some ten times that of the plain way: 1e-6 of the
// largest.
// Source: Lavin and Gray 2016 (arXiv:1509.09308), sections 4.1 to 4.3.
#include "kernels.hpp"
#include "parallel.hpp"
#include "pictures.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

/// Pixels along a side of what a tile gives, and of what it reads.
constexpr int64_t given = 4, read = 6, points = read * read;
/// Tiles that go through all three stages together, by all threads, and transformed weights that they meet at once: what
/// lies between stays in the last cache.
constexpr int64_t tilesAtOnce = 512, weightsAtOnce = 12 << 20;
/// Transformed weights that are kept, and not made anew whenever the layer runs.
constexpr int64_t weightsKept = 12 << 20;
/// Tiles that go through all three stages in one task, where weights are small enough to stay in the second cache.
constexpr int64_t tilesOfTask = 32, weightsOfTask = 320 << 10;
/// Pixels of a patch with its border, and vectors of channels: so much is copied at once, and stays in the second cache.
constexpr int64_t pixelsAtOnce = 448, vectorsAtOnce = 8;

/// Bᵀ·d for six vectors.
inline void forward(const Vector *d, Vector *v) {
    const Vector even = fma(all(-4), d[2], d[4]), odd = fma(all(-4), d[1], d[3]);
    const Vector near = d[4] - d[2], far = all(2) * (d[3] - d[1]);
    v[0] = fma(all(4), d[0], fma(all(-5), d[2], d[4]));
    v[1] = even + odd;
    v[2] = even - odd;
    v[3] = near + far;
    v[4] = near - far;
    v[5] = fma(all(4), d[1], fma(all(-5), d[3], d[5]));
}

/// Aᵀ·m for six vectors.
inline void backward(const Vector *m, Vector *y) {
    const Vector s1 = m[1] + m[2], d1 = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
    y[0] = m[0] + s1 + s2;
    y[1] = fma(all(2), d2, d1);
    y[2] = fma(all(4), s2, s1);
    y[3] = fma(all(8), d2, d1) + m[5];
}

/// G·g for three vectors.
inline void stretch(const Vector *g, Vector *u) {
    const Vector ends = g[0] + g[2], far = fma(all(4), g[2], g[0]);
    u[0] = g[0] * all(1.f / 4);
    u[1] = (ends + g[1]) * all(-1.f / 6);
    u[2] = (ends - g[1]) * all(-1.f / 6);
    u[3] = fma(all(2), g[1], far) * all(1.f / 24);
    u[4] = fma(all(-2), g[1], far) * all(1.f / 24);
    u[5] = g[2];
}

/// A·y for four vectors.
inline void spread(const Vector *y, Vector *z) {
    const Vector even = y[0] + y[2], odd = y[1] + y[3];
    const Vector far = fma(all(4), y[2], y[0]), wide = fma(all(8), y[3], all(2) * y[1]);
    z[0] = y[0];
    z[1] = even + odd;
    z[2] = even - odd;
    z[3] = far + wide;
    z[4] = far - wide;
    z[5] = y[3];
}

/// T·a·Tᵀ for a transform T that is applied to `in` vectors and gives `out`: first down the columns, then along the rows.
template <int64_t in, int64_t out, void (*transform)(const Vector *, Vector *), typename Get, typename Put>
__attribute__((always_inline)) inline void bothSides(const Get &get, const Put &put) {
    Vector half[out][in];
#pragma unroll
    for (int64_t column = 0; column < in; column++) {
        Vector before[in], after[out];
        for (int64_t row = 0; row < in; row++) before[row] = get(row, column);
        transform(before, after);
        for (int64_t row = 0; row < out; row++) half[row][column] = after[row];
    }
#pragma unroll
    for (int64_t row = 0; row < out; row++) {
        Vector after[out];
        transform(half[row], after);
        for (int64_t column = 0; column < out; column++) put(row, column, after[column]);
    }
}

struct Winograd {
    const float *x, *weight, *bias, *addend, *residual, *factors, *shifts;
    float *y;
    bool activates;
    int64_t addendStride;
    int64_t batch, height, width, inputs, outputs;

    // MARK: Tiles and patches

    // Pictures are cut into patches of neighbouring tiles, all of one size; those at the edges reach over it.

    int64_t tileRows() const { return (height + given - 1) / given; }
    int64_t tileColumns() const { return (width + given - 1) / given; }
    /// Patches beside each other, each of at most 16 tiles.
    int64_t across() const { return (tileColumns() + 15) / 16; }
    int64_t patchColumns() const { return (tileColumns() + across() - 1) / across(); }
    int64_t lineLength() const { return patchColumns() * given + 2; }
    int64_t patchRows() const {
        return std::clamp<int64_t>((pixelsAtOnce / lineLength() - 2) / given, 1, tileRows());
    }
    int64_t lineCount() const { return patchRows() * given + 2; }
    int64_t down() const { return (tileRows() + patchRows() - 1) / patchRows(); }
    int64_t patches() const { return batch * down() * across(); }
    int64_t tilesOfPatch() const { return patchRows() * patchColumns(); }

    /// A square of pixels: its picture, and its upper left corner there.
    struct Place {
        int64_t picture, top, left;
    };
    Place patch(int64_t index) const {
        const int64_t inPicture = down() * across();
        return {index / inPicture, index % inPicture / across() * patchRows() * given,
                index % across() * patchColumns() * given};
    }

    // MARK: Transforms

    // Between the stages, point p of channel c of tile t is at p·stride + t·channels + c.

    /// A little more than the channels of the tiles: points a power of 2 apart would share few lines of the caches.
    static int64_t stride(int64_t tiles, int64_t channels) { return rounded(tiles * channels, lanes) + lanes; }

    /// Some channels of a patch and its border, with the norm and the non-linearity: each pixel once. Neighbouring
    /// channels are read one after the other, as memory likes it.
    void copyPatch(const Place &patch, int64_t from, int64_t to, float *copy) const {
        const int64_t channel = patch.picture * inputs + from, wide = rounded(to - from, lanes);
        const float *a = factors == nullptr ? nullptr : factors + channel;
        const float *b = factors == nullptr ? nullptr : shifts + channel;
        const int64_t length = lineLength(), lines = lineCount();
        // The columns of the patch that are in the picture.
        const int64_t start = patch.left == 0 ? 0 : -1, end = std::min(length - 1, width - patch.left);
        for (int64_t line = -1; line < lines - 1; line++, copy += length * wide) {
            const int64_t row = patch.top + line;
            if (row < 0 || row >= height) {
                std::memset(copy, 0, length * wide * sizeof(float));
                continue;
            }
            std::memset(copy, 0, (start + 1) * wide * sizeof(float));
            std::memset(copy + (end + 1) * wide, 0, (length - 1 - end) * wide * sizeof(float));
            const int64_t own = (patch.picture * height + row) * width + patch.left + start;
            copyPixels<float, float>({x + own * inputs + from, inputs}, {copy + (start + 1) * wide, wide}, end - start,
                                     to - from, a, b, activates);
        }
    }

    /// Numbers of the copy of a patch with its border.
    int64_t copyLength() const { return lineCount() * lineLength() * vectorsAtOnce * lanes; }

    /// Bᵀ·d·B of the tiles of a patch. `copy` is memory to work in.
    void transformPicture(const Place &patch, float *copy, float *to, int64_t stride) const {
        const int64_t rows = patchRows(), columns = patchColumns(), length = lineLength();
        for (int64_t from = 0; from < inputs; from += vectorsAtOnce * lanes) {
            const int64_t end = std::min(inputs, from + vectorsAtOnce * lanes), wide = rounded(end - from, lanes);
            copyPatch(patch, from, end, copy);
            float *target = to + from;
            for (int64_t row = 0; row < rows; row++) {
                for (int64_t column = 0; column < columns; column++, target += inputs) {
                    const float *corner = copy + (row * length + column) * given * wide;
                    for (int64_t c = 0; c < end - from; c += lanes) {
                        const Mask m = first(end - from - c);
                        bothSides<read, read, forward>(
                            [=](int64_t row, int64_t column) { return load(corner + (row * length + column) * wide + c); },
                            [=](int64_t row, int64_t column, Vector v) {
                                store(target + (row * read + column) * stride + c, v, m);
                            });
                    }
                }
            }
        }
    }

    /// Calls a body with every tile of a patch: where its upper left pixel is among those of all pictures, and how many
    /// rows and columns the picture has from there on.
    template <typename Body>
    void everyTile(const Place &patch, const Body &body) const {
        const int64_t rows = patchRows(), columns = patchColumns();
        for (int64_t top = patch.top; top < patch.top + rows * given; top += given) {
            for (int64_t left = patch.left; left < patch.left + columns * given; left += given) {
                body((patch.picture * height + top) * width + left, height - top, width - left);
            }
        }
    }

    /// Aᵀ·m·A of the tiles of a patch, and what is added to it.
    void transformSums(const Place &patch, const float *from, int64_t stride) const {
        const float *vector = addend == nullptr ? nullptr : addend + patch.picture * addendStride;
        everyTile(patch, [&](int64_t corner, int64_t rows, int64_t columns) {
            for (int64_t c = 0; c < outputs; c += lanes) {
                const Mask m = first(outputs - c);
                Vector added = zero();
                if (bias != nullptr) added = load(bias + c, m);
                if (vector != nullptr) added = added + load(vector + c, m);
                const int64_t place = corner * outputs + c;
                bothSides<read, given, backward>(
                    [=, from = from + c](int64_t row, int64_t column) {
                        return load(from + (row * read + column) * stride, m);
                    },
                    [=, width = width, outputs = outputs, y = y, residual = residual](int64_t row, int64_t column,
                                                                                      Vector v) {
                        if (row >= rows || column >= columns) return;
                        const int64_t own = place + (row * width + column) * outputs;
                        v = v + added;
                        if (residual != nullptr) v = v + load(residual + own, m);
                        store(y + own, v, m);
                    });
            }
            from += outputs;
        });
    }

    /// A·dy·Aᵀ of the tiles of a patch of the gradient at the result.
    void transformGradient(const float *gradient, const Place &patch, float *to, int64_t stride) const {
        everyTile(patch, [&](int64_t corner, int64_t rows, int64_t columns) {
            for (int64_t c = 0; c < outputs; c += lanes) {
                const Mask m = first(outputs - c);
                const float *own = gradient + corner * outputs + c;
                bothSides<given, read, spread>(
                    [=, width = width, outputs = outputs](int64_t row, int64_t column) {
                        const bool isIn = row < rows && column < columns;
                        return isIn ? load(own + (row * width + column) * outputs, m) : zero();
                    },
                    [=, to = to + c](int64_t row, int64_t column, Vector v) {
                        store(to + (row * read + column) * stride, v, m);
                    });
            }
            to += outputs;
        });
    }

    // MARK: Weights

    /// Blocks of outputs whose transformed weights, `[36, blocks, inputs, columns]`, lie side by side.
    struct Blocks {
        int64_t from, to;
        int64_t count() const { return to - from; }
    };

    /// Between the points of transformed weights, as between those of tiles.
    int64_t weightStride(int64_t blocks) const { return blocks * inputs * columns + lanes; }

    // MARK: The whole

    /// The 36 products, for `count` tiles and some blocks of outputs: tasks are a point and some of the blocks.
    void multiplyPoints(int64_t count, const float *pictures, Blocks own, const float *weights, float *sums) const {
        const int64_t parts = std::min<int64_t>(own.count(), 4), share = (own.count() + parts - 1) / parts;
        parallel(points * parts, [&](int64_t task) {
            const int64_t point = task / parts, end = std::min(own.count(), (task % parts + 1) * share);
            const float *a = pictures + point * stride(count, inputs);
            for (int64_t block = task % parts * share; block < end; block++) {
                const float *b = weights + point * weightStride(own.count()) + block * inputs * columns;
                const int64_t start = (own.from + block) * columns, wide = std::min(columns, outputs - start);
                for (int64_t row = 0; row < count; row += rowsAtOnce) {
                    float *to = sums + point * stride(count, outputs) + row * outputs + start;
                    for (int64_t d = 0; d < inputs; d += depthAtOnce) {
                        multiply<float>(std::min(rowsAtOnce, count - row), wide, std::min(depthAtOnce, inputs - d),
                                        {a + row * inputs + d, inputs}, {b + d * columns, columns}, to, outputs, d > 0);
                    }
                }
            }
            endProducts<float>();
        });
    }

    /// Some patches through all three stages, on all threads where the caller is not one of them already. Copies of each
    /// worker and what lies between the stages have their memory from the caller.
    template <typename Multiply>
    void take(int64_t from, int64_t to, float *copies, float *between, const Multiply &multiply) const {
        const int64_t own = tilesOfPatch(), count = (to - from) * own;
        float *pictures = between, *sums = pictures + points * stride(count, inputs);
        parallel(to - from, [&](int64_t i, int64_t worker) {
            transformPicture(patch(from + i), copies + worker * copyLength(), pictures + i * own * inputs,
                             stride(count, inputs));
        });
        multiply(count, pictures, sums);
        parallel(to - from, [&](int64_t i) {
            transformSums(patch(from + i), sums + i * own * outputs, stride(count, outputs));
        });
    }

    /// - multiply: the second stage, given how many tiles there are, their pictures, and where their sums go.
    template <typename Multiply>
    void run(const Multiply &multiply) const {
        const bool isSmall = inputs * outputs * points <= weightsOfTask;
        const int64_t share = patches() * tilesOfPatch() / thread_count();
        const int64_t tiles = isSmall ? std::min(tilesOfTask, share) : tilesAtOnce;
        const int64_t some = std::clamp<int64_t>(tiles / tilesOfPatch(), 1, patches());
        const int64_t tasks = (patches() + some - 1) / some, count = some * tilesOfPatch();
        const int64_t copies = (isSmall ? 1 : thread_count()) * copyLength();
        const int64_t length = copies + points * (stride(count, inputs) + stride(count, outputs));
        const Buffer<float> buffer((isSmall ? thread_count() : 1) * length);
        const auto take = [&](int64_t task, int64_t worker) {
            float *own = buffer.data + worker * length;
            this->take(task * some, std::min(patches(), (task + 1) * some), own, own + copies, multiply);
        };
        if (isSmall) return parallel(tasks, take);
        for (int64_t task = 0; task < tasks; task++) take(task, 0);
    }

    /// With weights that are transformed.
    void run() const {
        run([&](int64_t count, const float *pictures, float *sums) {
            multiplyPoints(count, pictures, {0, blocks(outputs)}, weight, sums);
        });
    }

    /// Of the transformed weights, `[36, inputs, outputs]`, from the gradient at the result.
    at::Tensor weightGradient(const float *gradient) const {
        auto total = at::zeros({points, inputs, outputs}, at::kFloat);
        const int64_t own = tilesOfPatch(), some = std::clamp<int64_t>(tilesAtOnce / own, 1, patches());
        const Buffer<float> copies(thread_count() * copyLength());
        for (int64_t from = 0; from < patches(); from += some) {
            const int64_t count = std::min(some, patches() - from), tiles = count * own;
            const auto between = [&](int64_t channels) {
                return at::empty_strided({points, tiles, channels}, {stride(tiles, channels), channels, 1}, at::kFloat);
            };
            auto pictures = between(inputs), gradients = between(outputs);
            float *v = pictures.mutable_data_ptr<float>(), *z = gradients.mutable_data_ptr<float>();
            parallel(count, [&](int64_t i, int64_t worker) {
                transformPicture(patch(from + i), copies.data + worker * copyLength(), v + i * own * inputs,
                                 stride(tiles, inputs));
                transformGradient(gradient, patch(from + i), z + i * own * outputs, stride(tiles, outputs));
            });
            total.baddbmm_(pictures.transpose(1, 2), gradients);
        }
        return total;
    }
};

/// The same with weights as the plain way packs them: transformed ones are four times as many, and to transform them
/// whenever the layer runs takes no longer than to read so much from memory.
struct TransformingWinograd : Winograd {
    /// G·g·Gᵀ of the kernels of some blocks.
    void transformWeights(Blocks own, float *to) const {
        constexpr int64_t some = 32;
        const int64_t slices = (inputs + some - 1) / some, stride = weightStride(own.count());
        parallel(own.count() * slices, [&](int64_t task) {
            const int64_t block = task / slices, start = task % slices * some, end = std::min(inputs, start + some);
            const float *kernels = weight + (own.from + block) * 9 * inputs * columns;
            float *target = to + block * inputs * columns;
            for (int64_t place = start * columns; place < end * columns; place += lanes) {
                bothSides<3, read, stretch>(
                    [=, own = kernels + place, apart = inputs * columns](int64_t row, int64_t column) {
                        return load(own + (row * 3 + column) * apart);
                    },
                    [=, own = target + place](int64_t row, int64_t column, Vector v) {
                        store(own + (row * read + column) * stride, v);
                    });
            }
        });
    }

    void run() const {
        const int64_t all = blocks(outputs);
        const int64_t some = std::clamp<int64_t>(weightsAtOnce / (points * weightStride(1)), 1, all);
        const Buffer<float> weights(points * weightStride(some));
        if (some == all) transformWeights({0, all}, weights.data);
        Winograd::run([&](int64_t count, const float *pictures, float *sums) {
            for (int64_t from = 0; from < all; from += some) {
                const Blocks own{from, std::min(all, from + some)};
                if (some < all) transformWeights(own, weights.data);
                multiplyPoints(count, pictures, own, weights.data, sums);
            }
        });
    }
};

}  // namespace

at::Tensor pack_winograd(const at::Tensor &weight, bool isBackward) {
    const auto plain = pack_convolution(weight, isBackward);
    TransformingWinograd layer{};
    layer.weight = elements<float>(plain);
    layer.outputs = weight.size(isBackward ? 1 : 0);
    layer.inputs = weight.size(isBackward ? 0 : 1);
    const Winograd::Blocks all{0, blocks(layer.outputs)};
    auto packed = at::empty({points, layer.weightStride(all.count())}, plain.options());
    layer.transformWeights(all, packed.mutable_data_ptr<float>());
    return packed;
}

at::Tensor winograd_weight_gradient(const at::Tensor &x, const at::Tensor &gradient) {
    const int64_t inputs = x.size(1), outputs = gradient.size(1);
    Winograd layer{};
    layer.x = elements<float>(x);
    layer.batch = x.size(0);
    layer.inputs = inputs;
    layer.height = x.size(2);
    layer.width = x.size(3);
    layer.outputs = outputs;
    const auto total = layer.weightGradient(elements<float>(gradient));
    // Gᵀ·dU·G, the two products with G as one.
    const auto transform = at::tensor({1. / 4, 0., 0., -1. / 6, -1. / 6, -1. / 6, -1. / 6, 1. / 6, -1. / 6,
                                       1. / 24, 1. / 12, 1. / 6, 1. / 24, -1. / 12, 1. / 6, 0., 0., 1.})
                               .to(at::kDouble)
                               .view({read, 3});
    const auto taps = at::mm(at::kron(transform, transform).t().to(at::kFloat), total.view({points, inputs * outputs}));
    return taps.view({3, 3, inputs, outputs}).permute({3, 2, 0, 1});
}

bool winograd_pays(const at::Tensor &x, int64_t outputs) {
    const int64_t inputs = x.size(1);
    return x.scalar_type() == at::kFloat && std::min(inputs, outputs) >= lanes &&
           inputs * outputs <= 16384 * x.size(2) * x.size(3);
}

bool winograd_keeps_weights(int64_t inputs, int64_t outputs) { return points * inputs * outputs <= weightsKept; }

at::Tensor winograd(const at::Tensor &x, const at::Tensor &packed, const Optional &bias, int64_t outputs,
                    const Optional &norm, bool silu, const Optional &addend, const Optional &residual) {
    return convolve<Winograd, float, float, float>(x, packed, bias, outputs, norm, silu, addend, residual);
}

at::Tensor transforming_winograd(const at::Tensor &x, const at::Tensor &packed, const Optional &bias, int64_t outputs,
                                 const Optional &norm, bool silu, const Optional &addend, const Optional &residual) {
    return convolve<TransformingWinograd, float, float, float>(x, packed, bias, outputs, norm, silu, addend, residual);
}

}  // namespace ct
CT_VECTORS_END
#endif
