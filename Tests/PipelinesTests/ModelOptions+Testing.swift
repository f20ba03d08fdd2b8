import Diffusion
import Pipelines
import Tensors

extension ModelOptions {
    /// Options with an element type or another prediction.
    init(_ elementType: ElementType = .float32, prediction: Prediction? = nil) {
        self.init()
        (self.elementType, self.prediction) = (elementType, prediction)
    }
}

extension Model {
    /// The pictures of given latents.
    func pictures(of latents: Tensor, _ request: Request) throws -> Tensor {
        let stages = try assembly.stages(request)
        return try stages[stages.count - 1].pictures(of: latents) { _ in }
    }
}
