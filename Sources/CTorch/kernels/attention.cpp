// softmax(Q·Kᵀ·scale)·V without the matrix of scores ever being in memory: for some queries at a time, some keys at
// a time, the sums so far rescaled where a larger score turns up.
// Source: Milakov and Gimelshein 2018 (arXiv:1805.02867), algorithm 3; Dao et al. 2022 (arXiv:2205.14135), algorithm 1.
#include <cmath>
#include <vector>

#include "attention.hpp"
#include "kernels.hpp"
#include "parallel.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

/// Queries of one step; the keys are as many that they and their values stay in the second cache.
constexpr int64_t queriesAtOnce = 128, bytesAtOnce = 2 << 20;
/// Steps of one task, and scores of tasks that are taken together.
constexpr int64_t stepsOfTask = 4, scoresAtOnce = 1 << 16;
/// What weights may add up to.
constexpr float largestTotal = 1e20f;
/// The score of a key that is not there: its weight is 0, and it is finite.
constexpr float unseen = -1e30f;

template <typename T>
struct Attention {
    Heads<T> query, key, value;
    T *output;  // [batch, queries, heads, size]
    /// log₂Σ2^(factor·score) of every query, `[batch, heads, queries]`, null where it is not asked for.
    float *logarithms;
    /// Of scores, for a softmax in powers of 2.
    float factor;
    int64_t heads = query.heads, queries = query.tokens, keys = key.tokens, size = query.size, valueSize = value.size;

    int64_t paddedKeys() const { return rounded(keys, lanes); }
    int64_t paddedSize() const { return rounded(valueSize, lanes); }
    int64_t keysAtOnce() const {
        const int64_t fitting = bytesAtOnce / ((size + valueSize) * static_cast<int64_t>(sizeof(T)));
        return std::min(paddedKeys(), std::clamp<int64_t>(fitting / lanes * lanes, 256, 1024));
    }
    int64_t packedKeys() const { return paddedKeys() * size; }
    int64_t packedValues() const { return paddedKeys() * paddedSize(); }

    /// What one worker needs beside the keys and values.
    struct Scratch {
        Buffer<float> scores, sums, totals, largest;
        Buffer<T> weights;

        Scratch(int64_t queries, int64_t keys, int64_t size)
            : scores(queries * keys),
              sums(queries * size),
              totals(queries),
              largest(queries),
              weights(isBrain<T> ? queries * keys : 0) {}
    };

    static float largestOf(const float *row, int64_t count) {
        Vector top[4] = {load(row), load(row), load(row), load(row)};
        int64_t j = 0;
        for (; j + 4 * lanes <= count; j += 4 * lanes) {
            for (int64_t u = 0; u < 4; u++) top[u] = max(top[u], load(row + j + u * lanes));
        }
        for (; j < count; j += lanes) top[0] = max(top[0], load(row + j));
        return _mm512_reduce_max_ps(max(max(top[0], top[1]), max(top[2], top[3])));
    }

    /// Scores of one query become weights 2^(factor·score − largest), whose sum it gives. The largest may be any number
    /// that keeps weights finite.
    float weigh(const float *row, T *weights, int64_t count, float largest) const {
        Vector total = zero();
        for (int64_t j = 0; j < count; j += lanes) {
            const Vector weight = exp2<!isBrain<T>>(_mm512_fmsub_ps(load(row + j), all(factor), all(largest)));
            total = total + weight;
            store(weights + j, weight);
        }
        return _mm512_reduce_add_ps(total);
    }

    /// The same, with the largest score so far; what was summed before is rescaled where that is a new one.
    void weigh(float *row, T *weights, int64_t seen, int64_t count, int64_t i, bool isFirst, Scratch &scratch) const {
        if (seen < count) store(row + count - lanes, all(unseen), static_cast<Mask>(~first(seen - count + lanes)));
        const float before = scratch.largest.data[i];
        if (isBrain<T> && !isFirst) {
            // Weights have the exponents of float32, so the largest score before will do unless some are far larger:
            // then these weights are written again below. So scores need not be searched.
            const float total = weigh(row, weights, count, before);
            if (total < largestTotal) {
                scratch.totals.data[i] += total;
                return;
            }
        }
        const float now = std::max(before, largestOf(row, count) * factor);
        const float total = weigh(row, weights, count, now);
        scratch.largest.data[i] = now;
        if (isFirst) {
            scratch.totals.data[i] = total;
            return;
        }
        const float kept = std::exp2(before - now);
        scratch.totals.data[i] = scratch.totals.data[i] * kept + total;
        if (kept == 1) return;
        float *sums = scratch.sums.data + i * paddedSize();
        for (int64_t c = 0; c < paddedSize(); c += lanes) store(sums + c, load(sums + c) * all(kept));
    }

