import Checkpoints
import Diffusion
import Pictures
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

/// Small checkpoints of every family: the latents and the pictures are those of diffusers' pipelines.
///
/// A fixture of `Tools/oracle/pipelines.py` holds the configurations of a folder, a seed for the weights of each part,
/// a request, and what diffusers gave.
@Suite struct PipelineParityTests {
    @Test(arguments: try Fixture.all(in: "pipelines").filter { !PixelParityTests.isOnPixels($0) })
    func `latents and pictures are those of diffusers`(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        var request = try fixture.request()
        if try fixture.case.optional("refiner", as: JSONObject.self) != nil {
            request.refiner = try model("refiner", of: fixture, in: folder)
        }
        let run = try model("model", of: fixture, in: folder).run(request)
        try fixture.expectSame(run)
    }

    // MARK: The folder

    private func model(_ name: String, of fixture: Fixture, in folder: TemporaryFolder) throws
        -> Model
    {
        try fixture.write(name, to: folder(name))
        return try Model(folder(name))
    }
}
