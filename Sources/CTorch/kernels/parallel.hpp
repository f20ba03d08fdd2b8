// Threads for kernels: those that libtorch's own operators use.
#pragma once
#include <cstdint>

namespace ct {

/// The threads that work can be spread over.
int64_t thread_count();

/// Calls a body for every task from 0, in any order, on all threads. Tasks are taken one after the other, so that a
/// thread whose core is busy elsewhere takes fewer.
void parallel(int64_t tasks, void (*body)(int64_t task, const void *context), const void *context);

template <typename Body>
void parallel(int64_t tasks, const Body &body) {
    parallel(
        tasks, [](int64_t task, const void *context) { (*static_cast<const Body *>(context))(task); }, &body);
}

}  // namespace ct
