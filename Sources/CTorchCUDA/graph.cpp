// A piece of work captured as a CUDA graph. CTorch finds these functions by name (Sources/CTorch/graph.cpp)
// and says in ctorch.h what they do.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "../CTorch/internal.hpp"

namespace {

/// Ends a capture, also one that failed, after which libtorch's allocator would go on filling its pool.
void end(at::cuda::CUDAGraph &graph, c10::DeviceIndex device, c10::MempoolId_t pool) {
    try {
        graph.capture_end();
    } catch (...) {
        (void)cudaGetLastError();  // the failure of the capture must not be taken for the next call's
        try {
            c10::cuda::CUDACachingAllocator::endAllocateToPool(device, pool);
        } catch (const c10::Error &) {  // it had ended
        }
        throw;
    }
}

}  // namespace

extern "C" CTStatus langevin_graph_capture(int32_t device_index, int32_t warm_ups, void (*body)(void *), void *context,
                                           CTGraph **result) {
    return ct::guarded([&] {
        auto device = static_cast<c10::DeviceIndex>(device_index);
        c10::cuda::CUDAGuard on_device(device);
        c10::cuda::device_synchronize();
        auto graph = std::make_unique<at::cuda::CUDAGraph>();
        {
            // Libraries choose algorithms and make their workspaces on a stream's first calls, which a
            // capture would not survive; and the default stream cannot be captured.
            c10::cuda::CUDAStreamGuard on_stream(c10::cuda::getStreamFromPool(false, device));
            for (int i = 0; i < warm_ups; i++) body(context);
            c10::cuda::device_synchronize();
            c10::cuda::CUDACachingAllocator::emptyCache();
            auto pool = at::cuda::graph_pool_handle();
            graph->capture_begin(pool);
            body(context);
            end(*graph, device, pool);
        }
        *result = reinterpret_cast<CTGraph *>(graph.release());
    });
}

extern "C" CTStatus langevin_graph_replay(CTGraph *graph) {
    return ct::guarded([&] { reinterpret_cast<at::cuda::CUDAGraph *>(graph)->replay(); });
}

extern "C" void langevin_graph_release(CTGraph *graph) { delete reinterpret_cast<at::cuda::CUDAGraph *>(graph); }
