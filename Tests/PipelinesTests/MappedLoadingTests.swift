import Checkpoints
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// A U-Net of full size opens from its file without being read, and without a second copy.
@Suite struct MappedLoadingTests {
    @Test func openingStableDiffusionReadsNoWeights() throws {
        var configuration = UNet2DConditionConfiguration()
        configuration.crossAttentionDim = .same(768)
        let shapes = ParameterStore(.shapesOnly)
        _ = try shapes.build { try UNet2DCondition(configuration, $0) }
        #expect(shapes.parameterCount == 859_520_964)

        let folder = try TemporaryFolder()
        let path = folder("unet.safetensors")
        try writeHoles(shapes.named.map { ($0, $1.shape) }, to: path)
        let start = processorSeconds()
        let store = ParameterStore(.loaded(try SafetensorsFile(path: path)))
        let network = try store.build { try UNet2DCondition(configuration, $0) }
        // Copying 3.4 GB takes longer than that.
        #expect(processorSeconds() - start < 0.5)
        #expect(store.byteCount == 4 * 859_520_964)
        withExtendedLifetime(network) {}
    }

    /// A file of 3.4 GB of which only the header is on the disk: what is not written reads as zeros.
    private func writeHoles(_ tensors: [(String, Shape)], to path: String) throws {
        var offset = 0
        var entries: [String] = []
        for (name, shape) in tensors {
            let end = offset + 4 * shape.elementCount
            entries.append(
                "\"\(name)\":{\"dtype\":\"F32\",\"shape\":\(Array(shape)),\"data_offsets\":[\(offset),\(end)]}"
            )
            offset = end
        }
        let header = Data("{\(entries.joined(separator: ","))}".utf8)
        var length = UInt64(header.count).littleEndian
        var data = withUnsafeBytes(of: &length) { Data($0) }
        data.append(header)
        try data.write(to: URL(fileURLWithPath: path))
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.truncate(atOffset: UInt64(data.count + offset))
        try handle.close()
    }
}
