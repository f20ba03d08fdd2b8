import ArgumentParser
import Foundation
import Pipelines
import Storage

struct New: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lay out a package of your own that depends on this one.",
        discussion: """
            It has one small program, named as the folder, that draws pictures from a model that is known exactly. \
            'swift run -c release' in it builds and runs the program.
            """)

    @Argument(help: "The package's folder, which must not be there yet.")
    var path: String

    @Option(help: "The folder of Langevin's sources, set up by 'make setup'; by default this program's own.")
    var langevin: String?

    func run() throws {
        let folder = URL(file: path).standardizedFileURL.path
        let sources = try LangevinSources(langevin)
        let package = try NewPackage(named: (folder as NSString).lastPathComponent, on: sources)
        guard !Files.exists(folder) else {
            throw PipelineError("'\(path)' is already there: take another folder")
        }
        // Written aside, so that what has the name is whole.
        let aside = "\(folder).tmp-\(Files.uniqueName())"
        do {
            try package.write(to: aside)
            try Files.rename(aside, to: folder)
        } catch {
            try? Files.remove(aside)
            throw error
        }
        say("wrote \(path): 'swift run -c release' in it builds its program and draws \(NewPackage.picture)")
    }
}

/// The folder of Langevin's own package.
struct LangevinSources {
    /// Absolute.
    let path: String

    /// - Parameter given: the folder; where there is none, the one that this program was built in.
    init(_ given: String?) throws {
        if let given {
            guard Self.areIn(given) else {
                throw PipelineError(
                    "--langevin \(given) does not hold Langevin's sources: give the folder of its Package.swift"
                )
            }
            path = URL(file: given).standardizedFileURL.path
        } else {
            guard let found = Self.folder(above: Bundle.main.executablePath ?? "") else {
                throw PipelineError(
                    "this program lies outside Langevin's sources: give their folder with --langevin")
            }
            path = found
        }
        guard Files.isFolder(path + "/.libtorch/include"), Files.isFolder(path + "/.libtorch/lib") else {
            throw PipelineError("\(path) has no libtorch yet: run 'make setup' there and try again")
        }
    }

    /// The names of its modules and of those that it depends on, which no other module can have.
    func modules() throws -> [String] {
        try Files.names(in: path + "/Sources") + [
            "Langevin", "LangevinCommand", "ArgumentParser", "SwiftProtobuf", "Yams",
        ]
    }

    private static func areIn(_ folder: String) -> Bool {
        Files.exists(folder + "/Package.swift") && Files.exists(folder + "/Sources/CTorch/include/ctorch.h")
    }

    private static func folder(above program: String) -> String? {
        var folder = URL(file: program).resolvingSymlinksInPath()
        repeat {
            folder.deleteLastPathComponent()
            if areIn(folder.path) { return folder.path }
        } while folder.path != "/"
        return nil
    }
}
