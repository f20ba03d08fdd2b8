import ArgumentParser
import Foundation
import Pictures
import Pipelines
import Storage

/// Pictures that are prompts, each behind the adapter that makes one of them.
struct ImagePromptOptions: ParsableArguments {
    @Option(
        help:
            "An IP-Adapter that was made for the model (.safetensors), which lets pictures be prompts, none by default; repeatable. --ip-image behind it belongs to it.",
        transform: pathArgument)
    var ipAdapter: [String] = []

    @Option(
        help:
            "FILE[:WEIGHT]: with --ip-adapter: a picture that is a prompt beside the text, and what attention to it is multiplied with, by default 1; there is none by default; repeatable: several behind one adapter are one prompt, and behind several adapters in a row each has one.",
        transform: ImagePromptPicture.init(argument:))
    var ipImage: [ImagePromptPicture] = []

    @Option(
        help:
            "With --ip-adapter: the encoder of pictures that it was made for (CLIP), a folder with its config.json or org/name of the hub; the model's own image_encoder where not given.",
        transform: pathArgument)
    var ipEncoder: String?

    /// What stands behind an `--ip-adapter`, as `CommandWords` hands it on.
    @Option(
        name: .customLong(ImagePromptOption.name), help: .private,
        transform: ImagePromptOption.init(argument:))
    var ipAdapterOptions: [ImagePromptOption] = []

    func validate() throws {
        guard ipAdapter.isEmpty else { return }
        let alone = [("--ip-image", !ipImage.isEmpty), ("--ip-encoder", ipEncoder != nil)]
        if let name = alone.first(where: \.1)?.0 {
            throw ValidationError("\(name) goes with an IP-Adapter: add --ip-adapter FILE")
        }
    }

    /// Each adapter with its pictures.
    func groups() throws -> [ImagePromptGroup] {
        var groups = ipAdapter.map { ImagePromptGroup(path: $0) }
        guard !groups.isEmpty else { return [] }
        // A picture before all adapters is meant for the only one.
        guard ipImage.isEmpty || groups.count == 1 else {
            throw PipelineError(
                "--ip-image \(ipImage[0].path) belongs to one of \(groups.count) adapters: write it behind its --ip-adapter"
            )
        }
        groups[0].pictures = ipImage
        var first = 0
        for number in Set(ipAdapterOptions.map(\.number)).sorted() {
            let pictures = ipAdapterOptions.filter { $0.number == number }.map(\.picture)
            let count = number - first + 1
            if count == 1 {
                groups[number].pictures += pictures
            } else {
                guard pictures.count == count else {
                    throw PipelineError(
                        "\(count) --ip-adapter in a row are followed by \(pictures.count) --ip-image: give one for each, or write pictures behind their adapter"
                    )
                }
                for (index, picture) in pictures.enumerated() { groups[first + index].pictures = [picture] }
            }
            first = number + 1
        }
        if let alone = groups.first(where: \.pictures.isEmpty) {
            throw PipelineError(
                "--ip-adapter \(alone.path) is given no picture: write --ip-image FILE behind it")
        }
        return groups
    }

    func set(_ request: inout Request) throws {
        request.imagePrompts = try groups().map { try $0.prompt() }
    }
}

/// An adapter with its pictures.
struct ImagePromptGroup {
    let path: String
    var pictures: [ImagePromptPicture] = []

    /// The weight of its pictures, which make one prompt; `nil` where none is given.
    func weight() throws -> Double? {
        let weights = Set(pictures.compactMap(\.weight))
        guard weights.count <= 1 else {
            throw PipelineError(
                "--ip-image: the pictures behind one --ip-adapter are one prompt of one weight, and \(weights.sorted().map { "\($0)" }.joined(separator: " and ")) are given: write --ip-adapter \(path) before each that has its own"
            )
        }
        return weights.first
    }

    func prompt() throws -> Request.ImagePrompt {
        let weight = try weight()
        let pictures = try pictures.map {
            try Picture(contentsOf: URL(file: $0.path), limit: Picture.requestLimit)
        }
        var prompt = Request.ImagePrompt(try ImageAdapter(path), pictures)
        prompt.weight = weight ?? 1
        prompt.pictureFiles = try self.pictures.map { try InputFile($0.path) }
        return prompt
    }
}

/// `cat.png:0.6`: a picture and its weight. A name may hold a colon: the whole argument is the file where there is one.
struct ImagePromptPicture {
    let path: String
    let weight: Double?

    @Sendable init(argument: String) throws {
        guard !Files.exists(argument), let colon = argument.lastIndex(of: ":"),
            let weight = Double(argument[argument.index(after: colon)...])
        else {
            (path, weight) = (try pathArgument(argument), nil)
            return
        }
        guard weight.isFinite else { throw ValidationError("its weight is \(weight): give a number") }
        (path, self.weight) = (try pathArgument(String(argument[..<colon])), weight)
    }
}

/// An `--ip-image` behind an `--ip-adapter`.
struct ImagePromptOption: FollowingOption {
    static let name = "ip-adapter-option"
    static let leader = "--ip-adapter"
    static let isRepeating = true
    let number: Int
    let picture: ImagePromptPicture

    static func takesValue(_ option: String) -> Bool? { option == "--ip-image" ? true : nil }

    @Sendable init(argument: String) throws {
        let (number, _, value) = try Self.parts(of: argument)
        (self.number, picture) = (number, try ImagePromptPicture(argument: value))
    }
}
