// Every operator of libtorch through one boxed call.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include "internal.hpp"

namespace {

const c10::OperatorHandle &handle(const CTOperator *operation) {
    return *reinterpret_cast<const c10::OperatorHandle *>(operation);
}

c10::IValue tensors(const CTValue &value, const c10::TypePtr &type) {
    auto element = type->castRaw<c10::ListType>();
    bool optional = element != nullptr && element->getElementType()->kind() == c10::TypeKind::OptionalType;
    if (optional) {
        c10::List<std::optional<at::Tensor>> list;
        list.reserve(value.count);
        for (int i = 0; i < value.count; i++) {
            auto tensor = ct::borrow(value.tensors[i]);
            list.push_back(tensor.defined() ? std::optional<at::Tensor>(std::move(tensor)) : std::nullopt);
        }
        return list;
    }
    c10::List<at::Tensor> list;
    list.reserve(value.count);
    for (int i = 0; i < value.count; i++) list.push_back(ct::borrow(value.tensors[i]));
    return list;
}

c10::IValue boxed(const CTValue &value, const c10::TypePtr &type) {
    switch (value.kind) {
        case CT_NONE: return c10::IValue();
        case CT_TENSOR: return ct::borrow(value.tensor);
        case CT_INT: return value.integer;
        case CT_DOUBLE: return value.number;
        case CT_BOOL: return value.integer != 0;
        case CT_INTS: return c10::IValue(at::IntArrayRef(value.integers, value.count));
        case CT_DOUBLES: return c10::IValue(at::ArrayRef<double>(value.numbers, value.count));
        case CT_BOOLS: {
            c10::List<bool> list;
            for (int i = 0; i < value.count; i++) list.push_back(value.integers[i] != 0);
            return list;
        }
        case CT_TENSORS: return tensors(value, type);
        case CT_STRING: return std::string(value.text, value.count);
        case CT_DEVICE:
            return c10::Device(static_cast<c10::DeviceType>(value.integer),
                               static_cast<c10::DeviceIndex>(value.count));
        case CT_GENERATOR: return ct::borrow(value.generator);
        default: TORCH_CHECK(false, "unknown kind of argument ", value.kind);
    }
}

CTValue unboxed(c10::IValue &&value) {
    CTValue result{};
    if (value.isTensor()) {
        result.kind = CT_TENSOR;
        result.tensor = ct::give(std::move(value).toTensor());
    } else if (value.isInt()) {
        result.kind = CT_INT;
        result.integer = value.toInt();
    } else if (value.isDouble()) {
        result.kind = CT_DOUBLE;
        result.number = value.toDouble();
    } else if (value.isBool()) {
        result.kind = CT_BOOL;
        result.integer = value.toBool();
    } else if (value.isTensorList()) {
        auto list = value.toTensorVector();
        result.kind = CT_TENSORS;
        result.count = static_cast<int32_t>(list.size());
        auto **array = static_cast<CTTensor **>(std::calloc(list.size() + 1, sizeof(CTTensor *)));
        for (size_t i = 0; i < list.size(); i++) array[i] = ct::give(std::move(list[i]));
        result.tensors = array;
    } else {
        TORCH_CHECK(value.isNone(), "a result of type ", value.tagKind(), " cannot be handed to Swift");
        result.kind = CT_NONE;
    }
    return result;
}

}  // namespace

CTStatus ct_find_operator(const char *name, const char *overload, CTOperator **result) {
    return ct::guarded([&] {
        auto found = c10::Dispatcher::singleton().findSchema({name, overload});
        TORCH_CHECK(found.has_value(), "this libtorch has no operator ", name, ".", overload);
        *result = reinterpret_cast<CTOperator *>(new c10::OperatorHandle(*found));
    });
}

CTStatus ct_call(const CTOperator *operation, const CTValue *arguments, int32_t argument_count,
                 CTValue *results, int32_t result_count) {
    return ct::guarded([&] {
        const auto &op = handle(operation);
        const auto &expected = op.schema().arguments();
        TORCH_CHECK(static_cast<size_t>(argument_count) <= expected.size(), op.schema(), " got ",
                    argument_count, " arguments");
        torch::jit::Stack stack;
        stack.reserve(expected.size());
        for (int i = 0; i < argument_count; i++) {
            stack.push_back(boxed(arguments[i], expected[i].real_type()));
        }
        for (size_t i = argument_count; i < expected.size(); i++) {
            const auto &fallback = expected[i].default_value();
            TORCH_CHECK(fallback.has_value(), op.schema(), " needs '", expected[i].name(), "'");
            stack.push_back(*fallback);
        }
        op.callBoxed(stack);
        TORCH_CHECK(stack.size() == static_cast<size_t>(result_count), op.schema(), " gives ", stack.size(),
                    " results, not ", result_count);
        for (int i = 0; i < result_count; i++) results[i] = unboxed(std::move(stack[i]));
    });
}
