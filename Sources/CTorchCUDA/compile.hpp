// The kernels' source to machine code, by the compiler that comes with libtorch.
#pragma once
#include <vector>

#include "launch.hpp"

namespace langevin {

/// Machine code of all kernels for a GPU of compute capability `architecture` / 10.
/// Throws where NVRTC is not there or refuses.
std::vector<char> compile(Types types, int architecture);

}  // namespace langevin
