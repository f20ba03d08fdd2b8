import Networks
import Pipelines
import Tensors
import Testing

@Suite struct MemoryNeedTests {
    @Test func onlyWhatIsNotThereIsRefused() throws {
        let need = MemoryNeed("a giant", bytes: 5e9, remedy: "ask for a dwarf")
        try need.check(on: .cpu, available: 5e9)
        try need.check(on: .cpu, available: nil)
        // Other devices have memory of their own.
        try need.check(on: .cuda, available: 1)
        #expect {
            try need.check(on: .cpu, available: 4.9e9)
        } throws: {
            "\($0)"
                == "a giant needs 5.0 GB of memory at least, and this machine has 4.9 GB to give: ask for a dwarf"
        }
    }

    /// The sums of what lives at once, written out.
    @Test func activationsAreThoseThatLiveTogether() {
        var unet = UNet2DConfiguration()
        (unet.blockOutChannels, unet.layersPerBlock) = ([8, 16], 3)
        #expect(
            NetworkConfiguration(unet).activationCount([3, 32, 64])
                == Double(2 * (3 * 8 + 2 * (8 + 16) + 3 * 8) * 32 * 64))
        (unet.blockOutChannels, unet.layersPerBlock) = ([8, 16, 128], 9)
        #expect(
            NetworkConfiguration(unet).activationCount([3, 32, 64])
                == Double(2 * 9 * (8 * 32 * 64 + 16 * 16 * 32 + 128 * 8 * 16)))
        var transformer = DiTConfiguration()
        (transformer.numAttentionHeads, transformer.attentionHeadDim, transformer.patchSize) = (2, 8, 2)
        #expect(
            NetworkConfiguration(transformer).activationCount([4, 32, 32]) == 16 * 16 * 16 * 2)
    }
}
