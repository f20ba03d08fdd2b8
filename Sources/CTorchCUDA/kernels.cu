// The fused kernels. NVRTC compiles this file at run time, once for each SCALAR (what tensors hold),
// PARAMETER (what weights of norms hold) and REAL (what is computed in). The tests compile it for the
// processor, with stand-ins for what CUDA gives (Tests/EmulatedKernels).
//
// Every sum is made in one order, so the same input gives the same bits.

#ifndef EMULATED
#define KERNEL extern "C" __global__
#define DEVICE static __device__
#define SHARED(type, name)              \
    extern __shared__ double memory[]; \
    type *name = reinterpret_cast<type *>(memory)

struct bf16 {
    unsigned short bits;
};
struct f16 {
    unsigned short bits;
};

DEVICE float wide(f16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
DEVICE void narrow(float x, f16 &y) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); }
#endif

DEVICE float wide(float x) { return x; }
DEVICE double wide(double x) { return x; }
DEVICE float wide(bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
DEVICE void narrow(float x, float &y) { y = x; }
DEVICE void narrow(double x, double &y) { y = x; }
/// To the nearest, ties to even; a NaN stays one.
DEVICE void narrow(float x, bf16 &y) {
    unsigned bits = __float_as_uint(x);
    y.bits = x != x ? 0x7fc0 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static_assert(sizeof(exp(REAL())) + sizeof(erf(REAL())) + sizeof(sqrt(REAL())) == 3 * sizeof(REAL),
              "a function computes wider than its arguments");

/// The sum of one number of every thread, to all of them. The block has a power of 2 threads.
DEVICE REAL block_sum(REAL value, REAL *shared) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    REAL sum = shared[0];
    __syncthreads();
    return sum;
}

// MARK: GroupNorm of pictures whose channels lie innermost, [pictures, pixels, channels]

/// A number of the group, by which all of them are shifted before they are squared: the variance of
/// numbers far from 0 keeps its digits.
DEVICE REAL origin(const SCALAR *x, long long picture, long long pixels, int channels, int first) {
    return wide(x[picture * pixels * channels + first]);
}

/// Block (i, n) sums chunk i of picture n: `sums` [pictures, groups, chunks, 2] of shifted numbers and
/// of their squares.
KERNEL void group_sums(const SCALAR *x, REAL *sums, long long pixels, int channels, int groups) {
    SHARED(REAL, shared);  // [2, channels]
    long long picture = blockIdx.y, chunk = (pixels + gridDim.x - 1) / gridDim.x;
    long long first = chunk * blockIdx.x, end = first + chunk < pixels ? first + chunk : pixels;
    int width = channels / groups;
    for (int c = threadIdx.x; c < channels; c += blockDim.x) {
        REAL shift = origin(x, picture, pixels, channels, c / width * width);
        REAL sum = 0, squares = 0;
        for (long long p = first; p < end; p++) {
            REAL value = wide(x[(picture * pixels + p) * channels + c]) - shift;
            sum += value;
            squares += value * value;
        }
        shared[c] = sum;
        shared[channels + c] = squares;
    }
    __syncthreads();
    for (int g = threadIdx.x; g < groups; g += blockDim.x) {
        REAL sum = 0, squares = 0;
        for (int c = g * width; c < (g + 1) * width; c++) {
            sum += shared[c];
            squares += shared[channels + c];
        }
        REAL *out = sums + ((picture * groups + g) * gridDim.x + blockIdx.x) * 2;
        out[0] = sum;
        out[1] = squares;
    }
}

/// Block (g, n): mean and 1/√(variance + ε) of a group, `statistics` [pictures, groups, 2].
KERNEL void group_statistics(const SCALAR *x, const REAL *sums, REAL *statistics, long long pixels, int channels,
                             int groups, int chunks, double epsilon) {
    SHARED(REAL, shared);  // [threads]
    long long picture = blockIdx.y, group = picture * groups + blockIdx.x;
    REAL sum = 0, squares = 0;
    for (int i = threadIdx.x; i < chunks; i += blockDim.x) {
        sum += sums[(group * chunks + i) * 2];
        squares += sums[(group * chunks + i) * 2 + 1];
    }
    sum = block_sum(sum, shared);
    squares = block_sum(squares, shared);
    if (threadIdx.x != 0) return;
    int width = channels / groups;
    REAL count = static_cast<REAL>(pixels) * width, mean = sum / count;
    REAL variance = squares / count - mean * mean;
    statistics[group * 2] = mean + origin(x, picture, pixels, channels, blockIdx.x * width);
    statistics[group * 2 + 1] = 1 / sqrt((variance > 0 ? variance : 0) + static_cast<REAL>(epsilon));
}

/// Block (i, n) normalizes chunk i of picture n, then applies SiLU where asked.
KERNEL void group_apply(const SCALAR *x, const PARAMETER *weight, const PARAMETER *bias, const REAL *statistics,
                        SCALAR *y, long long pixels, int channels, int groups, int silu) {
    long long picture = blockIdx.y, chunk = (pixels + gridDim.x - 1) / gridDim.x;
    long long first = chunk * blockIdx.x, end = first + chunk < pixels ? first + chunk : pixels;
    for (int c = threadIdx.x; c < channels; c += blockDim.x) {
        const REAL *own = statistics + (picture * groups + c / (channels / groups)) * 2;
        REAL mean = own[0], scale = own[1] * wide(weight[c]), offset = wide(bias[c]);
        for (long long p = first; p < end; p++) {
            long long i = (picture * pixels + p) * channels + c;
            REAL value = (wide(x[i]) - mean) * scale + offset;
            narrow(silu ? value / (1 + exp(-value)) : value, y[i]);
        }
    }
}

// MARK: rows, [rows, width]; what modulates them has a row for each picture, `stride` numbers apart

/// Block r: LayerNorm of row r, then · (1 + scale) + shift. What is NULL is left out.
KERNEL void layer_norm(const SCALAR *x, const PARAMETER *weight, const PARAMETER *bias, const SCALAR *shift,
                       const SCALAR *scale, SCALAR *y, int width, long long rows_of_picture,
                       long long shift_stride, long long scale_stride, double epsilon) {
    SHARED(REAL, shared);  // [threads]
    long long row = blockIdx.x, picture = row / rows_of_picture;
    x += row * width;
    y += row * width;
    REAL sum = 0, squares = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) sum += wide(x[i]);
    REAL mean = block_sum(sum, shared) / width;
    for (int i = threadIdx.x; i < width; i += blockDim.x) squares += (wide(x[i]) - mean) * (wide(x[i]) - mean);
    REAL variance = block_sum(squares, shared) / width;
    REAL inverse = 1 / sqrt(variance + static_cast<REAL>(epsilon));
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        REAL value = (wide(x[i]) - mean) * inverse;
        if (weight) value *= wide(weight[i]);
        if (bias) value += wide(bias[i]);
        if (scale) value *= 1 + wide(scale[picture * scale_stride + i]);
        if (shift) value += wide(shift[picture * shift_stride + i]);
        narrow(value, y[i]);
    }
}

/// x [rows, 2 · width] → y [rows, width]: the first half times the exact GELU of the second.
KERNEL void geglu(const SCALAR *x, SCALAR *y, int width, long long count) {
    long long step = static_cast<long long>(gridDim.x) * blockDim.x;
    for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
        const SCALAR *own = x + i / width * 2 * width + i % width;
        REAL gate = wide(own[width]);
        narrow(wide(own[0]) * gate * (1 + erf(gate * static_cast<REAL>(0.70710678118654752440))) / 2, y[i]);
    }
}

/// out = x + gate · y
KERNEL void gated_add(const SCALAR *x, const SCALAR *gate, const SCALAR *y, SCALAR *out, int width,
                      long long rows_of_picture, long long gate_stride, long long count) {
    long long step = static_cast<long long>(gridDim.x) * blockDim.x;
    for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
        long long picture = i / width / rows_of_picture;
        narrow(wide(x[i]) + wide(gate[picture * gate_stride + i % width]) * wide(y[i]), out[i]);
    }
}
