// The machine under libtorch: devices, threads, memory, random generators.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <torch/version.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "internal.hpp"

#ifdef __GLIBC__
#include <malloc.h>

// Large buffers are kept and used again. By default glibc maps each one afresh and gives it
// back, and the page faults of fresh memory cost a U-Net about 15 % of its time.
__attribute__((constructor)) static void ct_keep_buffers(void) {
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    mallopt(M_TOP_PAD, 64 << 20);
    mallopt(M_ARENA_MAX, 1);
}
#endif

// libtorch asks its matrix library whether this is an Intel processor, and that library takes a
// slow path where it is not. The linker exports this definition because libtorch refers to it.
extern "C" __attribute__((visibility("default"), used)) int mkl_serv_intel_cpu_true(void) { return 1; }

#ifdef __GLIBC__
namespace {

/// The value of a variable of the environment, which libraries read before anything of C++ here is made.
char *variable(const char *name) {
    const auto length = std::strlen(name);
    for (char **entry = environ; entry != nullptr && *entry != nullptr; entry++) {
        if (std::strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
    }
    return nullptr;
}

}  // namespace

// GNU's OpenMP, which comes with libtorch, reads its settings from the environment when it is loaded, before a program
// can set one. By default a thread that waits for the others spins for milliseconds, and where another process wants the
// processor, that is time taken from the thread that is waited for: small networks took five times as long. With 1,000
// turns nothing is lost alone. The linker exports this definition because libraries refer to it, so it answers them
// instead of the system's, and otherwise like it; the environment stays as it is, for child processes too. A user's own
// setting counts, and so does a program's own `getenv`.
extern "C" __attribute__((visibility("default"), used, weak)) char *getenv(const char *name) noexcept {
    static char turns[] = "1000";
    char *value = variable(name);
    const bool isOpen = value == nullptr && std::strcmp(name, "GOMP_SPINCOUNT") == 0;
    return isOpen && variable("OMP_WAIT_POLICY") == nullptr ? turns : value;
}
#endif

CTStatus ct_generator_create(uint64_t seed, int32_t device_type, int32_t device_index, CTGenerator **result) {
    return ct::guarded([&] {
        c10::Device device(static_cast<c10::DeviceType>(device_type),
                           static_cast<c10::DeviceIndex>(device_index));
        at::Generator generator;
        if (device.is_cpu()) {
            generator = at::detail::createCPUGenerator(seed);
        } else {
            generator = at::globalContext().defaultGenerator(device).clone();
            generator.set_current_seed(seed);
        }
        *result = reinterpret_cast<CTGenerator *>(generator.unsafeReleaseGeneratorImpl());
    });
}

void ct_generator_release(CTGenerator *generator) {
    if (generator == nullptr) return;
    c10::intrusive_ptr<c10::GeneratorImpl>::reclaim(reinterpret_cast<c10::GeneratorImpl *>(generator));
}

CTStatus ct_generator_state(const CTGenerator *generator, CTTensor **result) {
    return ct::guarded([&] { *result = ct::give(ct::borrow(generator).get_state()); });
}

CTStatus ct_generator_set_state(CTGenerator *generator, const CTTensor *state) {
    return ct::guarded([&] { ct::borrow(generator).set_state(ct::borrow(state)); });
}

const char *ct_version(void) { return TORCH_VERSION; }

int32_t ct_thread_count(void) { return at::get_num_threads(); }

CTStatus ct_set_thread_count(int32_t count) {
    return ct::guarded([&] { at::set_num_threads(count); });
}

CTStatus ct_device_count(int32_t device_type, int32_t *count) {
    *count = 0;
    auto type = static_cast<c10::DeviceType>(device_type);
    CTStatus unavailable{CT_OK, nullptr};
    auto status = ct::guarded([&] {
        if (type == c10::DeviceType::CPU) {
            *count = 1;
        } else if (type == c10::DeviceType::CUDA) {
            auto reason = ct::load_cuda();
            if (!at::globalContext().hasCUDA()) {
                unavailable = ct::failure(CT_UNAVAILABLE, reason.empty() ? "no CUDA device" : reason.c_str());
                return;
            }
            *count = static_cast<int32_t>(at::detail::getCUDAHooks().deviceCount());
            if (*count == 0) unavailable = ct::failure(CT_UNAVAILABLE, "the driver shows no device");
        } else if (type == c10::DeviceType::MPS) {
            *count = at::globalContext().hasMPS() ? 1 : 0;
            if (*count == 0) unavailable = ct::failure(CT_UNAVAILABLE, "MPS is a part of macOS");
        }
    });
    return status.code == CT_OK ? unavailable : status;
}

CTStatus ct_synchronize(int32_t device_type) {
    return ct::guarded([&] {
        auto type = static_cast<c10::DeviceType>(device_type);
        if (type == c10::DeviceType::CUDA) at::detail::getCUDAHooks().deviceSynchronize(-1);
        if (type == c10::DeviceType::MPS) at::detail::getMPSHooks().deviceSynchronize();
    });
}

int64_t ct_resident_bytes(void) {
#ifdef __linux__
    long pages = 0, resident = 0;
    FILE *file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr) return 0;
    int read = std::fscanf(file, "%ld %ld", &pages, &resident);
    std::fclose(file);
    return read == 2 ? static_cast<int64_t>(resident) * sysconf(_SC_PAGESIZE) : 0;
#else
    return 0;
#endif
}

int64_t ct_page_faults(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_minflt : 0;
}

int64_t ct_peak_resident_bytes(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
    return usage.ru_maxrss;
#else
    return static_cast<int64_t>(usage.ru_maxrss) * 1024;
#endif
}
