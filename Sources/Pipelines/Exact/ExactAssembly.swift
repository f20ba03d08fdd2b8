import Tensors

/// Exactly solvable models: Gaussian mixtures under any process.
package struct ExactAssembly: Assembly {
    let model: AnalyticModel
    let elementType: ElementType
    let device: Device

    package var name: String { model.name }
    package var classCount: Int? { model.partCount }
    package var takesPrompt: Bool { false }

    /// Opens the file of a model.
    /// - Throws: `PipelineError` where an option has no meaning for an exact model; errors about the file.
    package init(contentsOf path: String, _ options: ModelOptions) throws {
        let given: [(RequestField, Bool)] = [
            (.prediction, options.prediction != nil), (.isStrict, options.isStrict),
            (.configurations, options.configurations != nil), (.variant, options.variant != nil),
            (.memory, options.memory != MemoryOptions()),
        ]
        if let field = given.first(where: \.1)?.0 {
            throw PipelineError(
                "\(path) is an exact model, which says its prediction itself and is no checkpoint: leave out \(field)"
            )
        }
        guard options.elementType == .float32 || options.elementType == .float64 else {
            throw PipelineError(
                "\(.elementType) is \(options.elementType.name): analytic models compute in float32 or float64"
            )
        }
        model = try AnalyticModel(contentsOf: path)
        (elementType, device) = (options.elementType, options.device)
    }

    package func stages(_ request: Request) throws -> [any Stage] { [try ExactStage(self, request)] }

    /// The exact model of all its Gaussians, in float64.
    package func bare() -> BareModel {
        var bare = BareModel(
            name: model.name, process: model.process.process, sampleShape: [model.mixture.dimension],
            elementType: .float64, device: device
        ) { [model] _, _ in model.denoiser() }
        bare.mixture = model.mixture
        return bare
    }
}
