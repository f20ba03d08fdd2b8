import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage
import Tensors

/// Latents with a class, by a transformer (DiT).
/// Source: Peebles & Xie 2023 (arXiv:2212.09748).
package struct DiffusionTransformer: LatentAssembly {
    package static let classNames = ["DiTPipeline"]
    package static let family = "dit"
    package static let networkComponent = ModelComponent.transformer
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { DiT.self }
    package static func trainedIndex(
        _ network: any DenoisingNetwork.Type, _ card: ModelCard, isText: Bool
    ) -> JSONObject? {
        guard network == DiT.self, !isText else { return nil }
        let names = (card.classNames ?? []).enumerated().map {
            (String($0.offset), JSONValue.string($0.element))
        }
        return ["_class_name": "DiTPipeline", "id2label": .object(JSONObject(names))]
    }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualGuidance(_ task: LatentTask) -> Double { 4 }

    // diffusers' pipeline hands over no η, and so leaves it to the scheduler.
    package func usualEta(_ scheduler: SchedulerConfiguration) -> Double? { nil }

    // diffusers' pipeline leaves out the scheduler's scale.
    package func start(_ unit: Tensor, _ sampler: Sampler) -> Tensor { unit }

    package func conditions(of stage: LatentStage, _ say: @escaping (Sentence) -> Void)
        -> BranchConditions
    {
        BranchConditions(
            wanted: Conditions(labels: stage.networkLabels.map(stage.labelTensor)),
            unwanted: stage.leavesUnconditional ? stage.nullLabels.map { Conditions(labels: $0) } : nil)
    }
}
