#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Folders that take their names when they are whole. What is written aside has `.tmp-` in its name, and what waits
/// until its successor stands has `.old-`.
extension Files {
    /// Gives a folder that was written aside its name, in place of what has it. Whenever the process or the machine
    /// stops, the name leads to the old folder or to the new one, each of them whole.
    package static func replace(folder path: String, with aside: String) throws(FileError) {
        try synchronize(tree: aside)
        let parent = parent(of: path)
        guard exists(path) else {
            try rename(aside, to: path)
            try? synchronize(folder: parent)
            return
        }
        if exchange(aside, path) {
            try? synchronize(folder: parent)
            // What is left of the old one has the name of something unfinished.
            try? remove(aside)
            return
        }
        // Some file systems cannot exchange two names: then there is a moment without the name, and `sweep` brings
        // the old folder back.
        let old = "\(path).old-\(uniqueName())"
        try rename(path, to: old)
        do {
            try rename(aside, to: path)
        } catch {
            try? rename(old, to: path)
            throw error
        }
        try? synchronize(folder: parent)
        try? remove(old)
    }

    /// Clears away what was cut short in a folder: unfinished things go, and where a replacement stopped half-way, the
    /// old one has its name back.
    package static func sweep(_ folder: String) throws(FileError) {
        for name in try names(in: folder) {
            let path = "\(folder)/\(name)"
            if let mark = name.firstRange(of: ".old-"), !exists("\(folder)/\(name[..<mark.lowerBound])") {
                try rename(path, to: "\(folder)/\(name[..<mark.lowerBound])")
                try synchronize(folder: folder)
            } else if name.contains(".old-") || name.contains(".tmp-") {
                try remove(path)
            }
        }
    }

    /// Brings a folder with everything in it to the disk.
    private static func synchronize(tree path: String) throws(FileError) {
        for name in try names(in: path) {
            let inner = "\(path)/\(name)"
            if isFolder(inner, following: false) {
                try synchronize(tree: inner)
            } else {
                let file = try open(inner, O_RDONLY | O_NONBLOCK, "reading")
                defer { close(file) }
                try synchronize(file, inner)
            }
        }
        try? synchronize(folder: path)
    }

    /// Lets two names change places at once. `false` where the system or the file system cannot.
    private static func exchange(_ one: String, _ other: String) -> Bool {
        #if canImport(Darwin)
            return renamex_np(one, other, UInt32(RENAME_SWAP)) == 0
        #else
            // Swift does not see the function's declaration, which is one of GNU's extensions.
            typealias Rename =
                @convention(c) (
                    Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32
                ) -> Int32
            guard let symbol = dlsym(nil, "renameat2") else { return false }
            let exchange: UInt32 = 2
            return unsafeBitCast(symbol, to: Rename.self)(AT_FDCWD, one, AT_FDCWD, other, exchange) == 0
        #endif
    }
}
