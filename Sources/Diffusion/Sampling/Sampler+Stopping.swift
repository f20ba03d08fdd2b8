extension Sampler {
    /// The sampler that stops at a level, where noise is left, of a process whose samples are scaled alike.
    /// - Throws: `DiffusionError` where no step is left.
    package func stopping(at level: NoiseLevel) throws -> Sampler {
        let count = grid.steps.prefix { $0.from.noiseRatio > level.noiseRatio }.count
        guard count > 0 else {
            throw DiffusionError(
                "no step is left before the noise at time \(level.time.map { "\($0)" } ?? "given"): give a lower one"
            )
        }
        var sampler = self
        sampler.grid = grid.prefix(count, endingAt: level)
        return sampler
    }
}
