import Checkpoints
import Storage

extension Inspection.Tensors {
    /// The facts as one JSON object with sorted keys. It is written here because Foundation's encoder takes seconds and
    /// most of a gigabyte for a million tensors.
    public var json: String {
        let texts = metadata.sorted { $0.key < $1.key }.map {
            "\(jsonString($0.key)):\(jsonString($0.value))"
        }
        var text = "{\"metadata\":{\(texts.joined(separator: ","))},"
        if let nonFinite { text += "\"non_finite\":\(nonFinite)," }
        text += "\"parameters\":\(parameters),\"tensors\":["
        for (index, tensor) in tensors.enumerated() {
            if index > 0 { text += "," }
            text += "{\"dtype\":\"\(tensor.dtype)\",\"name\":\(jsonString(tensor.name)),\"shape\":["
            text += tensor.shape.map(String.init).joined(separator: ",") + "]}"
        }
        return text + "]}"
    }
}
