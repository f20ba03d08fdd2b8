import ArgumentParser
import Foundation
import Pictures
import Pipelines
import Storage

struct Control: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a picture that networks are controlled by, without weights.",
        discussion: """
            \(ControlKind.all.map { "\($0.name): \($0.summary)." }.joined(separator: " ")) 'langevin generate --controlnet \
            MODEL --control FILE' takes what comes out. A .safetensors file holds the tensor 'control' as networks read it, \
            not rounded.
            """)

    @Argument(help: "The picture.", transform: pathArgument)
    var image: String

    @Option(help: "What is made of it.")
    var kind: ControlKind

    @Option(
        name: [.short, .long],
        help: "A picture (.png .jpg .webp), .safetensors for the tensor 'control', or a folder.",
        transform: pathArgument)
    var output: String

    @Option(
        help:
            "Of canny and blur: the standard deviation of the Gaussian, in pixels; by default 1 for canny, 5 for blur."
    )
    var sigma: Double?

    @Option(help: "Of canny: the slope from which on an edge goes on; by default 0.1.")
    var low: Double?

    @Option(help: "Of canny: the slope from which on an edge begins; by default 0.2.")
    var high: Double?

    @Option(help: "Of tile: the side of the square of pixels of which one is left; by default 8.")
    var factor: Int?

    @Option(
        help: "Of inpaint: a picture that is white where the other is to be made anew.",
        transform: pathArgument)
    var mask: String?

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    /// What a picture was made with.
    private struct Record: Encodable {
        var command = "control"
        var program = "langevin \(Receipt.version)"
        var kind: String
        var sigma: Double?
        var low: Double?
        var high: Double?
        var factor: Int?
        var width: Int
        var height: Int
        var image: InputFile
        var mask: InputFile?
        var files: [String]?
    }

    func run() throws {
        let output = try SampleOutput(output, count: 1)
        let picture = try Picture(contentsOf: URL(file: image))
        var settings = ControlSettings()
        (settings.sigma, settings.low, settings.high, settings.factor) = (sigma, low, high, factor)
        settings.mask = try mask.map { try Picture(contentsOf: URL(file: $0)) }
        let control = try kind.control(of: picture, settings)
        if picture.isTransparent {
            say("note: \(image) has transparent parts; the colours stored under them count")
        }
        var record = Record(
            kind: kind.name, sigma: sigma, low: low, high: high, factor: factor, width: picture.width,
            height: picture.height, image: try InputFile(image), mask: try mask.map(InputFile.init))
        let text = String(decoding: try sortedJSON(record), as: UTF8.self)
        if output.isTensor {
            record.files = try output.write(control.tensor, named: "control", record: text)
        } else if let made = control.picture {
            record.files = try output.write(made, record: text)
        } else {
            throw PipelineError(
                "\(self.output): no picture says which part is unknown: give -o a name that ends with .safetensors"
            )
        }
        if json { try printJSON(record) }
    }
}

extension ControlKind: ExpressibleByArgument {
    /// The kind of a word.
    public init?(argument: String) { self.init(named: argument) }
    /// What the help shows.
    public var defaultValueDescription: String { name }
    /// What can be given.
    public static var allValueStrings: [String] { all.map(\.name) }
}
