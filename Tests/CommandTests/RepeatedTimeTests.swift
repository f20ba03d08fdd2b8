import Checkpoints
import Storage
import Tensors
import TestSupport
import Testing

/// Steps that begin twice at one time are told apart by their places, as in diffusers' pipelines.
///
/// A fixture of `Tools/oracle/repeats.py` holds a process, its steps, where they begin, and where diffusers ends.
@Suite struct RepeatedTimeTests {
    private func arguments(_ model: String, _ fixture: Fixture, in folder: TemporaryFolder) throws -> [String]
    {
        try SafetensorsWriter([("latents", fixture.tensor("latents"))]).write(
            to: folder("latents.safetensors"))
        return [
            "sample", "analytic:\(model)", "--dtype", "float64", "--initial", folder("latents.safetensors"),
            "--steps", String(try fixture.case.required("steps", as: Int.self)), "--seed",
            String(try fixture.case.required("noise_seed", as: Int.self)), "--count",
            String(try fixture.tensor("latents").shape[0]), "-o", folder("out.safetensors"),
        ]
    }

    private func model(_ fixture: Fixture, in folder: TemporaryFolder, _ changes: JSONObject = [:]) throws
        -> String
    {
        var model = try fixture.case.required("mixture", as: JSONObject.self)
        var schedule = try fixture.case.required("configuration", as: JSONObject.self)
        for key in changes.keys { schedule[key] = changes[key] }
        model["kind"] = "gaussian-mixture"
        model["schedule"] = .object(schedule)
        model["prediction"] = .string(try fixture.case.required("prediction"))
        return try folder.write("model.json", JSONValue.object(model).text.utf8)
    }

    @Test(arguments: try Fixture.all(in: "repeats"))
    func samplesAreThoseOfDiffusers(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        let outcome = try Program.run(arguments(model(fixture, in: folder), fixture, in: folder))
        try #require(outcome.code == 0, "\(outcome.messages)")
        let samples = try SafetensorsFile(path: folder("out.safetensors")).tensor(named: "samples")
        expectClose(samples, try fixture.tensor("final"), ofLargest: 1e-6)
    }

    /// Two steps at one level have no way between them, by which methods of higher order divide.
    @Test func theCauseOfARefusalIsNamed() throws {
        let (folder, fixture) = (try TemporaryFolder(), try Fixture("repeats/published"))
        let model = try model(
            fixture, in: folder,
            ["use_karras_sigmas": false, "timestep_spacing": "linspace", "num_train_timesteps": 20])
        try Program.expectRefused(
            arguments(model, fixture, in: folder), "two of 36 steps begin at one level, σ = ")
    }

    /// On the straight path the last σ of diffusers' final_sigmas_type can lie above the one before it.
    @Test func aStochasticStepThatClimbsIsRefused() throws {
        let (folder, fixture) = (try TemporaryFolder(), try Fixture("repeats/published"))
        let model = try model(
            fixture, in: folder,
            [
                "_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++",
                "use_karras_sigmas": false, "use_flow_sigmas": true, "prediction_type": "flow_prediction",
                "final_sigmas_type": "sigma_min", "num_train_timesteps": 12, "rescale_betas_zero_snr": false,
            ])
        try Program.expectRefused(arguments(model, fixture, in: folder), "a stochastic method has none")
    }
}
