import Storage
import Tensors

/// Latents that `langevin encode` wrote: what an autoencoder makes of pictures, the embeddings of their captions, and their
/// classes, in a folder of files. They are read row by row as batches need them, so memory does not grow with the data.
///
/// An example's `data` are the moments of its latents: the means and, where latents are drawn from a distribution, the
/// standard deviations as further channels. Where captions were encoded, a batch also has their `context`
/// `[batch, tokens, width]` and `pooled` `[batch, width]`, and those of the empty text under `empty_context` and
/// `empty_pooled`, one row each.
public struct LatentDataset: Dataset {
    /// Which part of the data is used.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable {
        /// What is learnt from.
        case train
        /// What is held back to judge by.
        case evaluation
        /// Every part, one after the other.
        case all
    }

    /// The description in the folder.
    public let manifest: LatentManifest
    /// `[1 or 2 · channels, height, width]`
    public let exampleShape: Shape
    /// How many examples there are.
    public let count: Int
    private let shards: [LatentShard]
    /// The number of each file's first example.
    private let starts: [Int]
    private let readsCaptions: Bool

    /// Opens a folder and looks at every file of the part.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - part: Which part to read; a part that was not encoded is empty.
    ///   - readsCaptions: Whether examples have captions.
    /// - Throws: ``DatasetError`` where the folder or a file is missing or damaged, or there are no captions.
    public init(folder: String, part: Part = .train, readsCaptions: Bool = false) throws {
        let manifest = try LatentManifest(folder: folder)
        guard !readsCaptions || manifest.hasCaptions else {
            throw DatasetError(
                folder, "these latents were encoded without captions",
                remedy: "encode the data with captions, or read none")
        }
        let parts = manifest.parts.filter { part == .all || $0.name == part.rawValue }
        guard !parts.isEmpty || part == .evaluation else {
            throw DatasetError(
                folder, "there is no part \(part.rawValue) among \(listed(manifest.parts.map(\.name)))",
                remedy: "name another part, or encode this one")
        }
        (self.manifest, self.readsCaptions) = (manifest, readsCaptions)
        let files = parts.flatMap(\.files)
        shards = try files.map { try LatentShard($0, of: manifest, in: folder) }
        var starts: [Int] = []
        var count = 0
        for file in files {
            starts.append(count)
            count += file.count
        }
        (self.starts, self.count) = (starts, count)
        exampleShape = Shape([manifest.channels] + manifest.latentShape.dropFirst())
    }

    /// The names that were encoded.
    public var classNames: [String]? { manifest.classNames }
    /// What encoded the examples.
    public var encoding: LatentManifest? { manifest }
    /// Every caption, where they are read.
    public var captions: [String] {
        guard readsCaptions else { return [] }
        return shards.flatMap { shard in shard.captions.joined().map { shard.texts[$0] } }
    }

    /// Examples with all of their captions, and the embedding of the first one.
    public func batch(at indices: [Int]) throws -> Batch {
        try batch(indices.map { Wanted(index: $0, isMirrored: false, draw: nil) })
    }

    /// The batch that an order drew.
    public func batch(for draw: BatchOrder.Draw) throws -> Batch {
        guard manifest.hasMirrored || !draw.isMirrored.contains(true) else {
            throw DatasetError(
                "latents", "the mirror images of these pictures were not encoded",
                remedy: "encode the data with them, or mirror none")
        }
        return try batch(
            draw.indices.indices.map {
                Wanted(index: draw.indices[$0], isMirrored: draw.isMirrored[$0], draw: draw.captions[$0])
            })
    }

    // MARK: Batches

    /// An example of a batch.
    private struct Wanted {
        let index: Int
        let isMirrored: Bool
        /// Decides between its captions; nil where all of them are wanted.
        let draw: UInt64?
    }

    /// An example in its file.
    private struct Place {
        let shard: LatentShard
        let row: Int
        let wanted: Wanted

        /// The numbers of its captions: all, or the one that was drawn.
        var texts: [Int] {
            let own = shard.captions[row]
            guard let draw = wanted.draw, !own.isEmpty else { return own }
            let place = ExampleCaptions.place(draw, of: own.count, weights: shard.captionWeights?[row])
            return place.map { [own[$0]] } ?? []
        }
    }

    private func batch(_ wanted: [Wanted]) throws -> Batch {
        let places = wanted.map(place)
        let kinds = manifest.hasDeviations ? ["mean", "deviation"] : ["mean"]
        let moments = try rows(of: places) { place in
            kinds.map { (place.wanted.isMirrored ? "mirrored." + $0 : $0, place.row) }
        }
        let labels = try manifest.classNames.map { _ in
            try rows(of: places) { [("labels", $0.row)] }.reshaped([places.count])
        }
        var batch = Batch(
            data: moments.reshaped(Shape([places.count] + exampleShape.extents)), labels: labels)
        guard readsCaptions else { return batch }
        batch.captions = places.map { place in place.texts.map { place.shard.texts[$0] } }
        guard manifest.textEncoder != nil else { return batch }
        for (key, name) in [("context", "text.context"), ("pooled", "text.pooled")] {
            // The first text is the empty one, which stands for no caption.
            let (embedded, empty) = try (
                rows(of: places) { [(name, $0.texts.first ?? 0)] }, rows(of: [places[0]]) { _ in [(name, 0)] }
            )
            batch.tensors[key] = embedded.squeezed(1)
            batch.tensors["empty_\(key)"] = empty.squeezed(1)
        }
        return batch
    }

    private func place(of wanted: Wanted) -> Place {
        precondition(wanted.index >= 0 && wanted.index < count, "example \(wanted.index) of \(count)")
        let file = (starts.firstIndex { $0 > wanted.index } ?? starts.count) - 1
        return Place(shard: shards[file], row: wanted.index - starts[file], wanted: wanted)
    }

    /// Rows of examples, each of which asks for as many; a file is opened once.
    /// - Returns: `[examples, rows of each, …]`
    private func rows(of places: [Place], _ asked: (Place) -> [(name: String, row: Int)]) throws -> Tensor {
        let all = places.map(asked)
        var bytes = [[UInt8]](repeating: [], count: places.count)
        for group in Dictionary(grouping: places.indices, by: { places[$0].shard.path }).values {
            var found = try places[group[0]].shard.rows(group.flatMap { all[$0] }).makeIterator()
            for index in group { bytes[index] = all[index].flatMap { _ in found.next() ?? [] } }
        }
        let (row, type) = places[0].shard.layout(of: all[0][0].name)
        return bytes.flatMap { $0 }.withUnsafeBytes {
            Tensor(
                bytes: $0, shape: Shape([places.count, all[0].count] + row.extents), elementType: type)
        }
    }
}
