// Importing this target defines the operators langevin_emulated::…, which are the CUDA ones on the processor.
#pragma once
