import Foundation
import Pipelines
import TestSupport
import Testing

/// What other programs leave in pictures.
@Suite struct PictureSettingsTests {
    private struct Expected: Decodable {
        let program, prompt, negative_prompt, sampler, model: String
        let steps: Int
        let seed: UInt64
        let guidance: Double
    }

    /// Pictures that Pillow wrote, with texts in the forms of three programs (`Tools/oracle/picture_texts.py`).
    @Test func picturesOfOtherProgramsAreRead() throws {
        let folder = fixturePath("picture-texts")
        let names = try folderNames(folder).filter { !$0.hasSuffix(".json") }
        #expect(names.count == 12)
        for name in names {
            let record = try Data(contentsOf: URL(filePath: "\(folder)/\(name.prefix(2)).json"))
            let expected = try JSONDecoder().decode(Expected.self, from: record)
            guard case .picture(let facts) = try Inspection("\(folder)/\(name)") else {
                Issue.record("\(name) is no picture")
                continue
            }
            let found = try #require(facts.settings, "\(name)")
            #expect(found.program == expected.program, "\(name)")
            #expect(found.prompt == expected.prompt, "\(name)")
            #expect(found.negativePrompt == expected.negative_prompt, "\(name)")
            #expect(found.sampler == expected.sampler && found.model == expected.model, "\(name)")
            #expect(found.steps == expected.steps && found.seed == expected.seed, "\(name)")
            #expect(found.guidance == expected.guidance, "\(name)")
        }
    }

    @Test func aPromptAloneIsAPrompt() throws {
        let found = try #require(
            PictureSettings(texts: ["parameters": "a cat: with, a colon\nand a second line"]))
        #expect(found.prompt == "a cat: with, a colon\nand a second line")
        #expect(found.negativePrompt == "" && found.steps == nil && found.seed == nil)
    }

    @Test func negativePromptsHaveSeveralLines() throws {
        let text =
            "a\nb\nNegative prompt: c\nd\nSteps: 3, Sampler: Euler, Seed: 12, Model: \"x, \\\"y\\\"\", Eta: 0.5"
        let found = try #require(PictureSettings(texts: ["parameters": text]))
        #expect(found.prompt == "a\nb" && found.negativePrompt == "c\nd")
        #expect(found.model == "x, \"y\"" && found.seed == 12 && found.steps == 3)
    }

    @Test func theSecondVersionOfInvokeAI() throws {
        let text = """
            {"model_weights": "sd-1.5", "model_hash": "cc6c", "image": {"prompt": [{"prompt": "a [cat]", "weight": 1.0}],
            "steps": 40, "cfg_scale": 7.5, "sampler": "k_lms", "seed": 4294967295}}
            """
        let found = try #require(PictureSettings(texts: ["sd-metadata": text]))
        #expect(found.prompt == "a [cat]" && found.sampler == "k_lms" && found.seed == 4_294_967_295)
        #expect(found.model == "sd-1.5" && found.guidance == 7.5)
    }

    /// Graphs that lead in a circle, are no graph, or say nothing.
    @Test(arguments: [
        #"{"3": {"class_type": "KSampler", "inputs": {"positive": ["3", 0], "model": ["4", 0]}}, "4": {"class_type": "X", "inputs": {"a": ["3", 1]}}}"#,
        #"{"3": {"class_type": "KSampler", "inputs": {}}}"#,
    ])
    func strangeGraphsAreRead(_ graph: String) throws {
        let found = try #require(PictureSettings(texts: ["prompt": graph]))
        #expect(found.prompt == nil && found.seed == nil)
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"3": 4}"#, "not JSON", #"{"3": {"class_type": "SaveImage", "inputs": {}}}"#,
    ])
    func whatIsNoGraphIsNone(_ text: String) {
        #expect(PictureSettings(texts: ["prompt": text]) == nil)
        #expect(PictureSettings(texts: ["Software": text]) == nil)
    }
}
