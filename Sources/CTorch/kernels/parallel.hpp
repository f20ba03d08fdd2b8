// Threads for kernels: those that libtorch's own operators use.
#pragma once
#include <cstdint>
#include <type_traits>

namespace ct {

/// The threads that work can be spread over.
int64_t thread_count();

/// Calls a body for every task from 0, in any order, on all threads. Tasks are taken one after the other, so that a
/// thread whose core is busy elsewhere takes fewer. Workers, below `thread_count()`, are numbered, so that each can have
/// memory of its own; each has at least one task, so that all of that memory has been touched once a region ran.
/// - together: how many tasks may be taken at once where there are enough, one at least: to take a small one costs as
///   much as it does.
void parallel(int64_t tasks, int64_t together, void (*body)(int64_t task, int64_t worker, const void *context),
              const void *context);

/// The same for a body that takes a task, or a task and its worker.
template <typename Body>
void parallel(int64_t tasks, int64_t together, const Body &body) {
    const auto call = [](int64_t task, int64_t worker, const void *context) {
        const Body &body = *static_cast<const Body *>(context);
        if constexpr (std::is_invocable_v<Body, int64_t, int64_t>) {
            body(task, worker);
        } else {
            body(task);
        }
    };
    parallel(tasks, together, call, &body);
}

template <typename Body>
void parallel(int64_t tasks, const Body &body) {
    parallel(tasks, 1, body);
}

}  // namespace ct
