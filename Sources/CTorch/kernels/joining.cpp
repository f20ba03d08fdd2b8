// Pictures side by side along their channels, which lie innermost: libtorch copies them on one thread.
#include "kernels.hpp"
#include "parallel.hpp"
#include "products.hpp"

#if CT_KERNELS
namespace ct {

at::Tensor join_channels(at::TensorList pictures) {
    constexpr auto innermost = at::MemoryFormat::ChannelsLast;
    std::vector<at::Tensor> own;
    int64_t channels = 0;
    for (const auto &picture : pictures) {
        own.push_back(picture.contiguous(innermost));
        channels += picture.size(1);
    }
    const auto &first = own.front();
    auto joined = at::empty({first.size(0), channels, first.size(2), first.size(3)},
                            first.options().memory_format(innermost));
    char *to = static_cast<char *>(joined.mutable_data_ptr());
    const int64_t pixels = first.size(0) * first.size(2) * first.size(3), size = first.element_size();
    // Some 32 kB a task.
    const int64_t chunk = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, channels * size));
    parallel((pixels + chunk - 1) / chunk, [&](int64_t task) {
        for (int64_t pixel = task * chunk; pixel < std::min(pixels, (task + 1) * chunk); pixel++) {
            char *place = to + pixel * channels * size;
            for (const auto &picture : own) {
                const int64_t length = picture.size(1) * size;
                std::memcpy(place, static_cast<const char *>(picture.const_data_ptr()) + pixel * length, length);
                place += length;
            }
        }
    });
    return joined;
}

}  // namespace ct
#endif