    void attend(int64_t head, int64_t start, const T *ownKeys, const T *ownValues, Scratch &scratch) const {
        const int64_t count = std::min(queriesAtOnce, queries - start), width = paddedSize(), some = keysAtOnce();
        float *scores = scratch.scores.data, *sums = scratch.sums.data;
        std::fill(scratch.largest.data, scratch.largest.data + count, unseen);
        const Tokens<T> own = query[head].some(start, count);
        for (int64_t from = 0; from < keys; from += some) {
            const int64_t seen = std::min(some, keys - from), padded = rounded(seen, lanes);
            multiply<T>(count, padded, size, {own.data, own.stride},
                        {ownKeys + packedPlace<T>(0, from, 0), paddedKeys()}, scores, padded, false);
            T *weights = isBrain<T> ? scratch.weights.data : reinterpret_cast<T *>(scores);
            for (int64_t i = 0; i < count; i++) {
                weigh(scores + i * padded, weights + i * padded, seen, padded, i, from == 0, scratch);
            }
            multiply<T>(count, width, padded, {weights, padded}, {ownValues + from * width, width}, sums, width, from > 0);
        }
        for (int64_t i = 0; i < count; i++) {
            const int64_t batch = head / heads, place = batch * queries + start + i;
            T *to = output + (place * heads + head % heads) * valueSize;
            if (logarithms != nullptr) {
                logarithms[head * queries + start + i] = scratch.largest.data[i] + std::log2(scratch.totals.data[i]);
            }
            const Vector share = all(1 / scratch.totals.data[i]);
            for (int64_t c = 0; c < valueSize; c += lanes) {
                store(to + c, load(sums + i * width + c) * share, first(valueSize - c));
            }
        }
    }

    void run(int64_t batches) const {
        const int64_t pairs = batches * heads, steps = (queries + queriesAtOnce - 1) / queriesAtOnce;
        const int64_t tasks = (steps + stepsOfTask - 1) / stepsOfTask;
        const int64_t length = rounded(packedKeys() + packedValues(), 32);
        Buffer<T> buffer(pairs * length);
        T *packed = buffer.data;
        // Pairs of few keys and queries are taken some together.
        const int64_t together = scoresAtOnce / std::max<int64_t>(1, queries * paddedKeys());
        parallel(pairs, together, [&](int64_t pair) {
            T *own = packed + pair * length;
            key[pair].packTransposed(own, paddedKeys());
            value[pair].pack(own + packedKeys(), paddedKeys(), paddedSize());
        });
        std::vector<Scratch> scratches;
        for (int64_t i = 0; i < thread_count(); i++) {
            scratches.emplace_back(std::min(queriesAtOnce, queries), keysAtOnce(), paddedSize());
        }
        parallel(pairs * tasks, together, [&](int64_t task, int64_t worker) {
            const int64_t pair = task / tasks, begin = task % tasks * stepsOfTask;
            const T *ownKeys = packed + pair * length;
            for (int64_t step = begin; step < std::min(steps, begin + stepsOfTask); step++) {
                attend(pair, step * queriesAtOnce, ownKeys, ownKeys + packedKeys(), scratches[worker]);
            }
            endProducts<T>();
        });
    }
};

}  // namespace

at::Tensor attention(const at::Tensor &query, const at::Tensor &key, const at::Tensor &value,
                     std::optional<double> scale) {
    return attention_with_logarithms(query, key, value, scale, nullptr);
}

at::Tensor attention_with_logarithms(const at::Tensor &query, const at::Tensor &key, const at::Tensor &value,
                                     std::optional<double> scale, at::Tensor *logarithms) {
    const auto q = dense(query), k = dense(key), v = dense(value);
    return typed(q, [&](auto element) {
        using T = decltype(element);
        auto output = at::empty({q.size(0), q.size(2), q.size(1), v.size(3)}, q.options());
        float *sums = nullptr;
        if (logarithms != nullptr) {
            *logarithms = at::empty({q.size(0), q.size(1), q.size(2)}, at::kFloat);
            sums = logarithms->mutable_data_ptr<float>();
        }
        Attention<T>{Heads<T>(q), Heads<T>(k), Heads<T>(v), output.template mutable_data_ptr<T>(), sums,
                     scoreFactor(scale, q.size(3))}
            .run(q.size(0));
        return output.transpose(1, 2);
    });
}

}  // namespace ct
CT_VECTORS_END
#endif
