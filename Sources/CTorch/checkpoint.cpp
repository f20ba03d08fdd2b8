// Activation checkpointing: a body runs without a record, and once more with one when gradients are due.
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/engine.h>

#include "internal.hpp"

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct CTTensors {
    variable_list tensors;
    std::string failure;
};

namespace {

/// Autocast of the calling thread, as it was at some time.
struct Autocast {
    struct Mode {
        c10::DeviceType device;
        bool enabled;
        c10::ScalarType type;
    };
    std::vector<Mode> modes;
    bool cached = at::autocast::is_autocast_cache_enabled();

    Autocast() {
        for (auto device : {c10::DeviceType::CPU, c10::DeviceType::CUDA, c10::DeviceType::MPS}) {
            modes.push_back({device, at::autocast::is_autocast_enabled(device),
                             at::autocast::get_autocast_dtype(device)});
        }
    }

    void restore() const {
        for (const auto &mode : modes) {
            at::autocast::set_autocast_dtype(mode.device, mode.type);
            at::autocast::set_autocast_enabled(mode.device, mode.enabled);
        }
        at::autocast::set_autocast_cache_enabled(cached);
    }
};

/// Sets autocast for a scope, without its cache: casts of weights that are made without a record must not serve
/// recorded operations, and those that are made in the backward pass would outlive the optimizer's step.
struct AutocastScope {
    Autocast before;

    explicit AutocastScope(const Autocast &wanted) {
        wanted.restore();
        at::autocast::set_autocast_cache_enabled(false);
    }
    ~AutocastScope() { before.restore(); }
};

/// Sets a generator back for a scope, so that the same numbers are drawn again.
struct Replay {
    at::Generator generator;
    at::Tensor before;

    Replay(at::Generator replayed, const at::Tensor &state) : generator(std::move(replayed)) {
        if (!generator.defined()) return;
        before = generator.get_state();
        generator.set_state(state);
    }
    ~Replay() {
        if (generator.defined()) generator.set_state(before);
    }
};

/// A body and the surroundings in which it first ran.
struct Body : torch::CustomClassHolder {
    CTBody run;
    void *context;
    void (*free)(void *);
    at::Generator generator;
    at::Tensor state;
    Autocast autocast;

    ~Body() override { free(context); }

    variable_list operator()(const variable_list &inputs) const {
        std::vector<CTTensor *> handles;
        for (const auto &input : inputs) handles.push_back(ct::give(input));
        CTTensors results;
        run(context, handles.data(), static_cast<int32_t>(handles.size()), &results);
        TORCH_CHECK(results.failure.empty(), results.failure);
        return std::move(results.tensors);
    }
};

struct Checkpoint : torch::autograd::Function<Checkpoint> {
    /// - Parameter anchor: a tensor with a gradient to record, so that the backward pass comes here also
    ///   where the gradients wanted are those of parameters alone.
    static variable_list forward(AutogradContext *context, c10::intrusive_ptr<Body> body, at::Tensor anchor,
                                 at::TensorList inputs) {
        context->saved_data["body"] = c10::IValue::make_capsule(body);
        context->save_for_backward(inputs.vec());
        AutocastScope scope(body->autocast);
        return (*body)(inputs.vec());
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        TORCH_CHECK(torch::autograd::Engine::get_default_engine().is_checkpoint_valid(),
                    "activations that are computed again have gradients by backward() only");
        TORCH_CHECK(!c10::GradMode::is_enabled(),
                    "activations that are computed again have first derivatives only");
        auto body = c10::static_intrusive_pointer_cast<Body>(context->saved_data["body"].toCapsule());
        variable_list inputs;
        for (const auto &saved : context->get_saved_variables()) {
            inputs.push_back(saved.detach().set_requires_grad(saved.requires_grad()));
        }
        variable_list outputs, weights;
        {
            c10::AutoGradMode recording(true);
            AutocastScope scope(body->autocast);
            Replay replay(body->generator, body->state);
            auto results = (*body)(inputs);
            TORCH_CHECK(results.size() == gradients.size(), "a body gave ", gradients.size(),
                        " results and then ", results.size());
            for (size_t i = 0; i < results.size(); i++) {
                if (!results[i].requires_grad()) continue;
                outputs.push_back(results[i]);
                weights.push_back(gradients[i]);
            }
        }
        if (!outputs.empty()) torch::autograd::backward(outputs, weights);
        variable_list found(2);  // the body and the anchor have none
        for (const auto &input : inputs) found.push_back(input.grad());
        return found;
    }
};

}  // namespace

CTTensors *ct_tensors_create(void) { return new CTTensors(); }
void ct_tensors_release(CTTensors *list) { delete list; }

void ct_tensors_append(CTTensors *list, const CTTensor *tensor) {
    list->tensors.push_back(ct::borrow(tensor));
}

void ct_tensors_fail(CTTensors *list, const char *message) { list->failure = message; }
int32_t ct_tensors_count(const CTTensors *list) { return static_cast<int32_t>(list->tensors.size()); }
CTTensor *ct_tensors_take(const CTTensors *list, int32_t index) { return ct::give(list->tensors[index]); }

CTStatus ct_checkpoint(CTTensor *const *inputs, int32_t input_count, const CTGenerator *generator,
                       CTBody body, void *context, void (*release)(void *), CTTensors *results) {
    // From here on the body's context is released whatever happens.
    auto kept = c10::make_intrusive<Body>();
    kept->run = body;
    kept->context = context;
    kept->free = release;
    return ct::guarded([&] {
        if (generator != nullptr) {
            kept->generator = ct::borrow(generator);
            kept->state = kept->generator.get_state();
        }
        variable_list given;
        for (int i = 0; i < input_count; i++) given.push_back(ct::borrow(inputs[i]));
        auto anchor = at::zeros({}).set_requires_grad(true);
        results->tensors = Checkpoint::apply(std::move(kept), anchor, at::TensorList(given));
    });
}
