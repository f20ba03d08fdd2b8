import Tensors
import Testing

@Suite struct AutogradTests {
    @Test func gradientOfAPolynomial() throws {
        let x = Tensor([1, 2, 3] as [Double]).requiringGradient()
        let y = (x * x * x).sum()
        let found = try gradients(of: [y], withRespectTo: [x])[0]
        #expect(try found?.array(of: Double.self) == [3, 12, 27])
    }

    @Test func gradientsCanBeTakenAgain() throws {
        let x = Tensor([1, 2, 3] as [Double]).requiringGradient()
        let first = try gradients(of: [(x * x * x).sum()], withRespectTo: [x], differentiable: true)[0]!
        let second = try gradients(of: [first.sum()], withRespectTo: [x])[0]
        #expect(try second?.array(of: Double.self) == [6, 12, 18])
    }

    @Test func backwardAddsUp() throws {
        let x = Tensor([2] as [Double]).requiringGradient()
        try (x * 3).sum().backward()
        try (x * x).sum().backward()
        #expect(try x.gradient?.item() == 7.0)
        try x.clearGradient()
        #expect(x.gradient == nil)
    }

    @Test func scopesDecideWhatIsRecorded() throws {
        let x = Tensor([2] as [Double]).requiringGradient()
        #expect((x * x).requiresGradient)
        withoutGradients {
            #expect(!(x * x).requiresGradient)
            withGradients { #expect((x * x).requiresGradient) }
        }
        inference { #expect(!(x * x).requiresGradient) }
        #expect((x * x).requiresGradient)
    }

    @Test func gradientsAreTakenInsideInference() throws {
        let weight = Tensor([2, 3] as [Double])
        let (value, gradient, plain) = inference {
            let x = Tensor([1, 2] as [Double]) * 2
            let (value, gradient) = valueAndGradient(of: { $0 * $0 * weight }, at: x)
            return (value, gradient, x * weight)
        }
        #expect(try value.array(of: Double.self) == [8, 48])
        #expect(try gradient.array(of: Double.self) == [8, 24])
        #expect(!plain.requiresGradient && !value.requiresGradient)
    }

    @Test func anUnusedInputHasNoGradient() throws {
        let x = Tensor([2] as [Double]).requiringGradient()
        let y = Tensor([2] as [Double]).requiringGradient()
        let found = try gradients(of: [(x * x).sum()], withRespectTo: [x, y])
        #expect(found[0] != nil && found[1] == nil)
    }

    @Test func autocastComputesProductsInBfloat16AndEndsWithItsScope() throws {
        let a = Tensor.ones([4, 4])
        autocast(to: .bfloat16) {
            #expect(a.matmul(a).elementType == .bfloat16)
            #expect((a + a).elementType == .float32)
        }
        #expect(a.matmul(a).elementType == .float32)
    }

    @Test func failuresComeOutOfBackward() throws {
        let x = Tensor.ones([2, 3]).requiringGradient()
        #expect(throws: TensorError.self) { try x.matmul(x).sum().backward() }
        #expect(throws: TensorError.self) { try Tensor(1.0).backward() }
    }

    @Test func adamWMovesAgainstTheGradient() throws {
        let parameter = Tensor([1, -1] as [Float])
        let zero = Tensor.zeros([2])
        let moments = (zero + 0, zero + 0)
        try ManyTensors.adamW(
            parameters: [parameter], gradients: [Tensor([0.5, -0.25] as [Float])],
            firstMoments: [moments.0], secondMoments: [moments.1], steps: [Tensor(Float(1))],
            learningRate: 0.1, beta1: 0.9, beta2: 0.999, weightDecay: 0, epsilon: 1e-8)
        let values = try parameter.array(of: Float.self)
        #expect(abs(values[0] - 0.9) < 1e-6 && abs(values[1] + 0.9) < 1e-6)
    }
}
