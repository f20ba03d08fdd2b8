import Foundation
import Pictures
import Storage
import Tensors

/// Pictures in an `.npz` archive, as NumPy writes it: `arr_0` or `images` `[N, height, width, channels]` or
/// `[N, height, width]` of bytes and, where there are classes, `arr_1` or `labels` `[N]`.
///
/// It is the form of the reference batches and samples that papers are compared by. The pixels stay bytes in memory and
/// become numbers batch by batch.
/// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), the published code's evaluations.
public struct NumPyPictures: Dataset {
    /// Which pictures are used, by their place.
    public typealias Part = TensorDataset.Part

    private let stored: StoredPictures
    /// Numbers of the classes; nil where there are no labels.
    public let classNames: [String]?

    /// Reads an archive.
    ///
    /// - Throws: ``DatasetError`` where the file is missing or damaged, or holds something else.
    public init(contentsOf path: String, part: Part = .all) throws {
        let (pictures, labels) = try Self.arrays(path)
        let shape = pictures.shape
        guard pictures.elementType == .uint8, [3, 4].contains(shape.rank), shape.elementCount > 0,
            shape.rank == 3 || [1, 3].contains(shape[3])
        else {
            throw DatasetError(
                path, "the pictures have shape \(shape) and elements of type \(pictures.elementType)",
                remedy: "save bytes, [count, height, width, channels] with 1 or 3 channels")
        }
        guard
            labels.map({ $0.rank == 1 && !$0.elementType.isFloatingPoint && $0.shape[0] == shape[0] }) ?? true
        else {
            throw DatasetError(
                path, "the labels do not fit \(shape[0]) pictures",
                remedy: "save a whole number for each picture, [count]")
        }
        let rows = part.places(of: shape[0])
        let picked = pictures.gathered(Tensor(rows.map(Int64.init), shape: [rows.count]))
        let planes = shape.rank == 3 ? picked : picked.permuted(0, 3, 1, 2).contiguous()
        let classes = try labels.map { try $0.to(.int64).array(of: Int.self) }
        classNames = try classes.map { try TensorDataset.names($0, nil, path) }
        stored = StoredPictures(
            shape: [shape.rank == 3 ? 1 : shape[3], shape[1], shape[2]],
            bytes: try planes.array(of: UInt8.self), labels: classes.map { all in rows.map { all[$0] } },
            levels: (0...255).map { Picture.level(UInt8($0)) })
    }

    private static func arrays(_ path: String) throws -> (pictures: Tensor, labels: Tensor?) {
        do {
            guard try NumPyArchive.isArchive(path) else {
                throw DatasetError(
                    path, "this is no .npz archive", remedy: "give a file that numpy.savez wrote")
            }
            let archive = try NumPyArchive(path)
            func name(_ names: String...) -> String? { names.first(where: archive.names.contains) }
            guard let pictures = name("arr_0", "images") else {
                throw DatasetError(
                    path, "there is no arr_0 or images in the file, but \(listed(archive.names))",
                    remedy: "give an archive with one of them")
            }
            return (
                try archive.tensor(named: pictures),
                try name("arr_1", "labels").map { try archive.tensor(named: $0) }
            )
        } catch let error as ContentError {
            throw DatasetError(error.place, error.problem, remedy: "give a whole .npz file")
        }
    }

    /// The number of pictures.
    public var count: Int { stored.count }
    /// `[channels, height, width]`.
    public var exampleShape: Shape { stored.shape }
    /// Pictures `[batch, channels, height, width]` and their classes `[batch]`.
    public func batch(at indices: [Int]) throws -> Batch { stored.batch(at: indices) }
}
