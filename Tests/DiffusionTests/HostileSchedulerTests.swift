import Checkpoints
import Diffusers
import Diffusion
import Storage
import TestSupport
import Testing

/// Rows B1 to B12 of the reliability plan that a `scheduler_config.json` can have, for every class.
@Suite struct HostileSchedulerTests {
    private func refusal(_ text: String) throws -> String? {
        do {
            let value = try JSONValue(parsing: text.utf8, place: "scheduler", allowsNonFinite: true)
            let _: SchedulerConfiguration = try #require(JSONObject(json: value)).decoded()
            return nil
        } catch let error as CheckpointError {
            return error.description
        }
    }

    static let values: [(key: String, value: String)] = [
        // B3
        ("num_train_timesteps", "0"), ("num_train_timesteps", "-1"), ("num_train_timesteps", "1000000000000"),
        ("num_train_timesteps", "9223372036854775808"), ("num_train_timesteps", "null"),
        // B4
        ("beta_end", "1e-9"), ("beta_end", "1.5"), ("beta_end", "-0.02"), ("beta_start", "\"NaN\""),
        ("beta_start", "NaN"), ("beta_end", "Infinity"), ("beta_end", "0"),
        ("sample_max_value", "1e300"), ("clip_sample_range", "1e300"),
        // B8
        ("prediction_type", "\"hope\""), ("prediction_type", "3"), ("prediction_type", "null"),
        ("beta_schedule", "\"../linear\""), ("timestep_spacing", "\"\""), ("solver_type", "\"hope\""),
        // B10
        ("num_train_timesteps", "1000.0"), ("steps_offset", "1.0"), ("clip_sample", "1"),
        ("solver_order", "2.0"),
        // B12
        ("trained_betas", "[]"), ("trained_betas", "[0.1, 0.2]"), ("trained_betas", "[[0.1]]"),
        ("trained_betas", "0.1"),
        // A key that is known but for a slip of the hand would change the result.
        ("use_karas_sigmas", "true"),
    ]

    @Test(arguments: SchedulerClass.allCases) func valuesThatNobodyMeansAreRefused(kind: SchedulerClass)
        throws
    {
        let name = kind.rawValue
        for (key, value) in Self.values {
            let found = try refusal(#"{"_class_name": "\#(name)", "\#(key)": \#(value)}"#)
            let word = key.hasPrefix("beta_") ? "beta" : key == "use_karas_sigmas" ? "use_karras_sigmas" : key
            #expect(found?.contains(word) == true, "\(name), \(key) \(value): \(found ?? "accepted")")
        }
        #expect(try refusal(#"{"_class_name": "\#(name)"}"#) == nil)
    }

    /// B4: a number beyond all that a machine holds is no number of a file.
    @Test func numbersBeyondDoubleAreRefused() throws {
        let found = try refusal(#"{"_class_name": "DDIMScheduler", "beta_end": 1e400}"#)
        #expect(found?.hasPrefix("scheduler: ") == true)
    }

    /// B1, B2
    @Test(arguments: [
        "LMSContinuousScheduler", "../DDIMScheduler", "/DDIMScheduler", "diffusers.DDIMScheduler", "", "os",
    ])
    func otherClassesAreRefused(name: String) throws {
        #expect(try refusal(#"{"_class_name": "\#(name)"}"#)?.contains("is not known here") == true)
    }

    /// B9
    @Test func nestingThatNobodyWritesIsRefused() throws {
        let nested = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        let found = try refusal(#"{"_class_name": "DDIMScheduler", "trained_betas": \#(nested)}"#)
        #expect(found?.contains("deeper than 127") == true)
    }

    /// B11: keys that no class has are distinguished from those that one has, and from a slip of the hand.
    @Test func keysThatNobodyKnowsAreTold() {
        let keys = ["_class_name", "beta_end", "frobnicate", "use_karas_sigmas", "tau_func", "flux"]
        #expect(SchedulerConfiguration.foreignKeys(among: keys) == ["frobnicate", "flux"])
    }
}
