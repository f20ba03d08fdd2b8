// Back through attention: weights are computed again from the scores, for some keys by some queries at a time, and the
// matrix of all of them is never in memory.
// Source: Dao et al. 2022 (arXiv:2205.14135), appendix B.2.
#include <vector>

#include "attention.hpp"
#include "kernels.hpp"
#include "parallel.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

/// Keys and queries of one step: what belongs to them stays in the second cache.
constexpr int64_t tokensAtOnce = 256;
/// Of a query that is not there, so that its weights are 0.
constexpr float largestLogarithm = 1e30f;

template <typename T>
struct AttentionGradient {
    Heads<T> query, key, value, output, gradient;
    const float *logarithms;  // [batch, heads, queries]
    T *queryGradient, *keyGradient, *valueGradient;  // [batch, tokens, heads, size]
    float scale, factor;

    int64_t queries = query.tokens, keys = key.tokens, paddedQueries = rounded(queries, lanes);
    int64_t keysAtOnce = std::min(tokensAtOnce, rounded(keys, 2 * lanes));
    int64_t size = query.size, valueSize = value.size;
    int64_t width = rounded(size, lanes), valueWidth = rounded(valueSize, lanes);

    /// What one worker needs for a head. Names are of Dao et al.; matrices of scores are transposed, a row for each key.
    struct Scratch {
        // Second factors: of all queries, and the keys of a step.
        Buffer<T> transposedQ, transposedDO, packedQ, packedDO, packedK;
        // For each query.
        Buffer<float> L, D, dQ;
        // Of a step, `P` and `dS` in the memory of `S` and `dP` in float32.
        Buffer<float> S, dP, dK, dV;
        Buffer<T> P, dS, transposedDS;

        explicit Scratch(const AttentionGradient &a)
            : transposedQ(a.size * a.paddedQueries),
              transposedDO(a.valueSize * a.paddedQueries),
              packedQ(a.paddedQueries * a.width),
              packedDO(a.paddedQueries * a.valueWidth),
              packedK(a.keysAtOnce * a.width),
              L(a.paddedQueries),
              D(a.paddedQueries),
              dQ(a.paddedQueries * a.width),
              S(a.keysAtOnce * tokensAtOnce),
              dP(a.keysAtOnce * tokensAtOnce),
              dK(a.keysAtOnce * a.width),
              dV(a.keysAtOnce * a.valueWidth),
              P(isBrain<T> ? a.keysAtOnce * tokensAtOnce : 0),
              dS(isBrain<T> ? a.keysAtOnce * tokensAtOnce : 0),
              transposedDS(a.keysAtOnce * tokensAtOnce) {}

        T *weights() const { return isBrain<T> ? P.data : reinterpret_cast<T *>(S.data); }
        T *gradients() const { return isBrain<T> ? dS.data : reinterpret_cast<T *>(dP.data); }
    };

    void prepare(int64_t head, Scratch &own) const {
        const Tokens<T> q = query[head], o = output[head], dO = gradient[head];
        q.packTransposed(own.transposedQ.data, paddedQueries);
        dO.packTransposed(own.transposedDO.data, paddedQueries);
        q.pack(own.packedQ.data, paddedQueries, width);
        dO.pack(own.packedDO.data, paddedQueries, valueWidth);
        for (int64_t i = 0; i < paddedQueries; i++) {
            Vector sum = zero();
            for (int64_t c = 0; i < queries && c < valueSize; c += lanes) {
                const Mask m = first(valueSize - c);
                sum = fma(load(o.data + i * o.stride + c, m), load(dO.data + i * dO.stride + c, m), sum);
            }
            own.D.data[i] = _mm512_reduce_add_ps(sum);
            own.L.data[i] = i < queries ? logarithms[head * queries + i] : largestLogarithm;
        }
    }

    /// Weights, and the gradient at the scores but for the scale, of one key.
    void weigh(int64_t count, const float *S, const float *dP, const float *L, const float *D, T *P, T *dS) const {
        for (int64_t j = 0; j < count; j += lanes) {
            const Vector p = exp2<!isBrain<T>>(_mm512_fmsub_ps(load(S + j), all(factor), load(L + j)));
            store(P + j, p);
            store(dS + j, p * (load(dP + j) - load(D + j)));
        }
    }

    /// `rows` × `count` numbers, so far apart, become `count` × `padded`; the rows that are not there are zeros.
    static void transposeAll(const T *from, int64_t rows, int64_t count, T *to, int64_t padded) {
        constexpr int64_t unit = 4 / sizeof(T);  // rows that share a number of 32 bits
        const auto isThere = [=](int64_t row) { return row < rows ? Mask(0xffff) : Mask(0); };
        for (int64_t row = 0; row < padded; row += unit * lanes) {
            for (int64_t c = 0; c < count; c += lanes) {
                __m512i square[lanes];
                for (int64_t i = 0; i < lanes; i++) {
                    const int64_t own = row + i * unit;
                    const T *line = from + own * count + c;
                    if constexpr (isBrain<T>) {
                        square[i] = paired(words(line, isThere(own)), words(line + count, isThere(own + 1)));
                    } else {
                        square[i] = _mm512_castps_si512(load(line, isThere(own)));
                    }
                }
                transpose(square);
                for (int64_t i = 0; i < lanes; i++) _mm512_storeu_si512(to + (c + i) * padded + row, square[i]);
            }
        }
    }

