import Diffusion
import Pictures
import Pipelines
import Tensors
import TestSupport
import Testing

/// A run is a sequence of steps, and what it gives does not depend on who takes them.
@Suite struct RunTests {
    @Test func stepsAreTheCallersLoop() throws {
        let tiny = try TinyStableDiffusion()
        let request = TinyStableDiffusion.request { ($0.count, $0.batchSize) = (3, 2) }
        let whole = try tiny.model().run(request).samples()
        let run = try tiny.model().run(request)
        var (done, taken) = ([Int](), 0)
        for step in run {
            taken += 1
            done.append(step.done)
            #expect(step.total == 12 && step.stage == 0)
            #expect(try step.preview() == nil)
            if taken == 3 { break }
        }
        // Two pictures a step, then one.
        #expect(done == [2, 4, 6])
        // What was left is taken when the samples are wanted, and only once.
        #expect(try (run.samples() - whole).magnitude().max().item(Double.self) == 0)
        #expect(run.next() == nil)
        #expect(try run.samples().shape == whole.shape)
    }

    @Test func anErrorEndsTheLoopAndIsThrown() throws {
        let tiny = try TinyStableDiffusion { part, name, values in
            part == "unet" && name == "conv_out.bias" ? values * .nan : values
        }
        let run = try tiny.model().run(TinyStableDiffusion.request())
        #expect(run.map(\.stage).isEmpty)
        for body in [{ _ = try run.samples() }, { _ = try run.pictures() }, { _ = try run.receipt() }] {
            #expect { try body() } throws: { "\($0)".contains("'conv_out'") }
        }
    }

    /// Each picture's prompt is its own: a batch of three is the three pictures.
    @Test func everyPictureHasItsPrompt() throws {
        let tiny = try TinyStableDiffusion()
        let prompts = ["a cat", "a dog", "a cat"]
        let three = try tiny.latents { ($0.prompts, $0.count, $0.batchSize) = (prompts, 3, 2) }
        for (index, prompt) in prompts.enumerated() {
            let alone = try tiny.latents {
                ($0.prompt, $0.seed) = (prompt, $0.seed + UInt64(index))
            }
            expectClose(three.slice(index..<index + 1, of: 0), alone, ofLargest: 1e-5, prompt)
        }
        #expect { try tiny.latents { ($0.prompts, $0.count) = (prompts, 2) } } throws: {
            "\($0)".contains("3 prompts were given for 2 pictures")
        }
    }

    @Test func theNoiseOfTheStartIsKept() throws {
        let tiny = try TinyStableDiffusion()
        let run = try tiny.model().run(TinyStableDiffusion.request { ($0.count, $0.batchSize) = (3, 2) })
        run.keepsNoise = true
        let noise = try #require(try run.noise())
        let again = try tiny.latents {
            ($0.count, $0.initial) = (3, noise)
            ($0.height, $0.width) = (nil, nil)
        }
        #expect(try (run.samples() - again).magnitude().max().item(Double.self) == 0)
        #expect(try tiny.model().run(TinyStableDiffusion.request()).noise() == nil)
    }

    /// A request and a model can be sent to another thread.
    @Test func modelsAndRequestsAreSendable() async throws {
        let tiny = try TinyStableDiffusion()
        let (model, request) = (try tiny.model(), TinyStableDiffusion.request())
        let here = try model.run(request).samples()
        let there = try await Task.detached { try model.run(request).samples() }.value
        #expect(try (here - there).magnitude().max().item(Double.self) == 0)
    }

    @Test func sentencesAreSpelledByTheProgram() {
        let error = PipelineError("\(.strength) is \(2): it goes with \(.reference)")
        #expect("\(error)" == "strength is 2: it goes with reference")
        #expect(error.sentence.spelled { "<\($0.name)>" } == "<strength> is 2: it goes with <reference>")
    }
}
