import Diffusion
import Networks
import Tensors

// What every kind of model checks of a request.

extension Request {
    /// Throws where no model could meet the request.
    /// - Parameter most: the most samples in one call.
    func checkRanges(most: Int = 1_000_000) throws {
        guard (1...most).contains(count) else {
            throw PipelineError("\(.count) is \(count): it must be from 1 to \(most)")
        }
        guard (1...1_000_000).contains(deepFeatureInterval) else {
            throw PipelineError(
                "\(.deepFeatureInterval) is \(deepFeatureInterval): give a number from 1 (all calls run all layers)"
            )
        }
        guard (batchSize ?? 1) > 0 else {
            throw PipelineError("\(.batchSize) is \(batchSize ?? 1): give a number above 0")
        }
        guard weighsWords || weightNormalization == .a1111 else {
            throw PipelineError(
                "\(.weightNormalization) is about weights in prompts: add \(.weighsWords), or leave it out")
        }
        try checkNoise()
        if let eta, !(0...1).contains(eta) {
            throw PipelineError(
                "\(.eta) is \(eta): it must lie between 0 (deterministic) and 1 (ancestral)")
        }
    }

    static func check(steps: Int) throws {
        guard (1...StepGrid.maximalCount).contains(steps) else {
            throw PipelineError("\(.steps) is \(steps): give 1 to \(StepGrid.maximalCount)")
        }
    }

    static func check(guidance: Double) throws {
        guard Float(guidance).isFinite else {
            throw PipelineError("\(.guidance) is \(guidance): give a number that single precision holds")
        }
    }

    /// Throws where tensors that a request brings along cannot be samples.
    /// - Parameter field: where they are from.
    static func check(initial: Tensor, _ field: RequestField = .initial) throws {
        try initial.rethrow()
        let isFloating = initial.elementType.isFloatingPoint
        guard isFloating, try initial.isFinite().all().item(Bool.self) else {
            throw PipelineError(
                "\(field) must hold finite floating-point numbers: it holds \(initial.elementType.name)\(isFloating ? " and some are not finite" : "")"
            )
        }
    }

    /// Throws where deep layers are to be reused and a network has none apart from the others.
    func checkDeepFeatures(of network: NetworkConfiguration) throws {
        guard deepFeatureInterval > 1, !network.hasDeepFeatures else { return }
        throw PipelineError(
            "\(.deepFeatureInterval): a \(network.className) has no deep layers apart from the others, only U-Nets have: leave it out"
        )
    }

    /// A place for deep features, one for each batch; none where all calls run all layers.
    var deepFeatures: DeepFeatures? {
        deepFeatureInterval > 1 ? DeepFeatures(every: deepFeatureInterval) : nil
    }

    /// Throws where a side of pictures cannot be; the sentence names the nearest one that can.
    /// - Parameters:
    ///   - origin: where a side is from that the request does not give.
    ///   - noun: what the multiple is of.
    func check(height: Int, width: Int, from origin: Sentence, multiple: Int, of noun: String) throws {
        let sides: [(RequestField, Int, Int?)] = [
            (.height, height, self.height), (.width, width, self.width),
        ]
        for (field, extent, given) in sides {
            guard (1...16_384).contains(extent), extent % multiple == 0 else {
                let nearest = max(multiple, (min(extent, 16_384) + multiple / 2) / multiple * multiple)
                let side: Sentence = given == nil ? "the \(field.name) of \(origin)" : "\(field)"
                throw PipelineError(
                    "\(side) is \(extent): it must be a multiple of \(multiple) for this \(noun), such as \(min(nearest, 16_384 / multiple * multiple))"
                )
            }
        }
    }

    /// The class of each picture, of so many classes.
    func labels(of classes: Int, model: String) throws -> [Int] {
        switch self.classes {
        case .one(let label):
            guard (0..<classes).contains(label) else {
                throw PipelineError("\(.classes) is \(label): \(model) has classes 0 to \(classes - 1)")
            }
            return Array(repeating: label, count: count)
        case .all:
            guard count >= classes else {
                throw PipelineError(
                    "\(count) pictures are fewer than one of each of the \(classes) classes of \(model): \(.count) must be \(classes) at least"
                )
            }
            return (0..<count).map { $0 * classes / count }
        case nil:
            throw PipelineError(
                "\(model) is conditioned on a class: add \(.classes) 0 to \(classes - 1), or \(.classes) all")
        }
    }

    /// The prompt of each picture.
    func promptOfEach() throws -> [String] {
        let prompts = prompts ?? [""]
        guard prompts.count == 1 || prompts.count == count else {
            throw PipelineError(
                "\(prompts.count) prompts were given for \(count) pictures: give one for each, or one for all"
            )
        }
        return (0..<count).map { prompts[$0 % prompts.count] }
    }
}
