import Checkpoints
import Datasets
import Evaluation
import Pictures
import Pipelines
import Tensors
import Training

extension Evaluate {
    /// The data with the captions of their files; `nil` where these have none.
    func captioned(_ section: Recipe.DataSection) -> (any Dataset)? {
        var section = section
        guard section.kind.holdsCaptions else { return nil }
        section.captions = .file
        return (try? section.open(.all)).flatMap { $0.captions.isEmpty || !$0.hasPictures ? nil : $0 }
    }

    /// Throws where an option is given that only a comparison by captions reads.
    func refuseCaptionOptions() throws {
        let given = [
            ("--clip", clip != nil), ("--sweep", !sweep.isEmpty), ("--plot", plot != nil),
            ("--compare-embeddings", compareEmbeddings),
        ]
        guard let option = given.first(where: \.1)?.0 else { return }
        throw PipelineError(
            "\(option) is for models that draw from texts, compared with data whose files have captions: leave it out"
        )
    }

    /// Draws pictures from the captions of data, and compares them with the pictures that have these captions: at each
    /// scale of guidance, where several are given.
    /// - Parameters:
    ///   - model: a model that is conditioned on texts.
    ///   - data: the data with captions, all of them.
    ///   - request: what is drawn, but for prompts and count.
    func compareCaptions(
        _ model: Model, _ data: any Dataset, _ section: Recipe.DataSection, _ request: Request
    ) throws {
        let all = try data.batch(at: Array(0..<data.count))
        let captions = (all.captions ?? []).map { $0.first ?? "" }
        guard captions.count > 1 else {
            throw PipelineError("\(against) holds \(captions.count) picture: a comparison needs more")
        }
        let judge = try clip.map { try ContrastiveModel(ModelFolder(Self.folder(ofCLIP: $0))) }
        if let judge, judge.pictureShape[0] != all.data.shape[1] {
            throw PipelineError(
                "--clip \(judge.name) takes pictures of \(judge.pictureShape[0]) channels, and the model makes such of \(all.data.shape[1]): give a CLIP of these pictures"
            )
        }
        let rows = data.evenlySpread(count)
        let labels =
            try data.classNames == nil
            ? nil : all.labels.map { $0.gathered(Tensor(rows.map(Int64.init))) }
        let evaluator = try captionEvaluator(all.data, captions, section)
        let contrastive = try judge.map { judge in
            try evaluator.judge(
                of: rows, pictures: { judge.embeddings(ofPictures: $0) },
                texts: { judge.embeddings(ofTexts: $0) })
        }
        var reports: [Measured] = []
        for variant in variants(of: request) {
            var own = variant.request
            (own.prompts, own.count, own.classes) = (rows.map { captions[$0] }, rows.count, nil)
            let run = try model.run(own)
            let samples = try pictures(of: run).to(.cpu).to(.float32).clamped(to: -1...1)
            let report = try evaluator.report(
                samples: samples, of: rows, labels: labels, contrastive: contrastive)
            let scale = run.mainSettings.guidance.scale
            reports.append(
                Measured(
                    heading: variant.heading ?? "guidance \(scale)", key: variant.key ?? "\(scale)",
                    scale: scale, report: report))
        }
        try printReports(reports)
    }

    /// Figures, and what they are of.
    struct Measured {
        let heading: String
        let key: String
        let scale: Double
        let report: CaptionReport
    }

    /// What is measured of a model, one after the other: scales of guidance, or what a decoder of embeddings is given.
    private func variants(of request: Request) -> [(request: Request, heading: String?, key: String?)] {
        func changed(_ change: (inout Request) -> Void) -> Request {
            var own = request
            change(&own)
            return own
        }
        guard compareEmbeddings else {
            let scales = sweep.isEmpty ? [sampling.guidance] : sweep.map(Optional.some)
            return scales.map { scale in (changed { $0.guidance = scale }, nil, nil) }
        }
        let headings: [(Request.Embeddings.Origin, String)] = [
            (.none, "the text alone"), (.text, "CLIP's embedding of the text"),
            (.prior, "the prior's embedding"),
        ]
        return headings.filter { $0.0 != .prior || prior.prior != nil || prior.hasPriorOptions }.map {
            origin, heading in
            (
                changed { own in
                    own.embeddings.origin = origin
                    guard origin != .prior else { return }
                    // Options of the prior have no part where there is none.
                    own.embeddings.prior = nil
                    (own.priorSteps, own.priorGuidance, own.embeddings.candidates) = (nil, nil, nil)
                }, heading, origin.rawValue
            )
        }
    }

    /// The folder of a CLIP: a run's model, or the folder itself.
    private static func folder(ofCLIP path: String) throws -> String {
        guard let (kind, folder) = try EvaluatedKind.of(path),
            kind.classNames == EvaluatedKind.clip.classNames
        else { throw PipelineError("--clip \(path) is no CLIP: give a run of one, or its folder") }
        return folder.path
    }

    private func captionEvaluator(
        _ pictures: Tensor, _ captions: [String], _ section: Recipe.DataSection
    ) throws -> CaptionEvaluator {
        let (training, heldOut) = try (section.open(.train), section.open(.evaluation))
        var judge: Evaluator?
        if training.classCount ?? 0 > 1, training.count > 4 * PictureClassifier.featureCount {
            let found = try Evaluator(training: training, heldOut: heldOut)
            for sentence in found.cautions(samples: min(count, captions.count)) {
                say("warning: \(sentence)")
            }
            judge = found
        } else {
            say(
                "note: \(training.count) pictures in \(training.classCount ?? 0) classes are too few for a classifier, so there is no Fréchet distance"
            )
        }
        return try CaptionEvaluator(pictures: pictures, captions: captions, evaluator: judge)
    }

    private func printReports(_ reports: [Measured]) throws {
        if let plot { try Self.plot(of: reports).write(to: plot) }
        guard json else {
            let texts = reports.map { measured in
                (reports.count > 1 ? "\(measured.heading)\n" : "") + measured.report.text
            }
            return try printResult(texts.joined(separator: "\n\n"))
        }
        guard reports.count > 1 else { return try printJSON(reports[0].report) }
        try printJSON(Dictionary(uniqueKeysWithValues: reports.map { ($0.key, $0.report) }))
    }

    /// The figures over the scale of guidance: shares found above, the Fréchet distance below.
    private static func plot(of reports: [Measured]) -> Picture {
        func series(_ name: String, _ value: (CaptionReport) -> Double?) -> Plot.Series? {
            let points = reports.compactMap { entry in value(entry.report).map { (entry.scale, $0) } }
            guard !points.isEmpty else { return nil }
            return Plot.Series(name, x: points.map(\.0), y: points.map(\.1), style: .markedLine)
        }
        let shares = [
            series("right picture, by its look") { $0.look.first.value },
            series("right caption, by the CLIP") { $0.contrastive?.first.value },
        ].compactMap(\.self)
        let distances = [series("") { $0.frechetDistance?.value }].compactMap(\.self)
        let plots =
            [
                Plot(
                    shares, title: "First of \(CaptionEvaluator.candidateCount) candidates",
                    xLabel: "scale of guidance", yLabel: "share")
            ]
            + (distances.isEmpty
                ? []
                : [
                    Plot(
                        distances, title: "Fréchet distance to the data", xLabel: "scale of guidance",
                        yLabel: "distance")
                ])
        return Sheet(columns: 1, padding: 0).picture(of: plots.map { $0.picture(width: 900, height: 420) })
    }
}
