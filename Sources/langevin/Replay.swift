import ArgumentParser
import Foundation
import Pictures
import Pipelines
import Storage

/// A picture that is made again: the command line that its receipt describes is run, and the pictures are compared.
///
/// Before the first step the receipt of the new run is held against the old one, so that nothing which had a part in the picture
/// is left out.
struct Replay {
    let path: String
    let receipt: Receipt
    /// Where models and files are, and what the new picture is written to.
    let given: Generate

    /// Reads the receipt of a picture.
    /// - Throws: `PipelineError` where it has none, or where options are given that say something else than it does.
    init(of path: String, by command: Generate) throws {
        (self.path, given) = (path, command)
        let texts = Dictionary(
            try Picture.texts(of: URL(file: path)).map { ($0.keyword, $0.text) },
            uniquingKeysWith: { first, _ in first })
        guard let text = texts["langevin"] else {
            let maker = PictureSettings(texts: texts)?.program
            throw PipelineError(
                maker.map {
                    "\(path) was made by \($0), whose texts do not hold all that decides a picture: 'langevin inspect' shows what they say, for options of 'langevin generate'"
                } ?? "\(path) holds no receipt of this program")
        }
        guard let receipt = try? JSONDecoder().decode(Receipt.self, from: Data(text.utf8)) else {
            throw PipelineError(
                "\(path): its receipt is not one of 'generate' or 'sample', which alone make a picture again")
        }
        self.receipt = receipt
        try Self.checkOptions()
        if let output = command.output {
            try SampleOutput.checkPicture(output)
            guard output != path else {
                throw PipelineError("\(output) is the picture itself: give the new one another name")
            }
        }
    }

    /// The options that go with `--replay`: where things are, and how the answer is given.
    private static let locations = [
        "--replay", "--any-model", "--model", "--output", "-o", "--json", "--image", "--image-to", "--prior",
        "--mask", "--depth",
        "--original",
        "--initial",
        "--refiner", "--then", "--guide", "--classifier", "--noisy-clip", "--config", "--variant", "--vae",
        "--device",
        "--threads", "--lora", "--lora-folder", "--embedding", "--controlnet", "--adapter", "--control",
        "--ip-adapter", "--ip-image", "--ip-encoder",
    ]

    private static func checkOptions() throws {
        let declared = try CommandDeclarations(of: Generate.self)
        for word in CommandLine.arguments.dropFirst(2) {
            let name = String(word.prefix { $0 != "=" })
            if declared[name] != nil, !locations.contains(name) {
                throw PipelineError(
                    "\(name): --replay takes all but models and files from the picture: leave it out")
            }
        }
    }

    // MARK: Running

    func run() throws {
        let aside = FileManager.default.temporaryDirectory.appending(
            path: "langevin-replay-\(Files.uniqueName())")
        try FileManager.default.createDirectory(at: aside, withIntermediateDirectories: false)
        defer { try? Files.remove(aside.path) }
        let format = try Picture.header(of: URL(file: path)).format
        let made = aside.appending(path: "again.\(format.rawValue)").path
        var run = try prepared(writing: made, aside: aside.path)
        run.check = { try check($0) }
        var summary = try run.execute().summary
        let difference = try difference(made)
        (summary.files, summary.difference) = ([], difference)
        if let output = given.output {
            try write(made, format, to: output)
            summary.files = [output]
        }
        if given.json { return try printJSON(summary) }
        try printResult(
            difference == 0
                ? "\(path): the same picture" : "\(path): the largest difference is \(difference)/255")
    }

    /// The run of the receipt. What the model decides itself is left to it; where it decides otherwise than the receipt says,
    /// the receipt's word is given.
    private func prepared(writing output: String, aside: String) throws -> SamplingRun {
        let (options, alone) = try words(aside: aside)
        var words = options + ["--output", output]
        var left = try choices()
        func run(adding more: [String] = []) throws -> SamplingRun {
            try prepared(words + more + ["--"] + alone)
        }
        // The run of the words so far; `nil` where they are refused, as a way of guidance is without a class and a scale.
        var known = try? run()
        let guiding = left.prefix(2).flatMap(\.words)
        if known == nil, let guided = try? run(adding: guiding) {
            (words, known) = (words + guiding, guided)
            left.removeFirst(2)
        }
        // What else one choice needs another may bring: so all are looked at twice.
        for _ in 0..<2 {
            left.removeAll { choice in
                if let known, !choice.isOther(known.run) { return false }
                let next = try? run(adding: choice.words)
                guard known != nil || next != nil else { return false }
                (words, known) = (words + choice.words, next)
                return true
            }
        }
        return try known ?? run()
    }

    private func prepared(_ words: [String]) throws -> SamplingRun {
        let isText = receipt.prompt != nil
        let line = try CommandWords(words, of: isText ? Generate.self : Sample.self)
        return isText
            ? try Generate.parse(line.arguments).prepared() : try Sample.parse(line.arguments).prepared()
    }

