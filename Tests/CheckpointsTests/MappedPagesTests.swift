import Checkpoints
import Tensors
import TestSupport
import Testing

/// Weights that were packed need not stay in memory as they lie in their file.
@Suite struct MappedPagesTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func mapped(_ tensor: Tensor) throws -> Tensor {
        let path = folder("weights.safetensors")
        try SafetensorsWriter([("weights", tensor)]).write(to: path)
        return try SafetensorsFile(path: path, storage: .mapped).tensor(named: "weights")
    }

    @Test func forgottenPagesLeaveMemoryAndAreReadAgain() throws {
        let drawn = RandomGenerator(seed: 3).normal([16, 1024, 1024])
        let weights = try mapped(drawn)
        let sum = try weights.sum().item(Float.self)
        let before = Machine.residentBytes
        weights.forgetMappedPages()
        // Half of the 64 MB, because other tests run beside this one.
        #expect(Machine.residentBytes < before - (32 << 20))
        #expect(try weights.sum().item(Float.self) == sum)
        #expect(try (weights - drawn).magnitude().max().item(Float.self) == 0)
    }

    @Test func whatWasWrittenStays() throws {
        let weights = try mapped(RandomGenerator(seed: 4).normal([64, 1024]))
        try weights.slice(3..<5, of: 0).assign(7)
        weights.forgetMappedPages()
        #expect(try weights.slice(3..<5, of: 0).array(of: Float.self).allSatisfy { $0 == 7 })
    }

    @Test func memoryOfOurOwnStays() throws {
        let drawn = RandomGenerator(seed: 5).normal([64, 1024])
        let values = try drawn.array(of: Float.self)
        drawn.forgetMappedPages()
        #expect(try drawn.array(of: Float.self) == values)
    }
}
