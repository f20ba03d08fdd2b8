#include "compile.hpp"

#include <dlfcn.h>

namespace langevin {
namespace {

// NVRTC's functions, declared here because its header comes with no wheel that this project fetches.
struct Compiler {
    using Program = void *;
    int (*create)(Program *, const char *source, const char *name, int, const char *const *, const char *const *);
    int (*compile)(Program, int count, const char *const *options);
    int (*log_size)(Program, size_t *);
    int (*log)(Program, char *);
    int (*code_size)(Program, size_t *);
    int (*code)(Program, char *);
    int (*destroy)(Program *);

    Compiler() {
        // libtorch's own stub; a symbol that is looked up in it is found in the NVRTC that it depends on.
        void *library = dlopen("libcaffe2_nvrtc.so", RTLD_NOW);
        if (library == nullptr) library = dlopen("libnvrtc.so.13", RTLD_NOW);
        TORCH_CHECK(library != nullptr, "the run-time compiler of CUDA is not here: ", dlerror());
        find(library, "nvrtcCreateProgram", create);
        find(library, "nvrtcCompileProgram", compile);
        find(library, "nvrtcGetProgramLogSize", log_size);
        find(library, "nvrtcGetProgramLog", log);
        find(library, "nvrtcGetCUBINSize", code_size);
        find(library, "nvrtcGetCUBIN", code);
        find(library, "nvrtcDestroyProgram", destroy);
    }

    template <typename Function>
    static void find(void *library, const char *name, Function &function) {
        function = reinterpret_cast<Function>(dlsym(library, name));
        TORCH_CHECK(function != nullptr, "the run-time compiler of CUDA has no ", name);
    }
};

const char *source =
#include "kernels.inc"
    ;

std::string name(at::ScalarType type) {
    switch (type) {
        case at::kFloat: return "float";
        case at::kDouble: return "double";
        case at::kHalf: return "f16";
        case at::kBFloat16: return "bf16";
        default: TORCH_CHECK(false, "no kernel computes ", type);
    }
}

}  // namespace

std::vector<char> compile(Types types, int architecture) {
    static const Compiler compiler;
    std::string options[] = {"-arch=sm_" + std::to_string(architecture), "-DSCALAR=" + name(types.scalar),
                             "-DPARAMETER=" + name(types.parameter), "-DREAL=" + name(types.real())};
    const char *pointers[] = {options[0].c_str(), options[1].c_str(), options[2].c_str(), options[3].c_str()};
    Compiler::Program program = nullptr;
    TORCH_CHECK(compiler.create(&program, source, "kernels.cu", 0, nullptr, nullptr) == 0, "NVRTC does not start");
    int failed = compiler.compile(program, 4, pointers);
    size_t size = 0;
    std::string log;
    std::vector<char> code;
    if (failed) {
        if (compiler.log_size(program, &size) == 0) log.resize(size);
        compiler.log(program, log.data());
    } else if (compiler.code_size(program, &size) == 0) {
        code.resize(size);
        failed = compiler.code(program, code.data());
    }
    compiler.destroy(&program);
    TORCH_CHECK(!failed && !code.empty(), "NVRTC refuses the kernels (", failed, "): ", log);
    return code;
}

}  // namespace langevin
