import EmulatedKernels
import Tensors
import TestSupport
import Testing

/// The fused kernels of CUDA, run on the processor, against plain operators in float64.
@Suite struct KernelTests {
    private let groupNorm = Operator("langevin_emulated::group_norm")
    private let layerNorm = Operator("langevin_emulated::layer_norm")
    private let geglu = Operator("langevin_emulated::geglu")
    private let gatedAdd = Operator("langevin_emulated::gated_add")
    private let draw = RandomGenerator(seed: 7)

    /// The unit of rounding of results, and a little for the sums.
    private func tolerance(_ type: ElementType) -> Double {
        switch type {
        case .float16: 1e-3
        case .bfloat16: 8e-3
        case .float64: 1e-12
        default: 1e-5
        }
    }

    @Test(arguments: [ElementType.float32, .float16, .bfloat16, .float64], [true, false])
    func groupNormNormalizesAndActivates(type: ElementType, isActivated: Bool) {
        // Far from 0, where squares would lose the variance.
        let x = (draw.normal([2, 12, 7, 5]) * 2 + 50).to(type)
        // Layers keep the weights of norms in float32 beside float16.
        let weightType = type == .float16 ? .float32 : type
        let (weight, bias) = (draw.normal([12]).to(weightType), draw.normal([12]).to(weightType))
        let actual = groupNorm(
            .tensor(x), .int(3), .tensor(weight), .tensor(bias), .double(1e-5),
            .bool(isActivated))
        let normal = x.to(.float64).groupNormalized(
            groups: 3, weight: weight.to(.float64), bias: bias.to(.float64))
        #expect(actual.elementType == type)
        // A number near 50 has as many digits less as it is larger than the deviation.
        expectClose(
            actual.to(.float64), isActivated ? normal.silu() : normal, relative: tolerance(type),
            absolute: tolerance(type) * (type == .float32 || type == .float64 ? 5 : 1))
    }

    @Test func manyChannelsShareThreads() {
        let x = draw.normal([1, 800, 1, 2])
        let (weight, bias) = (draw.normal([800]), draw.normal([800]))
        let actual = groupNorm(
            .tensor(x), .int(4), .tensor(weight), .tensor(bias), .double(1e-6), .bool(false))
        let expected = x.groupNormalized(groups: 4, weight: weight, bias: bias, epsilon: 1e-6)
        expectClose(actual, expected, relative: 1e-5, absolute: 1e-5)
    }

    @Test(arguments: [ElementType.float32, .float16, .bfloat16, .float64])
    func layerNormIsModulatedByPicture(type: ElementType) {
        let x = (draw.normal([2, 3, 40]) * 3 + 10).to(type)
        // Slices of one wide row, as networks make them.
        let parts = draw.normal([2, 1, 160]).to(type).chunked(4, of: 2)
        let actual = layerNorm(
            .tensor(x), .none, .none, .tensor(parts[1]), .tensor(parts[3]), .double(1e-6))
        let (shift, scale) = (parts[1].to(.float64), parts[3].to(.float64))
        let expected = x.to(.float64).layerNormalized(over: [40], epsilon: 1e-6) * (scale + 1) + shift
        expectClose(actual.to(.float64), expected, relative: tolerance(type), absolute: tolerance(type))
    }

    @Test func layerNormHasWeights() {
        let (x, weight, bias) = (draw.normal([2, 2, 300]), draw.normal([300]), draw.normal([300]))
        let actual = layerNorm(.tensor(x), .tensor(weight), .tensor(bias), .none, .none, .double(1e-5))
        expectClose(
            actual, x.layerNormalized(over: [300], weight: weight, bias: bias), relative: 1e-5, absolute: 1e-5
        )
    }

    @Test(arguments: [ElementType.float32, .float16, .bfloat16, .float64])
    func gegluMultipliesByTheGate(type: ElementType) {
        let x = draw.normal([2, 3, 22]).to(type)
        let halves = x.to(.float64).chunked(2, of: 2)
        expectClose(
            geglu(.tensor(x)).to(.float64), halves[0] * halves[1].gelu(), relative: tolerance(type),
            absolute: tolerance(type) / 10)
    }

    @Test(arguments: [ElementType.float32, .float16, .bfloat16, .float64], [1, 2])
    func gatesAreOfAPictureOrOfAll(type: ElementType, gates: Int) {
        let (x, y) = (draw.normal([2, 5, 24]).to(type), draw.normal([2, 5, 24]).to(type))
        let gate = draw.normal([gates, 1, 48]).to(type).chunked(2, of: 2)[1]
        let expected = x.to(.float64) + gate.to(.float64) * y.to(.float64)
        expectClose(
            gatedAdd(.tensor(x), .tensor(gate), .tensor(y)).to(.float64), expected,
            relative: tolerance(type), absolute: tolerance(type) / 10)
    }

    @Test func roundsToTheNearestAndKeepsWhatIsNoNumber() throws {
        // 1 + 2⁻⁸ lies between two numbers of bfloat16 and goes to the even one.
        let x = Tensor([1, 1 + 0x1p-7, .nan, .infinity] as [Float], shape: [1, 1, 4]).to(.bfloat16)
        let y = Tensor([0x1p-8, 0x1p-8, 1, 1] as [Float], shape: [1, 1, 4]).to(.bfloat16)
        let one = Tensor.ones([1, 1, 4], .bfloat16)
        let sums = try gatedAdd(.tensor(x), .tensor(one), .tensor(y)).array(of: Float.self)
        #expect(sums[0] == 1 && sums[1] == 1 + 0x1p-6 && sums[2].isNaN && sums[3] == .infinity)
    }

    @Test func refusesShapesThatDoNotFit() {
        let x = Tensor.ones([2, 3, 4])
        #expect(gatedAdd(.tensor(x), .tensor(.ones([3, 1, 4])), .tensor(x)).failure != nil)
        #expect(geglu(.tensor(.ones([3]))).failure != nil)
        let weight = Tensor.ones([4])
        let four = Tensor.ones([1, 4, 1, 1])
        #expect(
            groupNorm(
                .tensor(four), .int(3), .tensor(weight), .tensor(weight), .double(0), .bool(false)
            ).failure != nil)
    }
}
