import Tensors

/// Exactly solvable models: Gaussian mixtures under any process.
package struct ExactAssembly: Assembly {
    let model: AnalyticModel
    let elementType: ElementType
    let device: Device

    package var name: String { model.name }
    package var classCount: Int? { model.partCount }
    package var takesPrompt: Bool { false }

    /// - Throws: `PipelineError` where an option has no meaning for an exact model.
    package init(_ model: AnalyticModel, _ options: ModelOptions) throws {
        let given: [(RequestField, Bool)] = [
            (.prediction, options.prediction != nil), (.isStrict, options.isStrict),
            (.configurations, options.configurations != nil), (.variant, options.variant != nil),
            (.memory, options.memory != MemoryOptions()),
        ]
        if let field = given.first(where: \.1)?.0 {
            throw PipelineError(
                "\(field): \(model.name) is an exact model, which says its prediction itself and is no checkpoint: leave it out"
            )
        }
        guard options.elementType == .float32 || options.elementType == .float64 else {
            throw PipelineError(
                "\(.elementType) is \(options.elementType.name): analytic models compute in float32 or float64"
            )
        }
        (self.model, elementType, device) = (model, options.elementType, options.device)
    }

    package func stages(_ request: Request) throws -> [any Stage] { [try ExactStage(self, request)] }
}
