extension ObjectiveWords {
    /// How times are drawn: values that make the draw of a schedule's times.
    public static let times = WordTable<@Sendable (any NoiseSchedule) -> any TimeSampling>(
        "times",
        [
            .init("uniform") { _ in { $0.uniformTimes } },
            .init("logit-normal", [.init("mean", 0, in: -20...20), .init("deviation", 1, in: 1e-3...100)]) {
                numbers in
                { DensityTimes(.logitNormal(mean: numbers[0], deviation: numbers[1]), on: $0) }
            },
            .init("mode", [.init("scale", 1.29, in: -1...2 / (.pi - 2))]) { numbers in
                { DensityTimes(.mode(scale: numbers[0]), on: $0) }
            },
            .init("cosmap") { _ in { DensityTimes(.cosineMap, on: $0) } },
            .init("log-normal", [.init("mean", -1.2, in: -20...20), .init("deviation", 1.2, in: 1e-3...100)])
            {
                numbers in
                { DensityTimes(.logNormal(mean: numbers[0], deviation: numbers[1]), on: $0) }
            },
            .init("importance", [.init("uniform_share", 0.001, in: 0...1)]) { numbers in
                { ImportanceSampledTimes(on: $0, uniformShare: numbers[0]) }
            },
        ])
}
