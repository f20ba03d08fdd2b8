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
    /// The grid to sample on, where it is not the scheduler's own; another number of steps leaves it out.
    public var grid: Grid?
    /// The guidance to sample with.
    public var guidance: Double?
    /// How that guidance grows over the steps, where it does.
    public var guidanceSchedule: GuidanceSchedule?
    /// What the noise of the start is multiplied with.
    public var temperature: Double?
    /// Whether the noise of an estimate follows data that were cut off, as in OpenAI's code; diffusers leaves it as it was.
    public var recomputesNoise: Bool?
    /// Whether the products of a table of β are taken in double precision, as in OpenAI's code; diffusers takes them in the
    /// element type of a run.
    public var hasExactTables: Bool?
    /// Height and width of pictures, where the network does not say.
    public var height: Int?
    /// Width of pictures.
    public var width: Int?

    /// A card that says nothing.
    public init() {}

    /// The grid for a run of so many steps by a method: its own where both are its own, too.
    func grid(of steps: Int, _ method: Method?) -> Grid? {
        steps == self.steps && method == solver ? grid : nil
    }

    /// Throws where it speaks of classes that a network does not have.
    /// - Parameters:
    ///   - classes: the classes that the network tells apart, one that stands for none included; `nil` where it knows none.
    ///   - model: the model, for the message.
    /// - Throws: `PipelineError` that names the key.
    func check(classes: Int?, of model: String) throws {
        let count = classes ?? 0
        if let nullClass, !(0..<count).contains(nullClass) {
            throw PipelineError(
                "\(model): null_class in \(Self.fileName) is \(nullClass), and the network has \(count) classes, counted from 0"
            )
        }
        if let classNames, classNames.count > count {
            throw PipelineError(
                "\(model): class_names in \(Self.fileName) are \(classNames.count), and the network has \(count) classes"
            )
        }
    }

    enum CodingKeys: String, CodingKey {
        case solver, steps, grid, guidance, temperature, height, width
        case recomputesNoise = "recompute_noise"
        case hasExactTables = "exact_tables"
        case classNames = "class_names"
        case nullClass = "null_class"
        case guidanceSchedule = "guidance_schedule"
    }

    static let fileName = "langevin.json"
}
