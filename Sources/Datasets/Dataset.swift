import Tensors

/// Some pictures of a data set, ready for a network.
public struct Batch: Sendable {
    /// `[batch, channels, height, width]` float32 in [−1, 1].
    public var pictures: Tensor
    /// `[batch]` int64, the class of each picture; nil where the data set has none.
    public var labels: Tensor?

    /// A batch of pictures and their classes.
    public init(pictures: Tensor, labels: Tensor?) {
        self.pictures = pictures
        self.labels = labels
    }
}

/// Pictures of one shape that can be asked for by their number.
public protocol Dataset: Sendable {
    /// How many pictures there are.
    var count: Int { get }
    /// Shape of one picture: `[channels, height, width]`.
    var pictureShape: Shape { get }
    /// Names of the classes in the order of their numbers; nil where pictures have no classes.
    var classNames: [String]? { get }
    /// What its files have shown so far that a person should know of.
    var findings: DatasetFindings { get }
    /// The pictures of some numbers, 0 ..< ``count``, in that order.
    ///
    /// The same number gives the same picture, every time and on every machine.
    ///
    /// - Throws: ``DatasetError`` where a file can no longer be read.
    func batch(at indices: [Int]) throws -> Batch
}

extension Dataset {
    /// Number of classes; nil where pictures have none.
    public var classCount: Int? { classNames?.count }

    /// Nothing.
    public var findings: DatasetFindings { DatasetFindings() }

    /// The batch that an order drew, mirrored where it says so.
    ///
    /// - Throws: ``DatasetError`` where a file can no longer be read.
    public func batch(for draw: BatchOrder.Draw) throws -> Batch {
        var batch = try batch(at: draw.indices)
        if draw.isMirrored.contains(true) { try batch.mirror(where: draw.isMirrored) }
        return batch
    }
}

extension Batch {
    /// Exchanges left and right of some of the pictures.
    mutating func mirror(where isMirrored: [Bool]) throws {
        var values = try pictures.array(of: Float.self)
        let width = pictures.shape[3]
        let rows = pictures.shape[1] * pictures.shape[2]
        for picture in isMirrored.indices where isMirrored[picture] {
            for row in (picture * rows)..<((picture + 1) * rows) {
                values[(row * width)..<((row + 1) * width)].reverse()
            }
        }
        pictures = Tensor(values, shape: pictures.shape)
    }
}

/// Pictures in memory: one byte a value and a table that says what each byte means.
struct StoredPictures: Sendable {
    /// `[channels, height, width]`.
    let shape: Shape
    /// All pictures one after the other, each in the order of ``shape``.
    let bytes: [UInt8]
    /// The class of each picture.
    let labels: [Int]?
    /// The number in [−1, 1] that each byte stands for.
    let levels: [Float]

    var count: Int { bytes.count / shape.elementCount }

    /// These pictures and then others of the same shape.
    func followed(by others: StoredPictures) -> StoredPictures {
        StoredPictures(
            shape: shape, bytes: bytes + others.bytes, labels: labels.map { $0 + (others.labels ?? []) },
            levels: levels)
    }

    func batch(at indices: [Int]) -> Batch {
        let length = shape.elementCount
        var values: [Float] = []
        values.reserveCapacity(indices.count * length)
        for index in indices {
            precondition(index >= 0 && index < count, "picture \(index) of \(count)")
            for byte in bytes[(index * length)..<((index + 1) * length)] { values.append(levels[Int(byte)]) }
        }
        let classes = labels.map { labels in
            Tensor(indices.map { Int64(labels[$0]) }, shape: [indices.count])
        }
        return Batch(
            pictures: Tensor(values, shape: [indices.count, shape[0], shape[1], shape[2]]), labels: classes)
    }
}
