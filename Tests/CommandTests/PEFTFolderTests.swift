import Checkpoints
import Foundation
import Storage
import TestSupport
import Testing

/// `generate --lora FOLDER` with folders that the PEFT library wrote.
@Suite struct PEFTFolderTests {
    /// Writes a case's model and adapter, and gives its call.
    private func written(_ fixture: Fixture, to folder: borrowing TemporaryFolder) throws -> [String] {
        try fixture.write("model", to: folder("model"))
        let settings = try fixture.case.required("adapter", as: JSONObject.self)
        try ModelFolder(folder("adapter")).write(settings, to: "adapter_config.json")
        let tensors = fixture.file.names.filter { $0.hasPrefix("adapter/") }
        try SafetensorsWriter(
            tensors.map { (String($0.dropFirst("adapter/".count)), try fixture.tensor($0)) }
        ).write(to: folder("adapter/adapter_model.safetensors"))
        let words = try fixture.case.required("command", as: [String].self)
        return words.map { $0.replacing("{}", with: folder.path) }
    }

    /// Tools/oracle/peft_folders.py has them from diffusers, on weights that PEFT has merged.
    @Test(arguments: try Fixture.all(in: "peft"), [false, true])
    func picturesAreThoseOfPEFT(_ fixture: Fixture, isLive: Bool) throws {
        let folder = try TemporaryFolder()
        let call = try written(fixture, to: folder) + (isLive ? ["--lora-live"] : [])
        try folder.made(call + ["-o", folder("out.safetensors")])
        let found = try SafetensorsFile(path: folder("out.safetensors"), storage: .copied)
            .tensor(named: "samples")
        expectClose(found, try fixture.tensor("latents"), ofLargest: 1e-4)
    }

    private func plain() throws -> Fixture {
        try Fixture("peft/peft-sd1-plain")
    }

    /// What the configuration asks for and is not known is refused by its name, and so is what does not fit.
    @Test func whatIsNotKnownIsRefused() throws {
        let folder = try TemporaryFolder()
        let call = try written(plain(), to: folder) + ["-o", folder("never.safetensors")]
        let place = ModelFolder(folder("adapter"))
        let settings = try place.configuration("adapter_config.json")
        for (key, value, words) in [
            ("peft_type", "IA3", "\"peft_type\" is \"IA3\""), ("use_qalora", true, "use_qalora"),
            ("modules_to_save", ["conv_in"], "modules_to_save"), ("bias", "all", "\"bias\" is \"all\""),
            ("layer_replication", [[0, 1]], "layer_replication"), ("fan_in_fan_out", true, "fan_in_fan_out"),
            ("init_lora_weights", "pissa", "changes the model's own weights"),
            ("alpha_pattern", [".*to_q": 2], "names of layers alone"), ("lora_alpha", "much", "lora_alpha"),
            ("next_years_setting", 3, "next_years_setting"),
        ] as [(String, JSONValue, String)] {
            var changed = settings
            changed[key] = value
            try place.write(changed, to: "adapter_config.json")
            try Program.expectRefused(call, words)
        }
        try FileManager.default.removeItem(atPath: folder("adapter/adapter_config.json"))
        try Program.expectRefused(call, "adapter_config.json")
        #expect(try !folder.names().contains("never.safetensors"))
    }

    /// The receipt has the folder's name and one sha256 of both files; a picture is made again with it.
    @Test func receiptsHoldFolders() throws {
        let folder = try TemporaryFolder()
        let call = try written(plain(), to: folder)
        let picture = folder("made.png")
        var asked = call
        if let place = asked.firstIndex(of: "--count") { asked[place + 1] = "1" }
        try folder.made(asked + ["-o", picture])
        let replay = ["generate", "--replay", picture, "--model", folder("model"), "--json"]
        let outcome = try folder.made(replay + ["--lora", folder("adapter")])
        #expect(try outcome.json()["difference"] as? Int == 0)
        // Another alpha is another adapter.
        let place = ModelFolder(folder("adapter"))
        var settings = try place.configuration("adapter_config.json")
        settings["lora_alpha"] = 77
        try place.write(settings, to: "adapter_config.json")
        let refused = try Program.run(replay + ["--lora", folder("adapter")])
        #expect(refused.code == 2 && refused.messages.contains("adapter"), "\(refused.messages)")
    }
}
