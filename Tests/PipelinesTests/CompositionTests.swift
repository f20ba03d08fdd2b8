import Checkpoints
import Diffusion
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// A network, a process and a sampler, put together by hand.
@Suite struct CompositionTests {
    @Test func aNetworkIsSampled() throws {
        let folder = ModelFolder(try TemporaryFolder()("model"))
        var small = UNet2DConfiguration()
        small.sampleSize = .square(32)
        small.blockOutChannels = [8, 8]
        small.layersPerBlock = 1
        small.normNumGroups = 4
        small.downBlockTypes = [.plain, .plain]
        small.upBlockTypes = [.plain, .plain]
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
        try store.build { try UNet2D(small, $0) }.write(store, to: folder)
        var lines: [String] = []
        func print(_ done: Int, _ count: Int) { lines.append("\(done) \(count)") }

        let (network, _) = try UNet2D.load(folder)
        let process = try ProcessDescription("betas", prediction: "noise")

        // A denoiser is a network and what its output means: x_t = α·x₀ + σ·ε, and this one gives ε.
        let denoiser = Denoiser(process.parameterization) { x, time in network(x, time: time) }

        let sampler = try process.sampler(.dpmPlusPlus2M, steps: 20, grid: .karras)
        let noise = NoiseSource(seed: 0, count: 4)
        for step in sampler.sampling(noise.draw([3, 32, 32]), denoiser: denoiser, source: noise) {
            print(step.stepsDone, step.stepCount)  // progress, preview and cancel are your loop
        }

        #expect(lines == (1...20).map { "\($0) 20" })
    }
}
