// CUDA, loaded on request. This program links none of it: libtorch's part is loaded by name, and
// ours (Sources/CTorchCUDA) where it lies beside the program.
#include <dlfcn.h>

#include <mutex>

#include "internal.hpp"

namespace {

void *library = nullptr;  // libLangevinCUDA.so
std::string no_torch, no_library;
std::once_flag once;

template <typename Function>
Function *find(Function *, const char *name) {
    return library == nullptr ? nullptr : reinterpret_cast<Function *>(dlsym(library, name));
}

}  // namespace

std::string ct::load_cuda() {
    std::call_once(once, [] {
        // libtorch settles for good whether there is CUDA when it is first asked: load first, ask later.
        if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
            no_torch = dlerror();
            return;
        }
        library = dlopen("libLangevinCUDA.so", RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) no_library = dlerror();
    });
    return no_torch;
}

CTStatus ct_graph_capture(int32_t device_index, int32_t warm_ups, void (*body)(void *), void *context,
                          CTGraph **result) {
    auto capture = find(&ct_graph_capture, "langevin_graph_capture");
    if (capture == nullptr)
        return ct::failure(CT_UNAVAILABLE, no_library.empty() ? "no CUDA is loaded" : no_library.c_str());
    return capture(device_index, warm_ups, body, context, result);
}

CTStatus ct_graph_replay(CTGraph *graph) { return find(&ct_graph_replay, "langevin_graph_replay")(graph); }

void ct_graph_release(CTGraph *graph) {
    if (graph != nullptr) find(&ct_graph_release, "langevin_graph_release")(graph);
}
