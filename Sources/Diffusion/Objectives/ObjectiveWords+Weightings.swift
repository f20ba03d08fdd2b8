extension ObjectiveWords {
    /// How much each level counts: values that make the weighting for a schedule.
    public static let weightings = WordTable<@Sendable (any NoiseSchedule) -> LossWeighting>(
        "weighting",
        [
            .init("simple") { _ in { _ in .simple } },
            .init("edm", [.init("sigma_data", 0.5, in: 1e-6...1e6)]) { numbers in
                { _ in .edm(sigmaData: numbers[0]) }
            },
            .init("min-snr", [.init("gamma", 5, in: 1e-6...1e6)]) { numbers in
                { _ in .minSNR(gamma: numbers[0]) }
            },
            .init("p2", [.init("gamma", 1, in: 0...100), .init("k", 1, in: 1e-6...1e6)]) { numbers in
                { _ in .p2(gamma: numbers[0], k: numbers[1]) }
            },
            .init("sigmoid", [.init("bias", 2, in: -30...30)]) { numbers in
                { _ in .sigmoid(bias: numbers[0]) }
            },
            .init("bound") { _ in { $0.boundWeighting } },
            .init("truncated-snr") { _ in { _ in .truncatedSNR } },
            .init("uniform-noise") { _ in { _ in .uniformNoise } },
            .init("uniform-data") { _ in { _ in .uniformData } },
            .init("uniform-v") { _ in { _ in .uniformVelocity } },
        ])
}
