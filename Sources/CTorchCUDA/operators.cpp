// From tensors to kernels: shapes checked, memory laid out, grids chosen. Nothing here is CUDA's own, so
// the tests run it on the processor.
#include "operators.hpp"

#include "launch.hpp"

namespace langevin {
namespace {

constexpr size_t shared_memory = 48 << 10;  // every GPU gives a block this much by default

const void *memory(const at::Tensor &tensor) { return tensor.defined() ? tensor.const_data_ptr() : nullptr; }

Types types(const at::Tensor &x, const at::Tensor &weight = {}) {
    auto scalar = x.scalar_type();
    bool isKnown = scalar == at::kFloat || scalar == at::kDouble || scalar == at::kHalf || scalar == at::kBFloat16;
    TORCH_CHECK(isKnown, "fused operators compute floating-point numbers, not ", scalar);
    bool isSame = !weight.defined() || weight.scalar_type() == scalar;
    return {scalar, isSame ? scalar : at::kFloat};
}

/// A tensor row by row as `type`; undefined where there is none.
at::Tensor rows(const Optional &tensor, at::ScalarType type) {
    return tensor && tensor->defined() ? tensor->to(type).contiguous() : at::Tensor();
}

/// What modulates x: a row of `width` numbers for each picture, or one for all.
struct Modulation {
    at::Tensor values;
    int64_t stride = 0;

    Modulation(const Optional &given, const at::Tensor &x) {
        if (!given || !given->defined()) return;
        auto width = x.size(-1);
        TORCH_CHECK(given->dim() == 3 && given->size(1) == 1 && given->size(2) == width &&
                        (given->size(0) == 1 || given->size(0) == x.size(0)),
                    "rows of shape ", x.sizes(), " cannot be modulated by ", given->sizes());
        values = given->to(x.scalar_type());
        // A slice of a wider row is read where it lies.
        if (values.stride(2) != 1) values = values.contiguous();
        stride = values.size(0) == 1 ? 0 : values.stride(0);
    }
};

int64_t rows_of_picture(const at::Tensor &x) { return x.numel() / x.size(-1) / x.size(0); }

unsigned power_of_two(int64_t count, unsigned most) {
    unsigned threads = 32;
    while (threads < count && threads < most) threads *= 2;
    return threads;
}

Grid elementwise(int64_t count) {
    return {static_cast<unsigned>(std::min<int64_t>((count + 255) / 256, 1 << 20)), 1, 256, 0};
}

/// A thread for each channel or, where there are many, for every second, third…; blocks of 16 pixels or more.
Grid over_pixels(int64_t pictures, int64_t pixels, int64_t channels) {
    int64_t passes = (channels + 767) / 768, threads = ((channels + passes - 1) / passes + 31) / 32 * 32;
    auto chunks = std::clamp<int64_t>(pixels / 16, 1, 512);
    return {static_cast<unsigned>(chunks), static_cast<unsigned>(pictures), static_cast<unsigned>(threads), 0};
}

}  // namespace

at::Tensor group_norm(const at::Tensor &x, int64_t groups, const at::Tensor &weight, const at::Tensor &bias,
                      double epsilon, bool silu) {
    TORCH_CHECK(x.dim() >= 2 && groups > 0 && x.size(1) % groups == 0, groups, " groups of shape ", x.sizes());
    if (x.numel() == 0) return at::empty_like(x);
    auto pictures = x.size(0), channels = x.size(1), pixels = x.numel() / (pictures * channels);
    TORCH_CHECK(weight.numel() == channels && bias.numel() == channels, "weights do not fit ", x.sizes());
    auto image = x.dim() == 4 ? x : x.reshape({pictures, channels, pixels, 1});
    image = image.contiguous(at::MemoryFormat::ChannelsLast);
    auto result = at::empty_like(image);
    auto types = langevin::types(x, weight);
    auto scale = rows(weight, types.parameter), offset = rows(bias, types.parameter);

    auto grid = over_pixels(pictures, pixels, channels);
    auto options = x.options().dtype(types.real());
    auto sums = at::empty({pictures, groups, grid.x, 2}, options), statistics = at::empty({pictures, groups, 2}, options);
    Grid summing = grid, finishing{static_cast<unsigned>(groups), grid.y, power_of_two(grid.x, 256), 0};
    summing.shared = 2 * channels * sums.element_size();
    finishing.shared = finishing.threads * sums.element_size();
    TORCH_CHECK(summing.shared <= shared_memory, channels, " channels are more than a fused norm takes");

    int C = static_cast<int>(channels), G = static_cast<int>(groups), chunks = static_cast<int>(grid.x);
    auto in = memory(image);
    start(x, "group_sums", types, summing, in, sums.data_ptr(), pixels, C, G);
    start(x, "group_statistics", types, finishing, in, memory(sums), statistics.data_ptr(), pixels, C, G, chunks,
          epsilon);
    start(x, "group_apply", types, grid, in, memory(scale), memory(offset), memory(statistics),
          result.data_ptr(), pixels, C, G, static_cast<int>(silu));
    return result.reshape(x.sizes());
}

at::Tensor layer_norm(const at::Tensor &x, const Optional &weight, const Optional &bias, const Optional &shift,
                      const Optional &scale, double epsilon) {
    auto in = x.contiguous();
    auto result = at::empty_like(in);
    if (x.numel() == 0) return result;
    auto types = langevin::types(x, weight.value_or(bias.value_or(at::Tensor())));
    auto factor = rows(weight, types.parameter), offset = rows(bias, types.parameter);
    Modulation shifted(shift, x), scaled(scale, x);
    auto width = x.size(-1);
    Grid grid{static_cast<unsigned>(x.numel() / width), 1, power_of_two(width, 256), 0};
    grid.shared = grid.threads * at::elementSize(types.real());
    start(x, "layer_norm", types, grid, memory(in), memory(factor), memory(offset), memory(shifted.values),
          memory(scaled.values), result.data_ptr(), static_cast<int>(width), rows_of_picture(x), shifted.stride,
          scaled.stride, epsilon);
    return result;
}

at::Tensor geglu(const at::Tensor &x) {
    TORCH_CHECK(x.dim() > 0 && x.size(-1) % 2 == 0, "a row of shape ", x.sizes(), " has no halves");
    auto in = x.contiguous();
    auto sizes = x.sizes().vec();
    sizes.back() /= 2;
    auto result = at::empty(sizes, x.options());
    if (result.numel() == 0) return result;
    start(x, "geglu", types(x), elementwise(result.numel()), memory(in), result.data_ptr(),
          static_cast<int>(sizes.back()), result.numel());
    return result;
}

at::Tensor gated_add(const at::Tensor &x, const at::Tensor &gate, const at::Tensor &y) {
    TORCH_CHECK(x.sizes() == y.sizes(), "shapes ", x.sizes(), " and ", y.sizes(), " cannot be added");
    auto in = x.contiguous(), added = y.to(x.scalar_type()).contiguous();
    auto result = at::empty_like(in);
    if (x.numel() == 0) return result;
    Modulation gated(gate, x);
    start(x, "gated_add", types(x), elementwise(x.numel()), memory(in), memory(gated.values), memory(added),
          result.data_ptr(), static_cast<int>(x.size(-1)), rows_of_picture(x), gated.stride, x.numel());
    return result;
}

void implement(torch::Library &library) {
    library.impl("group_norm", group_norm);
    library.impl("layer_norm", layer_norm);
    library.impl("geglu", geglu);
    library.impl("gated_add", gated_add);
}

}  // namespace langevin
