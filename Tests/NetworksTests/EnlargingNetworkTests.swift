import Foundation
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

/// Networks that make a larger picture of one in a single pass.
@Suite struct EnlargingNetworkTests {
    /// The references are written from the papers, in PyTorch (`Tools/oracle/enlarging.py`).
    @Test(arguments: try Fixture.all(in: "enlarging"))
    func `a forward pass is that of the reference`(_ fixture: Fixture) throws {
        let name = try fixture.case.required("class", as: String.self)
        let network = try #require(KnownNetworks.enlarging.first { $0.className == name })
        try compare(fixture, network)
    }

    private func compare<Network: EnlargingNetwork>(_ fixture: Fixture, _ type: Network.Type) throws {
        let configuration = try type.configuration(
            fixture.case.required("configuration", as: JSONObject.self))
        let store = ParameterStore(.loaded(try fixture.source("weight.")))
        let network = try store.build { try type.init(configuration, $0) }
        #expect(store.parameterCount == (try fixture.case.required("parameters")))
        let sample = try fixture.tensor("input.sample")
        let expected = try fixture.tensor("output64.sample")
        expectClose(network(sample), expected.to(.float32), absolute: 1e-5, ofLargest: 1e-5)
        let wide = try ParameterStore(.loaded(fixture.source("weight.")), elementType: .float64).build {
            try type.init(configuration, $0)
        }
        expectClose(wide(sample.to(.float64)), expected, absolute: 1e-10)
        let traits = type.traits(configuration)
        #expect(expected.shape[2] == sample.shape[2] * traits.scale)
        #expect(expected.shape[1] == traits.outputChannels && sample.shape[1] == traits.channels)
    }

    // MARK: Pieces

    /// A small network of one block, whose pixels depend on others at most 4 + 15 pixels away.
    private func small(unshuffle: Int = 1) throws -> RRDBNet {
        var configuration = RRDBNetConfiguration()
        (configuration.numFeat, configuration.numBlock, configuration.numGrowCh) = (4, 1, 2)
        configuration.unshuffle = unshuffle
        let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        return try store.build { try RRDBNet(configuration, $0) }
    }

    @Test(arguments: [(150, 110), (97, 260), (64, 64), (40, 201)])
    func `pieces together are the whole where the network reaches no farther than their context`(
        height: Int, width: Int
    ) throws {
        let network = try small()
        let x = RandomGenerator(seed: 4).uniform([1, 3, height, width])
        let tiles = PictureTiles(side: 96, context: 22, blend: 8)
        var count = 0
        let pieces = tiles.enlarged(x, scale: 4, unit: 1) {
            count += 1
            return network($0)
        }
        #expect(count == tiles.count(height: height, width: width, unit: 1))
        #expect((count > 1) == (max(height, width) > 96))
        expectClose(pieces, network(x), absolute: 1e-5)
    }

    /// Pieces of a network that makes channels of squares of pixels begin at whole squares.
    @Test func `pieces begin at whole units`() throws {
        let network = try small(unshuffle: 2)
        let x = RandomGenerator(seed: 4).uniform([1, 3, 151, 75])
        let tiles = PictureTiles(side: 111, context: 41, blend: 8, unit: 2)
        #expect(tiles.side == 110)
        #expect(tiles.ranges(of: 151, unit: 2).allSatisfy { $0.lowerBound % 2 == 0 })
        let pieces = tiles.enlarged(x, scale: 2, unit: 2) { network($0) }
        expectClose(pieces, network(x), absolute: 1e-5)
    }

    /// Where two pieces differ, one fades into the other without a step.
    @Test func `pieces fade into each other`() throws {
        let tiles = PictureTiles(side: 48, context: 6, blend: 10)
        var piece = 0.0
        let result = tiles.enlarged(.zeros([1, 1, 40, 90]), scale: 1, unit: 1) { x in
            piece += 1
            return Tensor.full(piece, x.shape)
        }
        let row = try result.select(0, of: 2).flattened().array(of: Float.self)
        #expect(row.count == 90 && row.first == 1 && piece == 3)
        let steps = zip(row.dropFirst(), row).map { $0 - $1 }
        #expect(steps.allSatisfy { $0 >= 0 && $0 <= 0.1001 } && row.last == Float(piece))
    }

    // MARK: Configurations

    @Test(arguments: [
        (#"{"num_feat": 0}"#, "num_feat"), (#"{"unshuffle": 3}"#, "unshuffle"),
        (#"{"num_upsample": 9}"#, "num_upsample"), (#"{"num_block": -1}"#, "num_block"),
    ])
    func `a wrong value of RRDBNet is named by its key`(_ text: String, _ key: String) {
        #expect { try JSONDecoder().decode(RRDBNetConfiguration.self, from: Data(text.utf8)) } throws: {
            ($0 as? NetworkError)?.key == key
        }
    }

    @Test(arguments: [
        (#"{"embed_dim": 0}"#, "embed_dim"), (#"{"num_heads": [6]}"#, "num_heads"),
        (#"{"num_heads": [6, 6, 6, 6, 6, 7]}"#, "num_heads[5]"), (#"{"upscale": 5}"#, "upscale"),
        (#"{"upsampler": "nearest+conv", "upscale": 3}"#, "upscale"), (#"{"img_range": 0}"#, "img_range"),
        (#"{"upsampler": "", "upscale": 2}"#, "upscale"), (#"{"window_size": 0}"#, "window_size"),
    ])
    func `a wrong value of SwinIR is named by its key`(_ text: String, _ key: String) {
        #expect { try JSONDecoder().decode(SwinIRConfiguration.self, from: Data(text.utf8)) } throws: {
            ($0 as? NetworkError)?.key == key
        }
    }
}
