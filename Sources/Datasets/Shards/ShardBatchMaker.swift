import Pictures
import Storage
import Tensors

/// Makes batches of samples: decodes their pictures, and reads their classes, captions and names.
struct ShardBatchMaker: Sendable {
    let reader: PictureReader
    let hasClasses: Bool
    /// The columns of captions; nil where none are read.
    let columns: [CaptionColumn]?

    /// A batch of samples that were drawn. A picture that turns out to be damaged is noted, and the next readable one
    /// stands in.
    ///
    /// - Parameter spares: the samples after them.
    /// - Throws: ``DatasetError`` where none of many pictures in a row can be read, or too many of all.
    func batch(_ drawn: [ShardStream.Drawn], spares: [ShardStream.Drawn]) throws -> Batch {
        let all = drawn + spares
        var pictures: [Int: PlacedPicture] = [:]
        var damaged: Set<Int> = []
        let places = try drawn.indices.map { first in
            for place in first..<all.count where !damaged.contains(place) {
                if pictures[place] != nil { return place }
                if let picture = try self.picture(all[place].sample) {
                    pictures[place] = picture
                    return place
                }
                damaged.insert(place)
            }
            throw DatasetError(
                all[first].sample.shard,
                "from \(quoted(all[first].sample.key)) on, none of \(all.count - first) pictures can be read",
                remedy: "pack the shards again")
        }
        let own = places.map { all[$0] }
        var batch = try batch(places.map { pictures[$0]! }, own.map(\.sample))
        if own.contains(where: \.isMirrored) { try batch.mirror(where: own.map(\.isMirrored)) }
        batch.drawCaptions(own.map(\.caption))
        return batch
    }

    /// A batch of pictures and the samples that they belong to, with every caption.
    func batch(_ pictures: [PlacedPicture], _ samples: [ShardSample]) throws -> Batch {
        let labels = hasClasses ? try samples.map { try $0.label() ?? 0 } : nil
        var batch = reader.batch(pictures, labels: labels)
        if let columns {
            let captions = try samples.map { try $0.captions(columns) }
            batch.captions = captions.map(\.texts)
            let weights = captions.compactMap(\.weights)
            batch.captionWeights = weights.isEmpty ? nil : weights
        }
        batch.texts = ["relpath": samples.map(\.key), "file_path_": samples.map(\.name)]
        let objects = try samples.map { try $0.json() }
        for name in ["synsets", "human_label"] {
            let texts = objects.compactMap { $0[name].flatMap(String.init(json:)) }
            if texts.count == samples.count { batch.texts[name] = texts }
        }
        if let labels, batch.texts["human_label"] == nil {
            batch.texts["human_label"] = labels.map(String.init)
        }
        return batch
    }

    /// The picture of a sample; nil where it is damaged, which is noted.
    /// - Throws: ``DatasetError`` where too many are.
    func picture(_ sample: ShardSample) throws -> PlacedPicture? {
        do throws(PictureError) {
            return try reader.picture(decoding: sample.picture, named: sample.name)
        } catch {
            try reader.log.add(error.at(sample.name))
            return nil
        }
    }
}
