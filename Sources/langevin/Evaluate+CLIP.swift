import Datasets
import Evaluation
import Networks
import Pipelines
import Tensors
import Training

extension EvaluatedKind {
    /// A CLIP, by finding pictures and captions of each other, and classes by their names.
    static let clip = EvaluatedKind(classNames: [CLIP.className]) { command, folder in
        try command.refuseSampling("\(command.model) draws no samples", reads: [])
        let device = try command.compute.open()
        let model = try ContrastiveModel(folder, elementType: command.compute.dtype, on: device)
        let data = try command.heldOut(shape: model.pictureShape) { try $0.openCaptioned($1) }
        let batch = try data.batch(at: data.evenlySpread(command.count))
        let captions = (batch.captions ?? []).map { $0.isEmpty ? [""] : $0 }
        let classes = try data.classNames.flatMap { names in
            try batch.labels.map { (labels: try $0.array(of: Int.self), names: names) }
        }
        let report = try ContrastiveReport(
            pictures: model.embeddings(ofPictures: batch.data), captions: captions, classes: classes,
            embedding: model.embeddings(ofTexts:))
        try command.printReport(report, report.text)
    }
}
