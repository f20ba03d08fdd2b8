import Tensors

/// A data set whose pictures are changed batch by batch: padded, or with other channels.
public struct MappedDataset<Base: Dataset>: Dataset {
    private let base: Base
    /// The shape after the change.
    public let exampleShape: Shape
    private let change: @Sendable (Tensor) -> Tensor

    fileprivate init(_ base: Base, shape: Shape, _ change: @escaping @Sendable (Tensor) -> Tensor) {
        self.base = base
        exampleShape = shape
        self.change = change
    }

    /// As many as before.
    public var count: Int { base.count }
    /// As before.
    public var classNames: [String]? { base.classNames }
    /// As before.
    public var captions: [String] { base.captions }
    /// As before.
    public var shapeGroups: [Int]? { base.shapeGroups }
    /// As before.
    public var findings: DatasetFindings { base.findings }
    /// The changed pictures and their labels.
    public func batch(at indices: [Int]) throws -> Batch {
        var batch = try base.batch(at: indices)
        batch.data = change(batch.data)
        return batch
    }
}

extension Dataset {
    /// The same pictures in the middle of larger ones.
    ///
    /// - Parameters:
    ///   - height: New height in pixels, at least the old one.
    ///   - width: New width in pixels, at least the old one.
    ///   - value: What is around them; −1 is black.
    /// - Throws: ``DatasetError`` where the new size is smaller than the old one.
    public func padded(toHeight height: Int, width: Int, with value: Float = -1) throws -> MappedDataset<Self>
    {
        let (channels, oldHeight, oldWidth) = (exampleShape[0], exampleShape[1], exampleShape[2])
        guard height >= oldHeight, width >= oldWidth else {
            throw DatasetError(
                "padding", "pictures of \(oldWidth)×\(oldHeight) do not fit into \(width)×\(height)",
                remedy: "choose a larger size")
        }
        let (top, left) = ((height - oldHeight) / 2, (width - oldWidth) / 2)
        return MappedDataset(self, shape: [channels, height, width]) {
            $0.padded(
                [left, width - oldWidth - left, top, height - oldHeight - top], value: Double(value))
        }
    }

    /// The same pictures with the mean of squares of pixels in place of each.
    ///
    /// - Parameter factor: Pixels a side of a square.
    /// - Throws: ``DatasetError`` where squares do not fill the pictures, or their sizes differ.
    public func averaged(by factor: Int) throws -> MappedDataset<Self> {
        let (channels, height, width) = (exampleShape[0], exampleShape[1], exampleShape[2])
        guard shapeGroups == nil, height % factor == 0, width % factor == 0 else {
            throw DatasetError(
                "downscale",
                "squares of \(factor)×\(factor) do not fill pictures of \(width)×\(height)\(shapeGroups == nil ? "" : " and others")",
                remedy: "choose a factor that divides the sides, and one size for all")
        }
        return MappedDataset(self, shape: [channels, height / factor, width / factor]) {
            $0.averagePooled(factor)
        }
    }

    /// The same pictures with one channel (luma of ITU-R BT.601) or three (grey repeated).
    ///
    /// - Throws: ``DatasetError`` for another number of channels.
    public func converted(toChannels channels: Int) throws -> MappedDataset<Self> {
        let old = exampleShape[0]
        guard [1, 3].contains(channels) else {
            throw DatasetError(
                "channels", "pictures have 1 or 3 channels, not \(channels)", remedy: "give 1 or 3")
        }
        return MappedDataset(self, shape: [channels, exampleShape[1], exampleShape[2]]) { pictures in
            if channels == old { return pictures }
            if channels == 3 { return concatenated([pictures, pictures, pictures], along: 1) }
            let weights = Tensor([0.299, 0.587, 0.114] as [Float], shape: [1, 3, 1, 1])
            return (pictures * weights).sum([1], keepingDimensions: true)
        }
    }
}
