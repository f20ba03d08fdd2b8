import Checkpoints
import Datasets
import Networks
import Pipelines
import Storage
import Tensors

/// Writes the examples of a part of a data set as files of latents, one after the other (`LatentShard` says what is in
/// them).
struct LatentFileWriter {
    let network: any PictureAutoencoder
    /// `nil` where captions are kept as texts alone.
    let texts: PromptEncoder?
    let manifest: LatentManifest
    let device: Device
    let batchSize: Int

    /// Texts that are encoded together.
    private static let textBatch = 64

    /// Writes every example.
    /// - Parameter report: gets the number of examples of each batch that is encoded; what it throws ends everything.
    /// - Returns: the files.
    func write(
        _ dataset: any Dataset, named part: String, to folder: String, report: (Int) throws -> Void
    ) throws -> [LatentManifest.File] {
        var files: [LatentManifest.File] = []
        var start = 0
        while start < dataset.count {
            let end = min(start + rowsOfFile, dataset.count)
            let digits = String(files.count + 1)
            let name =
                "\(part)-\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits).safetensors"
            let rows = try encoded(start..<end, of: dataset, report)
            let path = "\(folder)/\(name)"
            let embed: LatentRows.Embedding? = texts.map { encoder in { try embeddings(of: $0, encoder) } }
            try SafetensorsWriter(rows.tensors(embed)).write(to: path)
            files.append(
                .init(
                    name: name, count: end - start, byteCount: try RegularFile(opening: path).byteCount,
                    sha256: try DigestCache.user().sha256(ofFile: path)))
            start = end
        }
        return files
    }

    /// Examples of one file.
    private var rowsOfFile: Int {
        let latents = manifest.latentShape.reduce(4, *) * (manifest.hasDeviations ? 2 : 1)
        let text = manifest.textEncoder.map { ($0.tokens + 1) * $0.width * 4 } ?? 0
        return max(
            1, min(65_536, LatentEncoding.fileByteCount / (latents * (manifest.hasMirrored ? 2 : 1) + text)))
    }

    private func encoded(_ range: Range<Int>, of dataset: any Dataset, _ report: (Int) throws -> Void) throws
        -> LatentRows
    {
        var rows = LatentRows()
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(start + batchSize, range.upperBound)
            let batch = try dataset.batch(at: Array(start..<end))
            let pictures = batch.data.sent(to: device)
            try rows.append(moments(of: pictures, start), to: "")
            // The mirror images are those of `Batch`: columns in the other order.
            if manifest.hasMirrored {
                try rows.append(moments(of: pictures.flipped(3), start), to: "mirrored.")
            }
            rows.append(labels: batch.labels)
            if manifest.hasCaptions, let captions = batch.captions {
                rows.append(captions: captions, weights: batch.captionWeights)
            }
            try report(end - start)
            start = end
        }
        return rows
    }

    private func moments(of pictures: Tensor, _ first: Int) throws -> LatentMoments {
        let moments = inference { network.moments(of: pictures) }
        func kept(_ tensor: Tensor) throws -> Tensor {
            guard try tensor.isFinite().all().item(Bool.self) else {
                throw PipelineError(
                    "the autoencoder gave pictures \(first) to \(first + pictures.shape[0] - 1) latents that are not finite numbers: look at its weights and at the pictures"
                )
            }
            return tensor.to(.float32).to(.cpu).contiguous()
        }
        return LatentMoments(mean: try kept(moments.mean), deviation: try moments.deviation.map(kept))
    }

    private func embeddings(of all: [String], _ encoder: PromptEncoder) throws -> (
        context: Tensor, pooled: Tensor
    ) {
        var (contexts, pooled): ([Tensor], [Tensor]) = ([], [])
        var start = 0
        while start < all.count {
            let end = min(start + Self.textBatch, all.count)
            let conditions = inference { encoder.conditions(of: Array(all[start..<end]), on: device) }
            try contexts.append(finite(conditions[.context]))
            try pooled.append(finite(conditions[.pooledText]))
            start = end
        }
        return (concatenated(contexts), concatenated(pooled))
    }

    private func finite(_ embedding: Tensor?) throws -> Tensor {
        guard let embedding, try embedding.isFinite().all().item(Bool.self) else {
            throw PipelineError(
                "the text encoder gave numbers that are not finite for a caption: look at its weights")
        }
        return embedding.to(.float32).to(.cpu)
    }
}

/// The examples of one file as they are collected.
private struct LatentRows {
    private var moments: [String: [Tensor]] = [:]
    private var labels: [Tensor] = []
    private var captionEnds: [Int64] = []
    private var captionTexts: [Int64] = []
    private var captionWeights: [Double] = []
    private var hasWeights = false
    /// Distinct texts; the first stands for no caption.
    private var texts = [""]
    private var numbers = ["": 0]
    private var hasCaptions = false

    mutating func append(_ moments: LatentMoments, to prefix: String) throws {
        self.moments[prefix + "mean", default: []].append(moments.mean)
        if let deviation = moments.deviation {
            self.moments[prefix + "deviation", default: []].append(deviation)
        }
    }

    mutating func append(labels: Tensor?) {
        if let labels { self.labels.append(labels) }
    }

    /// - Parameter weights: how often each caption is drawn; `nil` where all are drawn alike.
    mutating func append(captions: [[String]], weights: [[Double]]?) {
        hasCaptions = true
        hasWeights = hasWeights || weights != nil
        for (index, own) in captions.enumerated() {
            captionWeights += weights?[index] ?? own.map { _ in 1 }
            for caption in own {
                if numbers[caption] == nil {
                    numbers[caption] = texts.count
                    texts.append(caption)
                }
                captionTexts.append(Int64(numbers[caption]!))
            }
            captionEnds.append(Int64(captionTexts.count))
        }
    }

    /// From texts to the states of their tokens and of their ends.
    typealias Embedding = ([String]) throws -> (context: Tensor, pooled: Tensor)

    /// All of it, with the embeddings of the texts where there is an encoder.
    func tensors(_ embed: Embedding?) throws -> [(String, Tensor)] {
        var tensors = moments.mapValues { concatenated($0) }
        if !labels.isEmpty { tensors["labels"] = concatenated(labels) }
        if hasCaptions {
            let bytes = texts.map { Array($0.utf8) }
            var end = 0
            let ends = bytes.map { text in
                end += text.count
                return Int64(end)
            }
            tensors["text.bytes"] = Tensor(Array(bytes.joined()), shape: [end])
            tensors["text.ends"] = Tensor(ends, shape: [ends.count])
            tensors["caption.ends"] = Tensor(captionEnds, shape: [captionEnds.count])
            tensors["caption.texts"] = Tensor(captionTexts, shape: [captionTexts.count])
            if hasWeights {
                tensors["caption.weights"] = Tensor(captionWeights, shape: [captionWeights.count])
            }
        }
        if hasCaptions, let embed {
            let found = try embed(texts)
            (tensors["text.context"], tensors["text.pooled"]) = (found.context, found.pooled)
        }
        return tensors.map { ($0.key, $0.value) }
    }
}
