import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage
import Tensors

/// Latents of a quantised or any other autoencoder, with a class or without: a class is what the U-Net attends to, or has
/// a table in the U-Net itself, which diffusers' pipeline does not fill.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), appendix D.
package struct LatentDiffusion: LatentAssembly {
    package static let classNames = ["LDMPipeline"]
    package static let family = "ldm"
    package static let autoencoderComponent = ModelComponent.vqvae
    package static let readsClassTable = true
    package static let fillsLabels = true
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type {
        readsClassTable ? UNet2DCondition.self : UNet2D.self
    }
    package static func networks(readsClassTable: Bool) -> [any DenoisingNetwork.Type] {
        readsClassTable ? [UNet2DCondition.self] : [UNet2D.self, UNet2DCondition.self]
    }
    package static func trainedIndex(
        _ network: any DenoisingNetwork.Type, _ card: ModelCard, isText: Bool
    ) -> JSONObject? {
        let isOne = networks(readsClassTable: false).contains { $0 == network }
        return isOne && !isText ? ["_class_name": .string(classNames[0])] : nil
    }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func conditionParts(of stage: LatentStage) -> [ModelComponent] {
        model.classes == nil ? [] : [.classEmbedder]
    }

    package func checkConditions(of stage: LatentStage) throws {
        if model.classes != nil { try model.source.check(ClassEmbedder.self, .classEmbedder) }
    }

    package func conditions(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws
        -> BranchConditions
    {
        if model.network.labels != nil {
            return BranchConditions(
                wanted: Conditions(
                    labels: stage.networkLabels.map(stage.labelTensor) ?? stage.nullLabels),
                unwanted: stage.leavesUnconditional ? stage.nullLabels.map { Conditions(labels: $0) } : nil)
        }
        guard model.classes != nil else {
            guard !stage.leavesUnconditional || stage.settings.guides.classifier != nil else {
                throw PipelineError("\(name) knows no classes to guide to: leave out \(.guidance)")
            }
            return BranchConditions(wanted: Conditions())
        }
        let table = try model.source.build(
            ClassEmbedder.self, .classEmbedder, elementType: model.elementType, on: model.device)
        return BranchConditions(
            wanted: Conditions(context: stage.networkLabels.map { table(stage.labelTensor($0)) }),
            unwanted: stage.leavesUnconditional
                ? stage.nullLabels.map { Conditions(context: table($0)) } : nil)
    }
}
