import Foundation
import TestSupport
import Testing

/// Processes whose numbers each make sense and that leave levels which are not finite: they are refused before any step,
/// by every method and on every grid.
@Suite struct NumberTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func model(_ schedule: String) throws -> String {
        let text =
            #"{"kind": "gaussian-mixture", "weights": [1], "means": [[0, 0]], "covariances": [[[1, 0], [0, 1]]], "#
            + #""prediction": "noise", "schedule": \#(schedule)}"#
        return "analytic:" + (try folder.write("m.json", text.utf8))
    }

    @Test(arguments: [
        #"{"_class_name": "DPMSolverMultistepScheduler", "beta_end": 0.999, "use_karras_sigmas": true}"#,
        #"{"_class_name": "DPMSolverMultistepScheduler", "num_train_timesteps": 100000, "use_karras_sigmas": true}"#,
        #"{"_class_name": "DPMSolverMultistepScheduler", "beta_end": 0.999, "use_lu_lambdas": true}"#,
        #"{"_class_name": "EulerDiscreteScheduler", "beta_end": 0.999}"#,
        #"{"kind": "ve", "sigma_min": 0.01, "sigma_max": 1e300}"#,
    ])
    func levelsThatAreNotFinite(schedule: String) throws {
        let model = try model(schedule)
        let output = folder("never.safetensors")
        try Program.expectRefused(["sample", model, "-o", output], "are not finite")
        try Program.expectRefused(
            ["sample", model, "-o", output, "--solver", "dpmpp-2m", "--grid", "karras"], "not finite")
        #expect(!FileManager.default.fileExists(atPath: output))
    }

    /// Whole numbers of a file that no arithmetic has room for.
    @Test func wholeNumbersAtTheirLimits() throws {
        let flow = try model(
            """
            {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": true,
             "max_image_seq_len": 9223372036854775807, "base_image_seq_len": -9223372036854775808}
            """)
        try Program.expectRefused(["sample", flow, "-o", folder("x.safetensors")], "use_dynamic_shifting")
        let score = try model(#"{"_class_name": "ScoreSdeVeScheduler", "correct_steps": -1}"#)
        try Program.expectRefused(["sample", score, "-o", folder("x.safetensors")], "correct_steps is -1")
    }
}