    /// What a model decides where the request does not.
    private func choices() throws -> [(words: [String], isOther: (Run) -> Bool)] {
        let receipt = receipt
        let (width, height) = (receipt.width, receipt.height)
        let hasSize = receipt.then == nil
        func size(_ run: Run, _ dimension: Int, _ extent: Int) -> Bool {
            hasSize && run.lastSettings.pictureShape.map { $0[dimension] != extent } ?? false
        }
        return [
            (["--guidance=\(receipt.guidance)"], { $0.mainSettings.guidance.scale != receipt.guidance }),
            // Where no class is named, the receipt may have the class that stands for none.
            (try classes(), { $0.mainSettings.labels != receipt.classes }),
            (
                ["--prediction=\(receipt.prediction)"],
                { $0.mainSettings.process.parameterization.output.word != receipt.prediction }
            ),
            (
                ["--solver=\(receipt.solver)"],
                { ($0.mainSettings.words.method ?? $0.mainSettings.words.process) != receipt.solver }
            ),
            (["--grid=\(receipt.grid)"], { $0.mainSettings.words.grid != receipt.grid }),
            (["--steps=\(receipt.steps)"], { $0.mainSettings.steps != receipt.steps }),
            (["--eta=\(receipt.eta)"], { ($0.mainSettings.sampler.solver.noiseShare ?? 0) != receipt.eta }),
            (["--width=\(width)"], { size($0, 2, width) }), (["--height=\(height)"], { size($0, 1, height) }),
        ]
    }

    /// Throws where the run that is about to begin is another one.
    private func check(_ found: Receipt) throws {
        if !given.anyModel, let (what, was, now) = digests(receipt, found).first(where: { $0.was != $0.now })
        {
            throw PipelineError(
                "\(path): \(what) had the sha256 \((was ?? "none").prefix(10)), and what is there now has \((now ?? "none").prefix(10)): say where the right one is, or add --any-model"
            )
        }
        if let key = try Self.difference(receipt, found) {
            throw PipelineError(
                "\(path): '\(key)' of its receipt would not be the same, so the picture cannot be made again")
        }
    }

    /// The digests of all that had a part in a picture, in two receipts.
    private func digests(_ old: Receipt, _ new: Receipt) -> [(what: String, was: String?, now: String?)] {
        let rows: [(String, (Receipt) -> String?)] = [
            ("the model \(old.model)", { $0.modelHash }),
            ("the configurations of \(old.model)", { $0.configurationHash }),
            ("the refiner", { $0.refiner?.modelHash }), ("the guide", { $0.guide?.modelHash }),
            ("the classifier", { $0.classifier?.modelHash }), ("the CLIP", { $0.noisyCLIP?.modelHash }),
            ("the models after it", { $0.then.map { $0.map(\.modelHash).joined(separator: " ") } }),
            ("the adapters", { $0.loras.map { $0.map(\.sha256).joined(separator: " ") } }),
            ("the embeddings", { $0.embeddings.map { $0.map(\.sha256).joined(separator: " ") } }),
            (
                "the pictures of --control",
                { $0.controls.map { $0.map { $0.picture?.sha256 ?? "" }.joined(separator: " ") } }
            ),
            (
                "the IP-Adapters",
                { $0.imagePrompts.map { $0.map(\.sha256).joined(separator: " ") } }
            ),
            (
                "the pictures of --ip-image",
                { $0.imagePrompts.map { $0.flatMap(\.images).map(\.sha256).joined(separator: " ") } }
            ),
            ("the files of weights", { $0.weights.map(\.sha256).sorted().joined(separator: " ") }),
            ("the file of --initial", { $0.initial?.sha256 }), ("the file of --image", { $0.image?.sha256 }),
            ("the file of --mask", { $0.mask?.sha256 }),
            ("the file of --image-to", { $0.imageTo?.sha256 }), ("the file of --depth", { $0.depth?.sha256 }),
            ("the file of --original", { $0.original?.sha256 }),
        ]
        return rows.map { ($0.0, $0.1(old), $0.1(new)) }
    }

    /// The first key whose values differ, but for those that name the program, the machine and files.
    private static func difference(_ first: Receipt, _ second: Receipt) throws -> String? {
        func facts(_ receipt: Receipt) throws -> [String: NSObject] {
            let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(receipt))
            let all = object as? [String: NSObject] ?? [:]
            return all.filter { !looseKeys.contains($0.key) }
        }
        let (first, second) = (try facts(first), try facts(second))
        return Set(first.keys).union(second.keys).sorted().first { first[$0] != second[$0] }
    }

    private static let looseKeys: Set<String> = [
        "program", "threads", "device", "model", "model_hash", "configuration_hash", "weights", "config",
        "refiner", "guide",
        "classifier", "noisy_clip", "then", "initial", "image", "image_to", "prior", "mask", "depth",
        "original", "loras", "embeddings", "controls", "ip_adapters",
    ]

    // MARK: Pictures

    /// The largest difference between the picture and the new one, in 1/255.
    private func difference(_ made: String) throws -> Int {
        let (old, new) = (try Picture(contentsOf: URL(file: path)), try Picture(contentsOf: URL(file: made)))
        guard old.width == new.width, old.height == new.height, old.channels == new.channels else {
            throw PipelineError(
                "\(path) has \(old.width)×\(old.height) pixels, and what its receipt describes has \(new.width)×\(new.height): it was changed since"
            )
        }
        return zip(old.pixels, new.pixels).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
    }

    private func write(_ made: String, _ format: PictureFormat, to output: String) throws {
        let url = URL(file: made)
        if PictureFormat(fileExtension: URL(file: output).pathExtension) == format {
            try Files.replace(output, with: Data(contentsOf: url))
        } else {
            try Picture(contentsOf: url).write(to: URL(file: output), texts: Picture.texts(of: url))
        }
    }
}
