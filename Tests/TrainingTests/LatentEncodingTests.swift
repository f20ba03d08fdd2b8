import Checkpoints
import Datasets
import Foundation
import Layers
import Networks
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing
import Training

/// `LatentEncoding` and what reads its files: the moments are the autoencoder's, and files that were changed are refused.
@Suite struct LatentEncodingTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The digits in 16×16.
    private var digits: Recipe.DataSection {
        var data = Recipe.DataSection()
        data.path = fixturePath("../../data/digits/digits.csv.gz")
        (data.size, data.split) = (16, .evaluation)
        return data
    }

    private func model(_ name: String) throws -> String {
        let path = folder(name)
        if !FileManager.default.fileExists(atPath: path) {
            try Fixture("pipelines/\(name)").write("model", to: path)
        }
        return path
    }

    private func encoded(
        _ name: String, by fixture: String = "sd1", batchSize: Int = 50, text: Bool = false,
        _ change: (inout Recipe.DataSection) -> Void = { _ in }
    ) throws -> String {
        var data = digits
        change(&data)
        let model = try model(fixture)
        let encoding = try LatentEncoding(
            data, autoencoder: model, textEncoder: text ? model : nil, split: .evaluation,
            batchSize: batchSize)
        let path = folder(name)
        var progress: [Int] = []
        let manifest = try #require(try encoding.write(to: path, report: { progress.append($0.done) }))
        #expect(progress.last == encoding.count && progress == progress.sorted())
        #expect(try manifest == LatentManifest(folder: path))
        return path
    }

    /// What the autoencoder makes of some digits.
    private func moments(_ indices: [Int], by fixture: String, mirrored: Bool = false) throws -> Tensor {
        let autoencoder = try StoredAutoencoder(model(fixture))
        var data = digits
        data.channels = 3
        let pictures = try data.open().batch(at: indices).data
        return try inference {
            try autoencoder.network().moments(of: mirrored ? pictures.flipped(3) : pictures).channels
        }
    }

    @Test(arguments: ["sd1", "ldm"], [1, 50]) func momentsAreTheAutoencoders(name: String, batchSize: Int)
        throws
    {
        let data = try LatentDataset(
            folder: encoded("latents", by: name, batchSize: batchSize), part: .evaluation)
        let isDrawn = name == "sd1"
        #expect(data.manifest.hasDeviations == isDrawn && data.manifest.pictureShape == [3, 16, 16])
        #expect(data.exampleShape == (isDrawn ? [8, 8, 8] : [4, 4, 4]))
        #expect(try data.count == digits.open().count && data.classNames == (0..<10).map(String.init))
        let indices = [5, 0, 178, 5]
        let batch = try data.batch(at: indices)
        expectClose(batch.data, try moments(indices, by: name), ofLargest: 1e-5)
        #expect(
            try batch.labels?.array(of: Int.self)
                == digits.open().batch(at: indices).labels?.array(of: Int.self))
        #expect(!data.hasPictures && batch.captions == nil)
    }

    /// The mirror images of an order are those that were encoded.
    @Test func mirrorImagesAreTheirOwn() throws {
        let data = try LatentDataset(folder: encoded("latents") { $0.flip = true }, part: .evaluation)
        var order = try BatchOrder(
            .init(count: data.count, batchSize: 30, seed: 3, mirrors: true))
        let draw = order.next()
        #expect(Set(draw.isMirrored) == [true, false])
        let batch = try data.batch(for: draw)
        for (row, index) in draw.indices.enumerated() {
            let expected = try moments([index], by: "sd1", mirrored: draw.isMirrored[row])
            expectClose(batch.data.slice(row..<row + 1, of: 0), expected, ofLargest: 1e-5)
        }
        let plain = try LatentDataset(folder: encoded("plain"), part: .evaluation)
        #expect(throws: DatasetError.self) { try plain.batch(for: draw) }
    }

    /// Captions are texts and, where there is an encoder, its states; an order draws one of several.
    @Test func captionsAreEncoded() throws {
        let path = try encoded("latents", text: true) { $0.captions = .classNames }
        let data = try LatentDataset(folder: path, part: .evaluation, readsCaptions: true)
        let batch = try data.batch(at: [0, 100])
        #expect(data.captions.count == data.count)
        let names = try #require(batch.labels).array(of: Int.self).map(String.init)
        #expect(batch.captions == names.map { [$0] })
        let plan = try #require(
            try ModelLayout(model("sd1")).promptEncoder(
                for: NetworkTraits(family: "", channels: 1, outputChannels: 1) { _ in 0 }, in: .float32,
                on: .cpu))
        let expected = inference { plan.conditions(of: names + [""], on: .cpu)[.context]! }
        expectClose(try #require(batch.tensors["context"]), expected.slice(0..<2, of: 0), absolute: 1e-5)
        expectClose(
            try #require(batch.tensors["empty_context"]), expected.slice(2..<3, of: 0), absolute: 1e-5)
        #expect(batch.tensors["pooled"]?.shape == [2, 24])
        #expect(try LatentDataset(folder: path, part: .evaluation).batch(at: [0]).captions == nil)
        #expect(throws: DatasetError.self) {
            try LatentDataset(folder: encoded("none"), part: .evaluation, readsCaptions: true)
        }
    }

    /// Every kind of damage is one sentence that names the file.
    @Test func damagedFilesAreRefused() throws {
        let path = try encoded("latents", by: "ldm")
        let file = path + "/evaluation-00001.safetensors"
        let whole = try contents(of: file)
        func refusal(_ bytes: [UInt8]?) throws -> String {
            if let bytes {
                try Data(bytes).write(to: URL(fileURLWithPath: file))
            } else {
                try FileManager.default.removeItem(atPath: file)
            }
            do {
                _ = try LatentDataset(folder: path, part: .evaluation)
                return ""
            } catch let error as DatasetError {
                return "\(error)"
            }
        }
        var flipped = whole
        flipped[whole.count - 5] ^= 1
        #expect(try refusal(flipped).contains("not those that were written"))
        #expect(try refusal(Array(whole.dropLast(3))).contains(file))
        #expect(try refusal([]).contains(file))
        #expect(try refusal(nil).contains(file))
        #expect(try refusal(whole).isEmpty)
        for (change, words) in [
            (#""version": 2"#, "version"), (#""latent_shape": [4, 0, 4]"#, "no shape"),
            (#""latent_shape": 4"#, "latent_shape"),
        ] {
            let manifest = try String(contentsOfFile: path + "/latents.json", encoding: .utf8)
            let key = String(change.prefix { $0 != ":" })
            let pattern = try Regex(key + #"\s*:\s*(\[[^\]]*\]|\d+)"#)
            try Data(manifest.replacing(pattern, with: change).utf8).write(
                to: URL(fileURLWithPath: path + "/latents.json"))
            #expect {
                try LatentDataset(folder: path, part: .evaluation)
            } throws: {
                "\($0)".contains(words) && "\($0)".contains("latents.json")
            }
            try Data(manifest.utf8).write(to: URL(fileURLWithPath: path + "/latents.json"))
        }
        #expect(throws: DatasetError.self) { try LatentDataset(folder: folder.path) }
        // There is no part to learn from, and none that is asked for is made up.
        #expect(throws: DatasetError.self) { try LatentDataset(folder: path, part: .train) }
        #expect(
            try LatentDataset(folder: path, part: .all).count
                == LatentDataset(folder: path, part: .evaluation).count)
    }

    /// Giving up leaves nothing, and neither does a name that is taken.
    @Test func nothingIsLeftBehind() throws {
        let encoding = try LatentEncoding(digits, autoencoder: model("ldm"), split: .evaluation)
        var batches = 0
        let given = try encoding.write(
            to: folder("out"),
            isInterrupted: {
                batches += 1; return batches > 2
            })
        #expect(given == nil)
        #expect(try folder.names() == ["ldm"])
        try folder.write("taken", "x")
        #expect(throws: PipelineError.self) { try encoding.write(to: folder("taken")) }
        #expect(try folder.names() == ["ldm", "taken"])
    }

    @Test func whatDoesNotFitIsRefused() throws {
        var data = digits
        data.size = 15
        #expect {
            try LatentEncoding(data, autoencoder: model("ldm"))
        } throws: {
            "\($0)".contains("multiple of 4")
        }
        data.kind = .points
        #expect(throws: RecipeError.self) { try LatentEncoding(data, autoencoder: model("ldm")) }
        #expect(throws: PipelineError.self) { try LatentEncoding(digits, autoencoder: folder("nowhere")) }
    }

    /// The shift of an autoencoder's latents can lie in its weights, where every pipeline finds it.
    @Test func aShiftMovesIntoTheWeights() throws {
        var configuration = AutoencoderKLConfiguration()
        configuration.coder.blockOutChannels = [8, 8]
        configuration.coder.downBlockTypes = [.plain, .plain]
        configuration.coder.upBlockTypes = [.plain, .plain]
        (configuration.coder.normNumGroups, configuration.shiftFactor) = (4, 0.7)
        let generator = RandomGenerator(seed: 5)
        let store = ParameterStore(.initialized(generator))
        let network = try store.build { try AutoencoderKL(configuration, $0) }
        try network.write(store, to: ModelFolder(folder("shifted")))
        let shifted = try StoredAutoencoder(folder("shifted"))
        let plain = try shifted.withoutShift()
        #expect(try plain.scaling() == LatentScaling(factor: 0.18215))
        let (one, other) = try (shifted.network(), plain.network())
        let pictures = generator.normal([2, 3, 8, 8])
        expectClose(
            other.latentScaling.scaled(other.moments(of: pictures).mean),
            one.latentScaling.scaled(one.moments(of: pictures).mean), absolute: 1e-6)
        expectClose(
            try #require(other.moments(of: pictures).deviation),
            try #require(one.moments(of: pictures).deviation), absolute: 1e-6)
        let latents = generator.normal([2, 4, 4, 4])
        expectClose(
            other.decode(other.latentScaling.unscaled(latents)),
            one.decode(one.latentScaling.unscaled(latents)), ofLargest: 1e-5)
    }
}
