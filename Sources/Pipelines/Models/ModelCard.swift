import Diffusion

/// What a trained model knows of its own use, beside the diffusers layout: `langevin.json`.
public struct ModelCard: Codable, Sendable, Equatable {
    /// The names of the classes, in the order of their numbers; an empty list where the model was trained on none.
    public var classNames: [String]?
    /// The class that stands for none, where the model was trained with one.
    public var nullClass: Int?
    /// The solver to sample with, where it is not the scheduler's own.
    public var solver: Method?
    /// The number of steps to sample with.
    public var steps: Int?
    /// The guidance to sample with.
    public var guidance: Double?
    /// Height and width of pictures, where the network does not say.
    public var height: Int?
    /// Width of pictures.
    public var width: Int?

    /// A card that says nothing.
    public init() {}

    enum CodingKeys: String, CodingKey {
        case solver, steps, guidance, height, width
        case classNames = "class_names"
        case nullClass = "null_class"
    }

    static let fileName = "langevin.json"
}
