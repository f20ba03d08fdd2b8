import Tensors

/// Examples of one shape, numbered: pictures or points.
public protocol Dataset: Sendable {
    /// How many examples there are.
    var count: Int { get }
    /// Shape of one example: `[channels, height, width]` of a picture, `[dimension]` of a point.
    var exampleShape: Shape { get }
    /// Names of the classes in the order of their numbers; nil where examples have no classes.
    var classNames: [String]? { get }
    /// Every caption, in the order of the examples; empty where there are none. A text encoder's vocabulary is
    /// learnt from them.
    var captions: [String] { get }
    /// The group of each example; nil where all have one shape. A batch holds examples of one group, whose shapes are
    /// alike.
    var shapeGroups: [Int]? { get }
    /// What its files have shown so far that a person should know of.
    var findings: DatasetFindings { get }
    /// The examples of some numbers, 0 ..< ``count``, in that order.
    ///
    /// The same number gives the same example, every time and on every machine.
    ///
    /// - Throws: ``DatasetError`` where a file can no longer be read.
    func batch(at indices: [Int]) throws -> Batch
    /// The batch that an order drew: mirrored where it says so, with the captions that it drew.
    ///
    /// - Throws: ``DatasetError`` where a file can no longer be read.
    func batch(for draw: BatchOrder.Draw) throws -> Batch
    /// What encoded the examples, where they are moments of latents; nil for data as they are.
    var encoding: LatentManifest? { get }
    /// The batches of an order from a position on. Nothing is read before the first one is wanted.
    ///
    /// - Throws: ``DatasetError`` where the order cannot be met.
    func batches(
        _ order: BatchOrder.Configuration, at position: BatchOrder.Position
    ) throws -> any BatchStream
}

extension Dataset {
    /// Number of classes; nil where examples have none.
    public var classCount: Int? { classNames?.count }

    /// The numbers of examples taken evenly from all of them, at most as many as there are.
    package func evenlySpread(_ most: Int) -> [Int] {
        let taken = max(0, min(most, count))
        return (0..<taken).map { $0 * count / taken }
    }

    /// Whether examples are pictures.
    public var hasPictures: Bool { exampleShape.rank == 3 && encoding == nil }

    /// Nothing did.
    public var encoding: LatentManifest? { nil }

    /// None.
    public var captions: [String] { [] }

    /// None: all have one shape.
    public var shapeGroups: [Int]? { nil }

    /// Nothing.
    public var findings: DatasetFindings { DatasetFindings() }

    /// Examples by their numbers, in the order of ``BatchOrder``.
    public func batches(
        _ order: BatchOrder.Configuration, at position: BatchOrder.Position
    ) throws -> any BatchStream {
        NumberedBatches(dataset: self, order: try BatchOrder(order, groups: shapeGroups, at: position))
    }

    /// The batch that an order drew, its pictures mirrored row by row.
    ///
    /// - Throws: ``DatasetError`` where a file can no longer be read.
    public func batch(for draw: BatchOrder.Draw) throws -> Batch {
        var batch = try batch(at: draw.indices)
        if draw.isMirrored.contains(true) { try batch.mirror(where: draw.isMirrored) }
        batch.drawCaptions(draw.captions)
        return batch
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
            data: Tensor(values, shape: [indices.count, shape[0], shape[1], shape[2]]), labels: classes)
    }
}
