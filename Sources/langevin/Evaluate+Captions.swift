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
        let given = [("--clip", clip != nil), ("--sweep", !sweep.isEmpty), ("--plot", plot != nil)]
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
        var reports: [(scale: Double, report: CaptionReport)] = []
        for scale in sweep.isEmpty ? [sampling.guidance] : sweep.map(Optional.some) {
            var own = request
            (own.prompts, own.count, own.classes) = (rows.map { captions[$0] }, rows.count, nil)
            own.guidance = scale
            let run = try model.run(own)
            let samples = try pictures(of: run).to(.cpu).to(.float32).clamped(to: -1...1)
            let report = try evaluator.report(
                samples: samples, of: rows, labels: labels, contrastive: contrastive)
            reports.append((run.settings[0].guidance.scale, report))
        }
        try printReports(reports)
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

    private func printReports(_ reports: [(scale: Double, report: CaptionReport)]) throws {
        if let plot { try Self.plot(of: reports).write(to: plot) }
        guard json else {
            let texts = reports.map { scale, report in
                (reports.count > 1 ? "guidance \(scale)\n" : "") + report.text
            }
            return try printResult(texts.joined(separator: "\n\n"))
        }
        guard reports.count > 1 else { return try printJSON(reports[0].report) }
        try printJSON(Dictionary(uniqueKeysWithValues: reports.map { ("\($0.scale)", $0.report) }))
    }

    /// The figures over the scale of guidance: shares found above, the Fréchet distance below.
    private static func plot(of reports: [(scale: Double, report: CaptionReport)]) -> Picture {
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
