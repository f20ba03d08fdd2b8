import Foundation
import Pipelines
import TestSupport
import Testing

/// Which models are the hub's and which are paths. That they are fetched is shown by `HubCommandTests`.
@Suite struct ModelLocatorTests {
    @Test(arguments: [
        ("some-org/name", true), ("some-org/name@v1", true), ("some-org/name.v2", true),
        ("some-org/model.safetensors", false), ("some-org/model.CKPT", false), ("sd15", false),
        ("a/b/c", false), ("/tmp/x", false), ("./x", false), ("a/../b", false), ("", false),
        ("analytic:a/b", false), ("some-org/name@../x", false),
    ])
    func namesAndPathsAreToldApart(_ text: String, _ isOnHub: Bool) {
        #expect(ModelLocator.isOnHub(text) == isOnHub, "\(text)")
    }

    @Test func aFolderThatIsThereIsAPath() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("model")
        #expect(try ModelLocator().path(of: folder("model")) == folder("model"))
        // Tests run in the project's folder.
        if FileManager.default.fileExists(atPath: "Sources") {
            #expect(!ModelLocator.isOnHub("Sources/Pipelines"))
            // The folder is there and the model is not: a slip, and no organization of the hub.
            #expect(!ModelLocator.isOnHub("Sources/nothing"))
            #expect(ModelLocator.isOnHub("Sources/nothing@main"))
        }
    }

    @Test func pathsHaveNoRevisions() throws {
        #expect(throws: PipelineError.self) { try ModelLocator().path(of: "sd15", revision: "main") }
    }

    @Test func aSnapshotHasItsModelsName() {
        let commit = String(repeating: "0", count: 40)
        #expect(ModelLayout("/c/models--org--name/snapshots/\(commit)").name == "org/name")
        #expect(ModelLayout("/c/runs/snapshots/model").name == "snapshots")
    }
}
