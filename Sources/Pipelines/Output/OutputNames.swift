import Foundation
import Pictures
import Storage

/// The names of the files that a call writes, from the name that a user gave.
public struct OutputNames: Sendable {
    enum Form: Sendable, Equatable {
        /// One file of that name.
        case one
        /// One file each, its number in place of the pattern.
        case numbered(before: String, digits: Int, after: String)
        /// One picture each in a folder of that name.
        case folder
    }

    let path: String
    let form: Form
    package let count: Int
    /// Whether the files hold raw tensors and no pictures.
    let isTensor: Bool

    /// Looks at a name before anything is computed.
    /// - Throws: `PipelineError` where the name says no kind of file, `FileError` where nothing can be written there.
    init(_ path: String, count: Int) throws {
        (self.path, self.count) = (path, count)
        let ending = URL(file: path).pathExtension.lowercased()
        isTensor = ending == "safetensors" && !path.hasSuffix("/")
        if isTensor || (PictureFormat(fileExtension: ending) != nil && !path.hasSuffix("/")) {
            form = try Self.numbered(path) ?? .one
            // The longest name.
            try Files.checkPlace(ofFile: form == .one ? path : name(max(1, count) - 1))
        } else {
            guard ending.isEmpty || path.hasSuffix("/") || Files.isFolder(path) else {
                throw PipelineError("\(path): pictures are .png, .jpg or .webp, tensors .safetensors")
            }
            form = .folder
            try Files.checkPlace(ofFolder: path)
        }
    }

    /// The files, in the order of the samples.
    var all: [String] { form == .one ? [path] : (0..<count).map(name) }

    /// The file of one sample.
    func name(_ index: Int) -> String {
        switch form {
        case .one: path
        case .numbered(let before, let digits, let after): before + Self.padded(index, digits) + after
        case .folder: "\(path)/\(Self.padded(index, 5)).png"
        }
    }

    /// Whether one of the files is the one that another path leads to.
    public func include(_ other: String) -> Bool {
        let place = Files.canonical(other)
        let (digits, after) =
            switch form {
            case .one: (0, "")
            case .numbered(_, let digits, let after): (max(1, digits), after)
            case .folder: (5, ".png")
            }
        guard form != .one else { return Files.canonical(path) == place }
        // The only number that the other name can have.
        let (first, found) = (Files.name(of: name(0)), Files.name(of: place))
        let before = first.dropLast(digits + after.count)
        guard found.hasPrefix(before), found.hasSuffix(after),
            let number = Int(found.dropFirst(before.count).dropLast(after.count)),
            (0..<max(0, count)).contains(number)
        else { return false }
        return Files.canonical(name(number)) == place
    }

    /// `name-%d.png`, `name-%05d.png`; folders may have a percent sign in their names.
    private static func numbered(_ path: String) throws -> Form? {
        let name = Files.name(of: path)
        guard let percent = name.firstIndex(of: "%") else { return nil }
        let rest = name[name.index(after: percent)...]
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        let after = rest.dropFirst(digits.count + 1)
        guard rest.dropFirst(digits.count).first == "d", !after.contains("%"),
            let width = digits.isEmpty ? 0 : Int(digits), width <= 20
        else {
            throw PipelineError("\(path): the number of a file is written %d or %05d, once")
        }
        let folder = String(decoding: path.utf8.dropLast(name.utf8.count), as: UTF8.self)
        return .numbered(before: folder + String(name[..<percent]), digits: width, after: String(after))
    }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
