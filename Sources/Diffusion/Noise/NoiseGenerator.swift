import Tensors

/// Where the noise of pictures is drawn from: by default libtorch's generator on the processor. The others give the noise of
/// other programs, so that their seeds can be brought along. All of them compute on the processor, on every device.
public struct NoiseGenerator: Sendable, Hashable {
    /// The word for it, as requests and receipts have it.
    public let word: String
    /// What it is, for the help.
    public let meaning: String
    /// The largest seed that it takes.
    public let largestSeed: UInt64
    private let make: @Sendable (UInt64) -> any NormalStream

    /// `torch.Generator("cpu")`.
    public static let torch = NoiseGenerator(
        "torch", "libtorch's on the processor, as diffusers' examples", .max
    ) { RandomGenerator(seed: $0) }

    /// Every generator, in the order of the help.
    public static let all = [
        torch,
        NoiseGenerator("nv", "AUTOMATIC1111's NV, which is torch's on a card", .max) {
            PhiloxStream(seed: $0)
        },
        NoiseGenerator(
            "cuda", "torch's on a card that has a thread for each number, the same as nv", .max
        ) { PhiloxStream(seed: $0) },
        NoiseGenerator(
            "numpy", "RandomState(seed).standard_normal of NumPy", UInt64(UInt32.max)
        ) { MersenneTwisterStream(seed: UInt32($0)) },
    ]

    /// The generator of a word; `nil` where there is none.
    public init?(word: String) {
        guard let known = Self.all.first(where: { $0.word == word }) else { return nil }
        self = known
    }

    private init(
        _ word: String, _ meaning: String, _ largestSeed: UInt64,
        _ make: @escaping @Sendable (UInt64) -> any NormalStream
    ) {
        (self.word, self.meaning, self.largestSeed, self.make) = (word, meaning, largestSeed, make)
    }

    /// A stream that starts from a seed.
    /// - Precondition: the seed is not above `largestSeed`.
    public func stream(seed: UInt64) -> any NormalStream { make(seed) }

    /// Whether two are the same.
    public static func == (first: Self, second: Self) -> Bool { first.word == second.word }
    /// The word decides.
    public func hash(into hasher: inout Hasher) { hasher.combine(word) }
}

/// A stream of standard normal numbers that a seed decides. It is an object, because drawing changes it.
public protocol NormalStream: AnyObject, Sendable {
    /// The next numbers, in the order of memory.
    /// - Parameter type: `float32` or `float64`.
    func normal(_ shape: Shape, _ type: ElementType) -> Tensor
}

extension RandomGenerator: NormalStream {}
