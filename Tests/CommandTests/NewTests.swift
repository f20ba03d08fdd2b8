import Foundation
import TestSupport
import Testing

/// A package that depends on this one. `scripts/package.sh` builds one and runs its program.
@Suite struct NewTests {
    @Test func aPackageIsLaidOut() throws {
        let folder = try TemporaryFolder()
        let outcome = try Program.run("new", folder("my-shapes"))
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(outcome.messages.contains("swift run -c release"))
        func text(_ path: String) -> String {
            String(decoding: folder.bytes("my-shapes/" + path), as: UTF8.self)
        }
        let manifest = text("Package.swift")
        #expect(manifest.hasPrefix("// swift-tools-version: 6.1\n"))
        #expect(manifest.contains("let langevin = \"\(Program.root)\"\n"))
        #expect(manifest.contains(".executableTarget(\n            name: \"my-shapes\","))
        #expect(
            text("Sources/my-shapes/main.swift").contains("step \\(step.stepsDone) of \\(step.stepCount)"))
        let versions = try String(contentsOfFile: Program.root + "/Package.resolved", encoding: .utf8)
        #expect(text("Package.resolved") == versions)
        // Nothing is left beside it.
        #expect(try folder.names() == ["my-shapes"])
    }

    @Test func theSourcesCanBeNamed() throws {
        let folder = try TemporaryFolder()
        let link = folder("a \"linked\" checkout")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: Program.root)
        let outcome = try Program.run("new", folder("own"), "--langevin", link)
        #expect(outcome.code == 0, "\(outcome.messages)")
        let manifest = String(decoding: folder.bytes("own/Package.swift"), as: UTF8.self)
        #expect(manifest.contains("a \\\"linked\\\" checkout\"\n"))
    }

    @Test func whatCannotBeAPackageIsRefused() throws {
        let folder = try TemporaryFolder()
        try Program.expectRefused(["new", folder(".")], "is already there: take another folder")
        try Program.expectRefused(["new", folder("7days")], "'7days' cannot be one: begin with a letter")
        try Program.expectRefused(["new", folder("a b")], "'a b' cannot be one")
        for name in ["tensors", "main", "Yams"] {
            try Program.expectRefused(
                ["new", folder(name)], "there is a module '\(name)' already: take another")
        }
        try Program.expectRefused(
            ["new", folder("own"), "--langevin", folder(".")],
            "does not hold Langevin's sources: give the folder")
        // Sources that nobody has set up.
        let sources = folder("langevin/Sources/CTorch/include")
        try FileManager.default.createDirectory(atPath: sources, withIntermediateDirectories: true)
        _ = try folder.write("langevin/Package.swift", "".utf8)
        _ = try folder.write("langevin/Sources/CTorch/include/ctorch.h", "".utf8)
        try Program.expectRefused(
            ["new", folder("own"), "--langevin", folder("langevin")],
            "has no libtorch yet: run 'make setup' there")
        let outcome = try Program.run("new", folder("nowhere/own"))
        #expect(outcome.code == 0, "folders above are made: \(outcome.messages)")
        #expect(try folder.names() == ["langevin", "nowhere"])
    }
}
