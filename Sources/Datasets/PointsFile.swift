import Checkpoints
import Storage
import Tensors

extension TensorDataset {
    /// Reads points from a file: `points` `[N, D]` and, where there are classes, `labels` `[N]`, in an `.npz` archive
    /// as NumPy writes it, or in a `.safetensors` file. The content says which, never the name.
    ///
    /// - Throws: ``DatasetError`` where the file is missing or damaged, or holds something else.
    public init(points path: String, part: Part = .all) throws {
        var named = try tensorFile(path, names: ["points"], optional: ["labels"])
        let points = named.removeValue(forKey: "points")!
        guard points.rank == 2, points.elementType.isFloatingPoint else {
            throw DatasetError(
                path, "points has shape \(points.shape) and elements of type \(points.elementType)",
                remedy: "give numbers with a point, [count, dimension]")
        }
        named["data"] = points
        try self.init(named, part: part, name: path)
    }

    /// Reads pairs of data and the noise that a model made them from, as `sample --pairs` writes them: `noise` and
    /// `data`, both `[N, …]`, and `labels` `[N]` where the samples have classes, in a `.safetensors` file.
    ///
    /// - Throws: ``DatasetError`` where the file is missing or damaged, or holds something else.
    public init(pairs path: String, part: Part = .all) throws {
        let named = try tensorFile(path, names: ["noise", "data"], optional: ["labels"])
        let (noise, data) = (named["noise"]!, named["data"]!)
        guard noise.shape == data.shape, [2, 4].contains(data.rank), data.elementType.isFloatingPoint else {
            throw DatasetError(
                path, "noise has shape \(noise.shape) and data \(data.shape)",
                remedy: "give pairs of one shape, [count, dimension] or [count, channels, height, width]")
        }
        try self.init(named, part: part, name: path)
    }
}

/// Tensors of a `.safetensors` file or an `.npz` archive.
private func tensorFile(
    _ path: String, names: [String], optional: [String]
) throws -> [String: Tensor] {
    do {
        let isArchive = try NumPyArchive.isArchive(path)
        let archive = isArchive ? try NumPyArchive(path) : nil
        let file = isArchive ? nil : try SafetensorsFile(path: path, storage: .copied)
        let known = archive?.names ?? file?.names ?? []
        if let missing = names.first(where: { !known.contains($0) }) {
            throw DatasetError(
                path, "there is no \(missing) in the file",
                remedy: "give a file with \(names.joined(separator: " and "))")
        }
        var tensors: [String: Tensor] = [:]
        for name in names + optional where known.contains(name) {
            tensors[name] = try archive?.tensor(named: name) ?? file?.tensor(named: name)
        }
        if let labels = tensors["labels"], labels.rank != 1 || labels.elementType.isFloatingPoint {
            throw DatasetError(
                path, "labels has shape \(labels.shape) and elements of type \(labels.elementType)",
                remedy: "give whole numbers, [count]")
        }
        return tensors
    } catch let error as ContentError {
        throw DatasetError(error.place, error.problem, remedy: "give a whole .npz or .safetensors file")
    }
}
