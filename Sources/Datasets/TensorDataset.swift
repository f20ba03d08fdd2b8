import Tensors

/// Examples in memory as tensors by name.
///
///     let data = try TensorDataset(["data": points, "labels": classes])
public struct TensorDataset: Dataset {
    /// Which examples are used, by their place.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable {
        /// All but every tenth.
        case train
        /// Every tenth.
        case evaluation
        /// All.
        case all

        func places(of count: Int) -> [Int] {
            (0..<count).filter { self == .all || ($0 % 10 == 9) == (self == .evaluation) }
        }
    }

    private let tensors: [String: Tensor]
    /// How many examples there are.
    public let count: Int
    /// The shape of one.
    public let exampleShape: Shape
    /// Names of the classes: their numbers where none are given; nil where there are no labels.
    public let classNames: [String]?

    /// A data set of tensors that all have as many rows.
    ///
    /// - Parameters:
    ///   - tensors: `data` `[count, …]`, `labels` `[count]` whole numbers where examples have classes, and what else
    ///     an example has, such as `noise` `[count, …]`.
    ///   - part: Which rows are used.
    ///   - classNames: Names of the classes; numbers where nil.
    ///   - name: What messages call the data, usually a file.
    /// - Throws: ``DatasetError`` where there is no `data`, the counts differ, a value is not finite, or a label is
    ///   negative or beyond the names.
    public init(
        _ tensors: [String: Tensor], part: Part = .all, classNames: [String]? = nil, name: String = "data"
    ) throws {
        guard let data = tensors["data"], data.rank > 1, data.shape.elementCount > 0 else {
            throw DatasetError(
                name, "there are no examples", remedy: "give at least one, as rows of a tensor")
        }
        let rows = part.places(of: data.shape[0])
        var kept: [String: Tensor] = [:]
        for (key, tensor) in tensors {
            guard tensor.rank > 0, tensor.shape[0] == data.shape[0] else {
                throw DatasetError(
                    name, "\(key) has shape \(tensor.shape) and the examples \(data.shape)",
                    remedy: "give as many rows of each")
            }
            let values = tensor.to(key == "labels" ? .int64 : .float32)
            if key != "labels" { try Self.checkFinite(values, key, name) }
            kept[key] = values.gathered(Tensor(rows.map(Int64.init), shape: [rows.count]))
        }
        self.classNames = try tensors["labels"].map {
            try Self.names($0.to(.int64).array(of: Int.self), classNames, name)
        }
        self.tensors = kept
        (count, exampleShape) = (rows.count, Shape(Array(data.shape.dropFirst())))
    }

    private static func checkFinite(_ values: Tensor, _ key: String, _ name: String) throws {
        let bad = try values.array(of: Float.self).count { !$0.isFinite }
        guard bad == 0 else {
            throw DatasetError(
                name, "\(key) has \(bad) values that are not finite numbers", remedy: "leave those rows out")
        }
    }

    static func names(_ labels: [Int], _ given: [String]?, _ name: String) throws -> [String] {
        let count = given?.count ?? (labels.max() ?? 0) + 1
        guard count <= 65_536, let bad = labels.first(where: { !(0..<count).contains($0) }) else {
            guard count <= 65_536 else {
                throw DatasetError(
                    name, "a label is \(count - 1)", remedy: "number the classes from 0 to at most 65535")
            }
            return given ?? (0..<count).map(String.init)
        }
        throw DatasetError(
            name, "a label is \(bad) and there are \(count) classes", remedy: "number the classes from 0")
    }

    /// Rows of every tensor.
    public func batch(at indices: [Int]) throws -> Batch {
        let rows = Tensor(indices.map(Int64.init), shape: [indices.count])
        var picked = tensors.mapValues { $0.gathered(rows) }
        let data = picked.removeValue(forKey: "data")!
        return Batch(data: data, labels: picked.removeValue(forKey: "labels"), others: picked)
    }
}
