import Tensors
import Testing

@Suite struct TensorTests {
    @Test func valuesComeBackAsTheyWentIn() throws {
        let values: [Float] = [1.5, -2, 3, 4, 5, 6]
        let tensor = Tensor(values, shape: [2, 3])
        #expect(tensor.shape == [2, 3])
        #expect(tensor.elementType == .float32)
        #expect(try tensor.array(of: Float.self) == values)
        #expect(try tensor.array(of: Int.self) == [1, -2, 3, 4, 5, 6])
        #expect(try tensor.transposed().array(of: Float.self) == [1.5, 4, -2, 5, 3, 6])
    }

    @Test(arguments: ElementType.allCases)
    func everyElementTypeHoldsSmallNumbers(type: ElementType) throws {
        let tensor = Tensor([0, 1, 1, 0] as [Int], shape: [2, 2]).to(type)
        #expect(tensor.elementType == type)
        #expect(tensor.byteCount == 4 * type.byteCount)
        #expect(try tensor.array(of: Int.self) == [0, 1, 1, 0])
        #expect(ElementType(name: type.name) == type)
    }

    @Test func arithmeticBroadcasts() throws {
        let a = Tensor([1, 2, 3, 4] as [Double], shape: [2, 2])
        let b = Tensor([10, 20] as [Double])
        #expect(try (a + b).array(of: Double.self) == [11, 22, 13, 24])
        #expect(try (1 - a).array(of: Double.self) == [0, -1, -2, -3])
        #expect(try (6 / a).array(of: Double.self) == [6, 3, 2, 1.5])
        #expect(try (a * 2 - b / 10).array(of: Double.self) == [1, 2, 5, 6])
        #expect(try a.adding(productOf: a, a, scale: 0.5).array(of: Double.self) == [1.5, 4, 7.5, 12])
        #expect(
            try a.interpolated(to: a + 1, weight: 0.25).array(of: Double.self) == [1.25, 2.25, 3.25, 4.25])
    }

    @Test func reductionsAndMatrices() throws {
        let a = Tensor([4, 1, 1, 3] as [Double], shape: [2, 2])
        #expect(try a.sum().item() == 9.0)
        #expect(try a.mean([0]).array(of: Double.self) == [2.5, 2])
        #expect(try a.variance([1]).array(of: Double.self) == [4.5, 2])
        #expect(try a.matmul(.identity(2, .float64)).isIdentical(to: a))
        #expect(try abs(a.logDeterminant().item() - 11.0.logarithm) < 1e-14)
        let factor = a.choleskyFactor()
        let back = try factor.matmul(factor.transposed()).array(of: Double.self)
        #expect(zip(back, [4.0, 1, 1, 3]).allSatisfy { abs($0 - $1) < 1e-14 })
        #expect(try abs((a.inverse().matmul(a) - .identity(2, .float64)).norm().item()) < 1e-14)
        let eigen = a.symmetricEigen()
        #expect(try abs(eigen.values.sum().item() - 7.0) < 1e-13)
    }

    @Test func shapesChangeWithoutTouchingElements() throws {
        let a = Tensor((0..<24).map(Double.init), shape: [2, 3, 4])
        #expect(a.permuted(2, 0, 1).shape == [4, 2, 3])
        #expect(
            try a.slice(1..<3, of: 1).array(of: Int.self) == [
                4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23,
            ])
        #expect(try concatenated(a.chunked(2, of: 2), along: 2).isIdentical(to: a))
        #expect(try concatenated(a.split([1, 3], of: 2), along: 2).isIdentical(to: a))
        #expect(try stacked([a[0], a[1]]).isIdentical(to: a))
        #expect(try a.strided(from: 1, by: 2, of: 2)[0][0].array(of: Int.self) == [1, 3])
        #expect(a.padded([1, 2, 0, 1]).shape == [2, 4, 7])
        #expect(Tensor.ones([5]).broadcast(toRank: 4).shape == [5, 1, 1, 1])
    }

    @Test func indicesChoose() throws {
        let table = Tensor((0..<6).map(Double.init), shape: [3, 2])
        let indices = Tensor([2, 0] as [Int])
        #expect(try table.gathered(indices).array(of: Int.self) == [4, 5, 0, 1])
        #expect(try table.embedding(indices).array(of: Int.self) == [4, 5, 0, 1])
        #expect(try table.indexed([nil, Tensor([1] as [Int])]).array(of: Int.self) == [1, 3, 5])
        #expect(try indices.oneHot(3).array(of: Int.self) == [0, 0, 1, 1, 0, 0])
        #expect(
            try (table .> 2).choosing(table, otherwise: -table).array(of: Int.self) == [0, -1, -2, 3, 4, 5])
    }

    @Test func aFailureTravelsAndIsThrownWhereValuesAreRead() throws {
        let a = Tensor.ones([2, 3])
        let failed = a.matmul(a).silu().sum([0]) + a
        #expect(failed.failure?.message.contains("mat1 and mat2 shapes cannot be multiplied") == true)
        #expect(failed.shape[3] == 1)
        #expect(throws: TensorError.self) { try failed.array(of: Float.self) }
        let all = concatenated([a, failed])
        #expect(all.failure?.message == failed.failure?.message)
    }

    @Test func tooMuchMemoryIsAnErrorOfItsOwnKind() throws {
        let huge = Tensor.zeros([1 << 20, 1 << 20, 8], .float64)
        #expect(huge.failure?.kind == .outOfMemory)
    }

    @Test func sharedMemoryKeepsItsOwner() throws {
        final class Owner {
            let memory = UnsafeMutablePointer<Float>.allocate(capacity: 4)
            deinit { memory.deallocate() }
        }
        weak var observed: Owner?
        var tensor: Tensor?
        do {
            let owner = Owner()
            owner.memory.initialize(repeating: 7, count: 4)
            observed = owner
            tensor = Tensor(sharing: owner.memory, shape: [2, 2], elementType: .float32, owner: owner)
        }
        #expect(observed != nil)
        #expect(try tensor?.sum().item() == 28.0)
        tensor = nil
        #expect(observed == nil)
    }

    @Test func shapesWithoutMemoryHaveNoValues() throws {
        let ghost = Tensor.empty([1 << 20, 1 << 20], .float32, on: .meta)
        #expect(ghost.elementCount == 1 << 40)
        #expect(throws: TensorError.self) { try ghost.array(of: Float.self) }
    }

    @Test func absentDevicesAreRefusedWithASentence() throws {
        #expect(throws: TensorError.self) { try Device(available: "abacus") }
        #expect(throws: TensorError.self) { try Device(available: "mps:0") }
        #expect(try Device(available: "cpu") == .cpu)
    }

    @Test func channelsLastIsTheSameTensor() throws {
        let a = Tensor((0..<120).map(Float.init), shape: [2, 3, 4, 5])
        let b = a.contiguous(.channelsLast)
        #expect(!b.isContiguous)
        #expect(try b.isIdentical(to: a))
    }
}

extension Double {
    fileprivate var logarithm: Double { (try? Tensor(self).log().item()) ?? .nan }
}
