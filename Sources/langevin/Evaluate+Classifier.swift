import Diffusion
import Evaluation
import Pipelines
import Tensors

extension EvaluatedKind {
    /// A classifier of noisy pictures, by how many it gets right at each amount of noise.
    static let classifier = EvaluatedKind(classNames: Set(NoisyClassification.classNames)) {
        command, folder in
        try command.refuseSampling("\(command.model) draws no samples", reads: ["--seed"])
        let device = try command.compute.open()
        var options = ModelOptions()
        (options.elementType, options.device) = (command.compute.dtype, device)
        let model = try NoisyClassification(ModelSource(folder.path, options), options)
        let data = try command.heldOut(shape: model.sampleShape) { try $0.open($1) }
        guard data.classCount == model.classifiedCount else {
            throw PipelineError(
                "\(command.against) has \(data.classCount ?? 0) classes, and \(model.name) tells \(model.classifiedCount ?? 0) apart: give data of the same classes"
            )
        }
        let network = model.network
        let report = try ClassifierReport(
            ClassificationObjective(model.process), on: data, indices: data.evenlySpread(command.count),
            device: device, seed: command.sampling.seed?.value ?? 0
        ) { x, time in network(x.to(options.elementType), time: time) }
        try command.printReport(report, report.text)
    }
}
