import Checkpoints
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// Tables of places at another size, against torch's bicubic interpolation (`Tools/oracle/latents.py`).
@Suite struct PlaceTableTests {
    @Test(arguments: try Fixture.all(in: "places")) func equalsTheReference(fixture: Fixture) throws {
        let table = PlaceTable(leadingRows: try fixture.case.required("leading"))
        let (old, new) = try (fixture.tensor("table"), fixture.tensor("resized"))
        #expect(table.converts(old.shape, to: new.shape))
        expectClose(table.resized(old, to: new.shape), new, absolute: 2e-6)
    }

    @Test func onlySquaresOfOneWidthAreConverted() {
        let plain = PlaceTable()
        #expect(plain.converts([1, 16, 8], to: [1, 25, 8]) && plain.converts([16, 8], to: [4, 8]))
        #expect(
            !plain.converts([1, 16, 8], to: [1, 24, 8]) && !plain.converts([1, 15, 8], to: [1, 16, 8]))
        #expect(!plain.converts([1, 16, 8], to: [1, 25, 4]) && !plain.converts([1, 16, 8], to: [16, 8]))
        let vision = PlaceTable(leadingRows: 1)
        #expect(vision.converts([17, 8], to: [26, 8]) && !vision.converts([16, 8], to: [25, 8]))
        #expect(!vision.converts([1, 8], to: [2, 8]))
    }

    /// The rows in front are no places, and one number everywhere stays that number.
    @Test func rowsInFrontStay() throws {
        let places = Tensor.full(3, [9, 2])
        let table = concatenated([Tensor([7, 8] as [Float], shape: [1, 2]), places])
        let resized = PlaceTable(leadingRows: 1).resized(table, to: [26, 2])
        expectClose(resized.slice(0..<1, of: 0), Tensor([7, 8] as [Float], shape: [1, 2]))
        expectClose(resized.slice(1..<26, of: 0), Tensor.full(3, [25, 2]), absolute: 1e-6)
    }

    /// Each network says which of its parameters is such a table, and it is one.
    @Test func networksNameTheirTables() throws {
        var transformer = MMDiTConfiguration()
        (transformer.numLayers, transformer.numAttentionHeads, transformer.attentionHeadDim) = (1, 2, 8)
        (transformer.captionProjectionDim, transformer.posEmbedMaxSize) = (16, 6)
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try MMDiT(transformer, $0) }
        #expect(store.names.filter { MMDiT.placeTable(named: $0) != nil } == ["pos_embed.pos_embed"])
        var vision = CLIPVisionConfiguration()
        (vision.imageSize, vision.patchSize, vision.numHiddenLayers) = (32, 8, 1)
        let other = ParameterStore(.shapesOnly)
        _ = try other.build { try CLIPVision(vision, $0) }
        let name = try #require(other.names.first { CLIPVision.placeTable(named: $0) != nil })
        #expect(CLIPVision.placeTable(named: name)!.converts(other[name]!.shape, to: [26, 768]))
        #expect(DiT.placeTable(named: "pos_embed.pos_embed") == nil)
    }
}
