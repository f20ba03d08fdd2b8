import Tensors

/// A data set whose captions are the names of its classes.
public struct ClassCaptions: Dataset {
    private let base: any Dataset
    private let names: [String]

    /// Gives each example the name of its class as caption.
    ///
    /// - Throws: ``DatasetError`` where the data have no classes.
    public init(_ base: any Dataset) throws {
        guard let names = base.classNames else {
            throw DatasetError(
                "captions", "the data have no classes whose names could be captions",
                remedy: "give data with classes, or captions of another kind")
        }
        (self.base, self.names) = (base, names)
    }

    /// As many as before.
    public var count: Int { base.count }
    /// As before.
    public var exampleShape: Shape { base.exampleShape }
    /// As before.
    public var classNames: [String]? { names }
    /// The name of each class.
    public var captions: [String] { names }
    /// As before.
    public var shapeGroups: [Int]? { base.shapeGroups }
    /// As before.
    public var findings: DatasetFindings { base.findings }
    /// As before.
    public var encoding: LatentManifest? { base.encoding }
    /// The examples, their labels and the names of their classes.
    public func batch(at indices: [Int]) throws -> Batch {
        try captioned(base.batch(at: indices))
    }
    /// The same of the batch that an order drew.
    public func batch(for draw: BatchOrder.Draw) throws -> Batch { try captioned(base.batch(for: draw)) }
    /// Those of the data, with the names of their classes.
    public func batches(
        _ order: BatchOrder.Configuration, at position: BatchOrder.Position
    ) throws -> any BatchStream {
        CaptionedBatches(base: try base.batches(order, at: position), data: self)
    }

    fileprivate func captioned(_ batch: Batch) throws -> Batch {
        var batch = batch
        batch.captions = try batch.labels?.array(of: Int.self).map { [names[$0]] }
        return batch
    }
}

/// The batches of a stream with the names of their classes.
private struct CaptionedBatches: BatchStream {
    var base: any BatchStream
    let data: ClassCaptions

    var position: BatchOrder.Position { base.position }

    mutating func next() throws -> @Sendable () throws -> Batch {
        let make = try base.next()
        return { [data] in try data.captioned(make()) }
    }
}
