import Checkpoints
import Layers
import Storage
import Tensors
import Testing

/// The path of something under `Tests/Fixtures`.
public func fixturePath(_ name: String) -> String {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(2).joined(separator: "/") + "/Fixtures/" + name
}

/// Reference tensors written by an independent implementation, and the settings they were made with.
///
///     let fixture = try Fixture("unet/case-0")
///     let steps: Int = try fixture.case.required("steps")
///     expectClose(network(try fixture.tensor("input")), try fixture.tensor("output"), relative: 1e-5)
public struct Fixture: Sendable, CustomTestStringConvertible {
    /// The name that was given, for messages.
    public let name: String
    /// The settings: the JSON object that the metadata holds under `case`; empty when there is none.
    public let `case`: JSONObject
    /// The file itself.
    public let file: SafetensorsFile

    /// Opens `Tests/Fixtures/<name>.safetensors`.
    public init(_ name: String) throws {
        try self.init(name, path: fixturePath(name + ".safetensors"))
    }

    /// Opens a file anywhere, such as one that an oracle has just written.
    public init(_ name: String, path: String) throws {
        file = try SafetensorsFile(path: path)
        let text = file.metadata["case"] ?? "{}"
        self.case =
            try JSONObject(
                json: JSONValue(parsing: text.utf8, place: "\(name), case", allowsNonFinite: true))
            ?? JSONObject()
        self.name = name
    }

    /// Every fixture of a folder of `Tests/Fixtures` whose file name begins with `prefix`, sorted.
    /// - Throws: an error when there is none, so that no test passes for want of cases.
    public static func all(in folder: String, prefix: String = "") throws -> [Fixture] {
        let names = try folderNames(fixturePath(folder))
            .filter { $0.hasPrefix(prefix) && $0.hasSuffix(".safetensors") }
            .map { String($0.dropLast(".safetensors".count)) }
        guard !names.isEmpty else {
            throw CheckpointError(fixturePath("\(folder)/\(prefix)*"), "there is no fixture")
        }
        return try names.map { try Fixture("\(folder)/\($0)") }
    }

    /// A tensor of the file.
    public func tensor(_ name: String) throws -> Tensor { try file.tensor(named: name) }

    /// The numbers of a tensor, row by row, as a Swift type.
    public func array<Scalar: TensorScalar>(_ name: String, of type: Scalar.Type = Scalar.self) throws
        -> [Scalar]
    {
        try tensor(name).array(of: type)
    }

    /// The tensors whose names begin with `prefix`, under what follows it: `tensors("gradient.")`.
    public func tensors(_ prefix: String) throws -> [String: Tensor] {
        var found: [String: Tensor] = [:]
        for name in file.names where name.hasPrefix(prefix) {
            found[String(name.dropFirst(prefix.count))] = try tensor(name)
        }
        return found
    }

    /// The same as a source from which a network can be built.
    public func source(_ prefix: String) throws -> TensorDictionary { TensorDictionary(try tensors(prefix)) }

    /// The name, for the list of test cases.
    public var testDescription: String { name }
}
