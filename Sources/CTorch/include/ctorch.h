// The door to libtorch, in C. No torch type and no C++ exception passes through it.
//
// Ownership: a returned CTTensor or CTGenerator belongs to the caller, who releases it once.
// Arguments are borrowed for the length of the call.
// Errors: every function that can fail returns a CTStatus, whose message (if any) the caller
// frees with ct_free. Swift reads them in one place, Tensors/TorchStatus.swift.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct CTTensor CTTensor;        // one reference to a libtorch tensor
typedef struct CTOperator CTOperator;    // an entry of the dispatcher's table, never released
typedef struct CTGenerator CTGenerator;  // a random number generator
typedef struct CTInference CTInference;  // an inference-mode guard
typedef struct CTGraph CTGraph;          // work of a CUDA device, recorded

typedef enum {
    CT_OK = 0,
    CT_ERROR = 1,
    CT_OUT_OF_MEMORY = 2,
    CT_UNAVAILABLE = 3,
} CTCode;

typedef struct {
    int32_t code;            // CTCode
    char *_Nullable message;  // NULL when code is CT_OK
} CTStatus;

void ct_free(void *_Nullable pointer);

// MARK: calling an operator

typedef enum {
    CT_NONE,
    CT_TENSOR,      // tensor
    CT_INT,         // integer; also an element type, layout or memory format
    CT_DOUBLE,      // number
    CT_BOOL,        // integer
    CT_INTS,        // integers, count
    CT_DOUBLES,     // numbers, count
    CT_BOOLS,       // integers, count
    CT_TENSORS,     // tensors, count (an entry may be NULL where the schema has Tensor?[])
    CT_STRING,      // text, count bytes
    CT_DEVICE,      // integer = device type, count = index
    CT_GENERATOR,   // generator
} CTKind;

typedef struct {
    int32_t kind;  // CTKind
    int32_t count;
    union {
        int64_t integer;
        double number;
        CTTensor *_Nullable tensor;
        CTGenerator *_Nullable generator;
        const int64_t *_Nullable integers;
        const double *_Nullable numbers;
        CTTensor *_Nullable const *_Nullable tensors;
        const char *_Nullable text;
    };
} CTValue;

/// Finds "aten::add" / "Tensor" in the dispatcher's table.
CTStatus ct_find_operator(const char *_Nonnull name, const char *_Nonnull overload,
                          CTOperator *_Nullable *_Nonnull result);

/// Calls an operator through its boxed entry, so autograd, autocast and devices apply.
/// Trailing arguments that are not given take the schema's defaults.
/// A tensor in `results` belongs to the caller; so does the array of a CT_TENSORS result (ct_free).
CTStatus ct_call(const CTOperator *_Nonnull operation, const CTValue *_Nullable arguments,
                 int32_t argument_count, CTValue *_Nonnull results, int32_t result_count);

// MARK: tensors

void ct_tensor_release(CTTensor *_Nullable tensor);
int32_t ct_tensor_rank(const CTTensor *_Nonnull tensor);
void ct_tensor_sizes(const CTTensor *_Nonnull tensor, int64_t *_Nonnull sizes);
void ct_tensor_strides(const CTTensor *_Nonnull tensor, int64_t *_Nonnull strides);
int64_t ct_tensor_element_count(const CTTensor *_Nonnull tensor);
int32_t ct_tensor_element_type(const CTTensor *_Nonnull tensor);
void ct_tensor_device(const CTTensor *_Nonnull tensor, int32_t *_Nonnull type,
                      int32_t *_Nonnull index);
bool ct_tensor_is_contiguous(const CTTensor *_Nonnull tensor);
/// The first element in memory; NULL for an empty tensor or one without memory that can be read here.
void *_Nullable ct_tensor_data(const CTTensor *_Nonnull tensor);
/// A tensor over memory owned by someone else; `release(context)` is called when it is no longer used. `is_mapped`: it
/// is a private mapping of a file.
CTStatus ct_tensor_from_memory(void *_Nullable data, const int64_t *_Nonnull sizes, int32_t rank,
                               int32_t element_type, bool is_mapped, void *_Nullable context,
                               void (*_Nullable release)(void *_Nullable context),
                               CTTensor *_Nullable *_Nonnull result);
/// Gives the memory of a tensor that lies in a mapped file, and was never written to, back to the system, which reads the
/// file again where the tensor is used. Nothing happens to any other tensor.
void ct_tensor_forget_pages(const CTTensor *_Nonnull tensor);

// MARK: gradients

bool ct_tensor_requires_gradient(const CTTensor *_Nonnull tensor);
CTStatus ct_tensor_set_requires_gradient(CTTensor *_Nonnull tensor, bool value);
/// NULL where no gradient has been accumulated.
CTTensor *_Nullable ct_tensor_gradient(const CTTensor *_Nonnull tensor);
CTStatus ct_tensor_set_gradient(CTTensor *_Nonnull tensor, CTTensor *_Nullable gradient);
CTStatus ct_backward(CTTensor *_Nonnull tensor, CTTensor *_Nullable gradient);
/// `results` receives `input_count` tensors, NULL where an input does not take part.
CTStatus ct_gradients(CTTensor *_Nonnull const *_Nonnull outputs, int32_t output_count,
                      CTTensor *_Nonnull const *_Nonnull inputs, int32_t input_count,
                      CTTensor *_Nullable const *_Nullable output_gradients, bool create_graph,
                      CTTensor *_Nullable *_Nonnull results);

