#include "parallel.hpp"

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <algorithm>
#include <atomic>

namespace ct {
namespace {

using Region = void (*)(void (*body)(void *), void *data, unsigned threads, unsigned flags);

/// The entry of GNU's OpenMP, which came with libtorch. This package is not compiled for OpenMP, and a second pool of
/// threads would compete with libtorch's, whose threads spin for a while after their work.
Region region() {
    static const auto found = reinterpret_cast<Region>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    return found;
}

struct Work {
    /// Workers so far; the next task that none of them has.
    std::atomic<int64_t> workers{0}, next{0};
    int64_t tasks, together;
    void (*body)(int64_t, int64_t, const void *);
    const void *context;
};

void take(void *data) {
    auto &work = *static_cast<Work *>(data);
    const int64_t worker = work.workers.fetch_add(1, std::memory_order_relaxed);
    for (int64_t from = worker * work.together; from < work.tasks;
         from = work.next.fetch_add(work.together, std::memory_order_relaxed)) {
        const int64_t to = std::min(work.tasks, from + work.together);
        for (int64_t task = from; task < to; task++) work.body(task, worker, work.context);
    }
}

}  // namespace

int64_t thread_count() { return region() == nullptr || at::in_parallel_region() ? 1 : at::get_num_threads(); }

void parallel(int64_t tasks, int64_t together, void (*body)(int64_t, int64_t, const void *), const void *context) {
    const auto threads = std::max<int64_t>(1, std::min(thread_count(), tasks));
    Work work;
    work.tasks = tasks;
    work.together = std::max<int64_t>(1, std::min(tasks / (4 * threads), together));
    work.body = body;
    work.context = context;
    work.next = threads * work.together;
    if (threads == 1) return take(&work);
    region()(take, &work, static_cast<unsigned>(threads), 0);
}

}  // namespace ct
