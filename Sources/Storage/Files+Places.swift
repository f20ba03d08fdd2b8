#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// What can be known of the place of a file before it is written.
extension Files {
    static let emptyName = "the name is empty; give one"

    /// Throws where no file can be written at `path`: its name is empty or too long, a folder has it, or the folder
    /// that it is to lie in is not there or takes no files.
    package static func checkPlace(ofFile path: String) throws(FileError) {
        try checkName(path)
        let target = target(of: path)
        var status = stat()
        if stat(target, &status) == 0 {
            switch status.st_mode & S_IFMT {
            case S_IFDIR: throw FileError(action: "writing", path: path, code: EISDIR)
            case S_IFREG: break
            default:
                // A pipe or a device is written to and not replaced.
                guard access(target, W_OK) == 0 else { throw FileError(action: "writing", path: path) }
                return
            }
        } else if errno != ENOENT {
            throw FileError(action: "writing", path: path)
        } else if target.hasSuffix("/") {
            throw FileError(action: "writing", path: path, code: EISDIR)
        }
        try checkFolder(parent(of: target), of: path)
    }

    /// Throws where no folder at `path` can be made and filled; one that is there may hold files.
    package static func checkPlace(ofFolder path: String) throws(FileError) {
        try checkName(path)
        guard !isFolder(path) else { return try checkFolder(path, of: path) }
        guard !exists(path) else {
            throw FileError(
                action: "creating", path: path, reason: "it is a file, not a folder; take another place")
        }
        guard errno == ENOENT else { throw FileError(action: "creating", path: path) }
        try checkFolder(parent(of: path), of: path)
    }

    private static func checkName(_ path: String) throws(FileError) {
        guard !path.isEmpty else { throw FileError(action: "writing", path: path, reason: emptyName) }
    }

    private static func checkFolder(_ folder: String, of path: String) throws(FileError) {
        guard isFolder(folder) else {
            throw FileError(
                action: "writing", path: path, reason: "there is no folder \(folder); make it first")
        }
        do {
            try probe(folder: folder)
        } catch {
            throw FileError(
                action: "writing", path: path, reason: "\(folder) takes no files: \(error.reason)")
        }
    }

    /// Where the bytes of a file go: what its symbolic link leads to, be it there or not.
    package static func target(of path: String) -> String {
        var path = path
        // As many as systems follow.
        for _ in 0..<40 {
            guard let destination = destination(ofLink: path) else { break }
            path = destination.hasPrefix("/") ? destination : "\(parent(of: path))/\(destination)"
        }
        return path
    }

    private static func destination(ofLink path: String) -> String? {
        var text = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &text, text.count)
        guard count > 0 else { return nil }
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// One path for all that lead to the same file, which need not be there.
    package static func canonical(_ path: String) -> String {
        let target = target(of: path)
        guard let folder = realpath(parent(of: target), nil) else { return target }
        defer { free(folder) }
        return "\(String(cString: folder))/\(name(of: target))"
    }
}