/// A list of tensors, or the reason why there are none.
typedef struct CTTensors CTTensors;
CTTensors *_Nonnull ct_tensors_create(void);
void ct_tensors_release(CTTensors *_Nonnull list);
void ct_tensors_append(CTTensors *_Nonnull list, const CTTensor *_Nonnull tensor);
void ct_tensors_fail(CTTensors *_Nonnull list, const char *_Nonnull message);
int32_t ct_tensors_count(const CTTensors *_Nonnull list);
/// The tensor belongs to the caller.
CTTensor *_Nonnull ct_tensors_take(const CTTensors *_Nonnull list, int32_t index);

/// A computation that can be run again. It owns the tensors of `inputs`, and appends its results or fails.
/// It may run on another thread than the one that handed it over.
typedef void (*CTBody)(void *_Nonnull context, CTTensor *_Nonnull const *_Nullable inputs,
                       int32_t input_count, CTTensors *_Nonnull results);

/// Runs a body without recording it; the backward pass runs it again, recorded, and takes its gradients then.
/// The second run finds `generator` (where given) and autocast as the first did, and leaves them as they were.
/// `release(context)` is called once, when the body can no longer be needed.
CTStatus ct_checkpoint(CTTensor *_Nonnull const *_Nullable inputs, int32_t input_count,
                       const CTGenerator *_Nullable generator, CTBody _Nonnull body, void *_Nonnull context,
                       void (*_Nonnull release)(void *_Nonnull context), CTTensors *_Nonnull results);

// MARK: modes of the calling thread

bool ct_gradient_mode(void);
void ct_set_gradient_mode(bool enabled);
CTInference *_Nonnull ct_inference_begin(bool enabled);
void ct_inference_end(CTInference *_Nonnull guard);
bool ct_autocast_enabled(int32_t device_type);
void ct_autocast_set(int32_t device_type, bool enabled, int32_t element_type);
int32_t ct_autocast_element_type(int32_t device_type);
void ct_autocast_clear_cache(void);

// MARK: random generators

CTStatus ct_generator_create(uint64_t seed, int32_t device_type, int32_t device_index,
                             CTGenerator *_Nullable *_Nonnull result);
void ct_generator_release(CTGenerator *_Nullable generator);
CTStatus ct_generator_state(const CTGenerator *_Nonnull generator,
                            CTTensor *_Nullable *_Nonnull result);
CTStatus ct_generator_set_state(CTGenerator *_Nonnull generator, const CTTensor *_Nonnull state);

// MARK: recorded work

/// Runs a body `warm_ups` times on a CUDA device, then once more while what it starts there is recorded and
/// not run. Tensors that the recorded run makes keep their memory, which every replay fills anew; tensors that
/// it reads must stay. CT_UNAVAILABLE where libLangevinCUDA.so is not loaded.
CTStatus ct_graph_capture(int32_t device_index, int32_t warm_ups, void (*_Nonnull body)(void *_Nullable context),
                          void *_Nullable context, CTGraph *_Nullable *_Nonnull result);
/// Does the recorded work again, on the calling thread's stream.
CTStatus ct_graph_replay(CTGraph *_Nonnull graph);
void ct_graph_release(CTGraph *_Nullable graph);

// MARK: the machine

const char *_Nonnull ct_version(void);
int32_t ct_thread_count(void);
CTStatus ct_set_thread_count(int32_t count);
/// Number of devices of a kind that can be used now. CUDA's libraries are loaded on the first question: libtorch's,
/// and ours (libLangevinCUDA.so) where it lies beside the program.
/// With 0, the status says why.
CTStatus ct_device_count(int32_t device_type, int32_t *_Nonnull count);
CTStatus ct_synchronize(int32_t device_type);
/// Whether this processor has what the kernels `langevin::…` for an element type need.
bool ct_has_kernels(int32_t element_type);
/// Whether products of float32 numbers as sums of two bfloat16 numbers are faster here than plain ones.
bool ct_multiplies_split(void);
/// Whether a convolution of kernel 3 of a picture `[batch, channels, height, width]` is faster by Winograd's way, and its
/// weights few enough to be kept in that form.
bool ct_keeps_winograd(const CTTensor *_Nonnull x, int64_t outputs);
/// Bytes of resident memory of this process, and the most it has had. 0 where unknown.
int64_t ct_resident_bytes(void);
int64_t ct_peak_resident_bytes(void);
/// Pages of memory that the system has handed to this process on first touch. 0 where unknown.
int64_t ct_page_faults(void);

#ifdef __cplusplus
}
#endif
