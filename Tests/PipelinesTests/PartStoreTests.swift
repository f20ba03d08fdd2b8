import Pipelines
import Tensors
import TestSupport
import Testing

/// What a store keeps, and that pictures do not depend on it.
@Suite struct PartStoreTests {
    @Test func whatWasUsedLastStays() throws {
        let store = PartStore(keeping: 100)
        var made: [String] = []
        func part(_ name: String, _ size: Int) throws -> String {
            try store.part(name, byteCount: size) {
                made.append(name)
                return name
            }
        }
        _ = try part("a", 40)
        _ = try part("b", 40)
        _ = try part("a", 40)
        #expect(made == ["a", "b"] && store.byteCount == 80)
        // The one that was not used goes.
        _ = try part("c", 50)
        #expect(store.byteCount == 90)
        _ = try part("a", 40)
        _ = try part("b", 40)
        #expect(made == ["a", "b", "c", "b"])
        // What is larger than all of it is made every time.
        _ = try part("giant", 101)
        _ = try part("giant", 101)
        #expect(made.suffix(2) == ["giant", "giant"] && store.byteCount == 80)
        store.removeAll()
        #expect(store.byteCount == 0)
    }

    @Test func aStoreWithoutABudgetKeepsNothing() throws {
        let store = PartStore()
        var made = 0
        for _ in 0..<2 { try store.part("a", byteCount: 1) { made += 1 } }
        #expect(made == 2 && store.byteCount == 0)
    }

    @Test func picturesDoNotDependOnIt() throws {
        let tiny = try TinyStableDiffusion()
        var options = ModelOptions()
        options.parts = PartStore(keeping: 1 << 30)
        let model = try Model(tiny.path, options)
        let request = TinyStableDiffusion.request()
        let alone = try tiny.model().run(request).pictures()
        for _ in 0..<2 {
            let pictures = try model.run(request).pictures()
            #expect(try (pictures - alone).magnitude().max().item(Double.self) == 0)
        }
        #expect(options.parts.byteCount > 0)
        // Another element type is another part.
        let before = options.parts.byteCount
        options.elementType = .float64
        _ = try Model(tiny.path, options).run(request).pictures()
        #expect(options.parts.byteCount == 3 * before)
    }
}