    /// Some keys, over all queries.
    void take(int64_t head, int64_t start, Scratch &own) const {
        const Tokens<T> k = key[head].some(start, keysAtOnce), v = value[head].some(start, keysAtOnce);
        const int64_t rows = k.count, padded = rounded(rows, 2 * lanes);
        k.pack(own.packedK.data, padded, width);
        for (int64_t from = 0; from < paddedQueries; from += tokensAtOnce) {
            const int64_t count = std::min(tokensAtOnce, paddedQueries - from);
            const auto columns = [&](const Buffer<T> &all) {
                return Factor<T>{all.data + packedPlace<T>(0, from, 0), paddedQueries};
            };
            multiply<T>(rows, count, size, {k.data, k.stride}, columns(own.transposedQ), own.S.data, count, false);
            multiply<T>(rows, count, valueSize, {v.data, v.stride}, columns(own.transposedDO), own.dP.data, count,
                        false);
            for (int64_t i = 0; i < rows; i++) {
                weigh(count, own.S.data + i * count, own.dP.data + i * count, own.L.data + from, own.D.data + from,
                      own.weights() + i * count, own.gradients() + i * count);
            }
            multiply<T>(rows, valueWidth, count, {own.weights(), count},
                        {own.packedDO.data + from * valueWidth, valueWidth}, own.dV.data, valueWidth, from > 0);
            multiply<T>(rows, width, count, {own.gradients(), count}, {own.packedQ.data + from * width, width},
                        own.dK.data, width, from > 0);
            transposeAll(own.gradients(), rows, count, own.transposedDS.data, padded);
            multiply<T>(count, width, padded, {own.transposedDS.data, padded}, {own.packedK.data, width},
                        own.dQ.data + from * width, width, start > 0);
        }
        write(own.dK.data, rows, width, keyGradient, head, start, keys, size, scale);
        write(own.dV.data, rows, valueWidth, valueGradient, head, start, keys, valueSize, 1);
    }

    void write(const float *sums, int64_t rows, int64_t width, T *to, int64_t head, int64_t start, int64_t tokens,
               int64_t size, float scale) const {
        for (int64_t i = 0; i < rows; i++) {
            const int64_t place = head / query.heads * tokens + start + i;
            T *own = to + (place * query.heads + head % query.heads) * size;
            for (int64_t c = 0; c < size; c += lanes) {
                store(own + c, load(sums + i * width + c) * all(scale), first(size - c));
            }
        }
    }

    void run(int64_t batch) const {
        std::vector<Scratch> scratches;
        for (int64_t i = 0; i < thread_count(); i++) scratches.emplace_back(*this);
        parallel(batch * query.heads, [&](int64_t head, int64_t worker) {
            Scratch &own = scratches[worker];
            prepare(head, own);
            for (int64_t start = 0; start < keys; start += keysAtOnce) take(head, start, own);
            write(own.dQ.data, queries, width, queryGradient, head, 0, queries, size, scale);
            endProducts<T>();
        });
    }
};

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> attention_gradient(const at::Tensor &query, const at::Tensor &key,
                                                                  const at::Tensor &value, const at::Tensor &output,
                                                                  const at::Tensor &logarithms,
                                                                  const at::Tensor &gradient,
                                                                  std::optional<double> scale) {
    const auto q = dense(query), k = dense(key), v = dense(value), dO = dense(gradient.to(q.scalar_type()));
    const auto empty = [](const at::Tensor &x) {
        return at::empty({x.size(0), x.size(2), x.size(1), x.size(3)}, x.options());
    };
    auto dQ = empty(q), dK = empty(k), dV = empty(v);
    typed(q, [&](auto element) {
        using T = decltype(element);
        const auto to = [](at::Tensor &x) { return x.template mutable_data_ptr<T>(); };
        const float factor = scoreFactor(scale, q.size(3));
        AttentionGradient<T>{Heads<T>(q),
                             Heads<T>(k),
                             Heads<T>(v),
                             Heads<T>(output),
                             Heads<T>(dO),
                             elements<float>(logarithms),
                             to(dQ),
                             to(dK),
                             to(dV),
                             static_cast<float>(factor * M_LN2),
                             factor}
            .run(q.size(0));
    });
    return {dQ.transpose(1, 2), dK.transpose(1, 2), dV.transpose(1, 2)};
}

}  // namespace ct
CT_VECTORS_END
#endif
