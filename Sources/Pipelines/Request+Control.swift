import Pictures
import Tensors

extension Request {
    /// A control network with the picture that it is given.
    public struct Control: Sendable {
        /// What a control network reads.
        public enum Input: Sendable {
            /// A picture, which is brought to the size of those that are made.
            case picture(Picture)
            /// Numbers of that size, `[1 or 3, height, width]`, which need not lie between 0 and 1.
            case numbers(Tensor)
        }

        /// The network.
        public var network: ControlModel
        /// What it reads.
        public var input: Input
        /// What its control is multiplied with.
        public var scale = 1.0
        /// The share of the steps before which it adds nothing.
        public var start = 0.0
        /// The share of the steps after which it adds nothing.
        public var end = 1.0
        /// The file that the picture came from, for the receipt.
        public var file: InputFile?

        /// A control network at its full strength, in all steps.
        public init(_ network: ControlModel, _ input: Input) {
            (self.network, self.input) = (network, input)
        }

        /// Height and width of the picture.
        var size: Size {
            switch input {
            case .picture(let picture): Size(height: picture.height, width: picture.width)
            case .numbers(let tensor): Size(height: tensor.shape[1], width: tensor.shape[2])
            }
        }
    }

    /// Throws where controls have no meaning, or do not go with the rest of the request.
    func checkControls() throws {
        for control in controls {
            guard Float(control.scale).isFinite else {
                throw PipelineError(
                    "\(.controlScale) is \(control.scale): give a number that single precision holds")
            }
            guard control.start >= 0, control.start < control.end, control.end <= 1 else {
                throw PipelineError(
                    "\(.controlStart) is \(control.start) and \(.controlEnd) is \(control.end): give shares of the steps from 0 to 1, the first below the second"
                )
            }
            if case .numbers(let tensor) = control.input {
                try Request.check(initial: tensor, .control)
                guard tensor.rank == 3, [1, 3].contains(tensor.shape[0]), tensor.shape.elementCount > 0 else {
                    throw PipelineError(
                        "\(.control) holds a tensor of shape \(tensor.shape): give [1 or 3, height, width]")
                }
            }
        }
        guard !controls.isEmpty else {
            guard !guessMode else {
                throw PipelineError("\(.guessMode) is about control networks: add \(.controls)")
            }
            return
        }
        let others: [(RequestField, Bool)] = [
            (.deepFeatureInterval, deepFeatureInterval != 1), (.guide, guide != nil),
            (.inverts, inverts), (.refiner, refiner != nil),
        ]
        if let field = others.first(where: \.1)?.0 {
            throw PipelineError("\(field) does not go with \(.controls): leave out one of them")
        }
    }
}
