import Layers
import Storage
import Tensors

/// Weights that are kept with a scale, multiplied by it: files of ComfyUI hold numbers of eight bits so.
///
/// `layer.scale_weight` (in newer files `layer.weight_scale`) is one number, or one for each row of `layer.weight`. What
/// else such files hold is of no use here: `scaled_fp8` marks them, `layer.scale_input` belongs to arithmetic in eight
/// bits, and `layer.comfy_quant` says how the layer is kept.
package struct ScaledSource: TensorSource {
    package let names: [String]
    private let source: any TensorSource
    /// The scale of each weight that has one.
    private let scales: NameTable<String>

    /// A source as it is, or with its weights multiplied where it holds scales.
    package static func over(_ source: any TensorSource) -> any TensorSource {
        let names = source.names
        guard names.contains(where: { stem(of: $0, marks + scales) != nil }) else { return source }
        return ScaledSource(source, names)
    }

    private static let scales = ["scale_weight", "weight_scale"]
    private static let unused = ["scale_input", "input_scale", "comfy_quant"]
    private static let marks = ["scaled_fp8"]

    private init(_ source: any TensorSource, _ all: [String]) {
        var scales = NameTable<String>()
        for name in all {
            guard let layer = Self.stem(of: name, Self.scales) else { continue }
            let weight = layer + "weight"
            guard source.elementType(of: weight)?.isFloatingPoint == true else { continue }
            scales.append(weight, name)
        }
        names = all.filter { name in
            if Self.stem(of: name, Self.marks) != nil { return false }
            guard let layer = Self.stem(of: name, Self.scales + Self.unused) else { return true }
            return scales[layer + "weight"] == nil
        }
        (self.source, self.scales) = (source, scales)
    }

    /// A name without its last word, nil where that is none of these.
    private static func stem(of name: String, _ words: [String]) -> String? {
        let bytes = name.utf8
        for word in words where bytes.suffix(word.utf8.count).elementsEqual(word.utf8) {
            let stem = bytes.dropLast(word.utf8.count)
            if stem.isEmpty || stem.last == UInt8(ascii: ".") { return String(stem) }
        }
        return nil
    }

    package var files: [String] { source.files }
    package func shape(of name: String) -> Shape? { source.shape(of: name) }

    package func elementType(of name: String) -> ElementType? {
        scales[name] == nil ? source.elementType(of: name) : .float32
    }

    package func tensor(named name: String) throws -> Tensor {
        let tensor = try source.tensor(named: name)
        guard let place = scales[name] else { return tensor }
        let scale = try source.tensor(named: place).to(.float32)
        let count = scale.shape.elementCount
        guard tensor.shape.rank > 0, count == 1 || count == tensor.shape[0] else {
            throw CheckpointError(
                "",
                "\(quoted(place)) has the shape \(scale.shape), and must hold one number, or one for each row of "
                    + "\(quoted(name)), which has the shape \(tensor.shape)")
        }
        let ones = [Int](repeating: 1, count: tensor.shape.rank - 1)
        return tensor.to(.float32) * scale.reshaped(Shape([count] + ones))
    }
}
