extension Recipe {
    /// The optimizer, its schedule, and what a run keeps.
    public struct TrainingSection: Equatable, Sendable {
        /// Optimizer steps of the whole run.
        public var steps = 10_000
        /// Examples a step draws from the data at once; a step sees `gradient_accumulation` times as many.
        public var batchSize = 64
        /// Learning rate at its highest.
        public var learningRate = 2e-4
        /// How the learning rate goes on after the warm-up.
        public var schedule = LearningRate.Curve.cosine
        /// Steps over which the learning rate rises linearly from 0.
        public var warmupSteps = 100
        /// Decoupled weight decay of AdamW (Loshchilov and Hutter 2019).
        public var weightDecay = 0.0
        /// Decay of AdamW's mean of the gradient.
        public var beta1 = 0.9
        /// Decay of AdamW's mean of the squared gradient.
        public var beta2 = 0.999
        /// What AdamW adds to the root in its denominator.
        public var epsilon = 1e-8
        /// Largest norm of all gradients together; larger ones are scaled down. 0 leaves them alone.
        public var gradientClip = 1.0
        /// Batches whose gradients are averaged into one step.
        public var gradientAccumulation = 1
        /// Decay of the exponential moving average of the weights that pictures are drawn from; 0 turns it off.
        public var emaDecay = 0.999
        /// Element type of the network's arithmetic; weights and optimizer stay in float32.
        public var precision = Precision.float32
        /// How pictures and the weights of convolutions lie in memory; the results differ in the last bits at most.
        public var memoryFormat = MemoryFormat.channelsLast
        /// Whether blocks of the network compute their activations again in the backward pass rather than keep
        /// them: less memory for about a third more arithmetic; the results differ in the last bits at most.
        public var checkpointActivations = false
        /// Batches that are prepared on another thread while a step runs; 0 makes each when its step begins.
        public var prefetch = 2
        /// Steps between checkpoints; 0 keeps the one at the end only.
        public var checkpointEvery = 1000
        /// How many checkpoints stay, the newest ones.
        public var keepCheckpoints = 3
        /// Steps between sample sheets; 0 draws the one at the end only.
        public var sampleEvery = 1000
        /// Steps between lines of the metrics.
        public var logEvery = 10
        /// Steps between measurements of the held-out loss, on lines of the metrics; 0 measures it at the end only.
        public var validateEvery = 100
        /// Where the arithmetic runs: `cpu`, `cuda`, `cuda:1`, `mps`.
        public var device = "cpu"
        /// Processor threads, at most as many as there are processors; 0 leaves the number to libtorch.
        public var threads = 0

        /// An element type for the network's arithmetic.
        public enum Precision: String, RecipeChoice, CaseIterable {
            /// 32-bit throughout.
            case float32
            /// bfloat16 where autocast allows it, float32 elsewhere.
            case bfloat16
        }

        /// An order of pictures and weights in memory.
        public enum MemoryFormat: String, RecipeChoice, CaseIterable {
            /// Row by row, one channel after the other.
            case contiguous
            /// The channels of a pixel side by side.
            case channelsLast = "channels_last"
        }

        /// The section with every default.
        public init() {}
    }
}

extension Recipe.TrainingSection {
    static let keys: [RecipeKey] = optimizerKeys + runKeys

    private static let optimizerKeys: [RecipeKey] = [
        RecipeKey(
            "training.steps", \.training.steps, .whole(1...1_000_000_000),
            changeable: "a run may be made longer or shorter; the cosine then ends at the new last step",
            "Optimizer steps of the whole run."),
        RecipeKey(
            "training.batch_size", \.training.batchSize, .whole(1...65_536),
            "Examples of a batch; a step sees gradient_accumulation times as many."),
        RecipeKey(
            "training.learning_rate", \.training.learningRate, .number(1e-12...10),
            "Learning rate at its highest."),
        RecipeKey(
            "training.schedule", \.training.schedule, .choice,
            "How the learning rate goes on after the warm-up."),
        RecipeKey(
            "training.warmup_steps", \.training.warmupSteps, .whole(0...1_000_000_000),
            "Steps over which the learning rate rises linearly from 0."),
        RecipeKey(
            "training.weight_decay", \.training.weightDecay, .number(0...10),
            "Decoupled weight decay of AdamW (Loshchilov and Hutter 2019)."),
        RecipeKey(
            "training.beta1", \.training.beta1, .number(0...0.999_999_999),
            "Decay of AdamW's mean of the gradient."),
        RecipeKey(
            "training.beta2", \.training.beta2, .number(0...0.999_999_999),
            "Decay of AdamW's mean of the squared gradient."),
        RecipeKey(
            "training.epsilon", \.training.epsilon, .number(1e-20...1),
            "What AdamW adds to the root in its denominator."),
        RecipeKey(
            "training.gradient_clip", \.training.gradientClip, .number(0...1e9),
            "Largest norm of all gradients together; larger ones are scaled down, 0 leaves them alone."),
        RecipeKey(
            "training.gradient_accumulation", \.training.gradientAccumulation, .whole(1...65_536),
            "Batches whose gradients are averaged into one step."),
        RecipeKey(
            "training.ema_decay", \.training.emaDecay, .number(0...0.999_999_999),
            "Decay of the moving average of the weights that samples are drawn from; 0 turns it off."),
    ]

    private static let runKeys: [RecipeKey] = [
        RecipeKey(
            "training.precision", \.training.precision, .choice,
            "Element type of the network's arithmetic; weights and optimizer stay in float32."),
        RecipeKey(
            "training.memory_format", \.training.memoryFormat, .choice,
            changeable: "it decides how fast a step is, and the last bits of sums at most",
            "How pictures and the weights of convolutions lie in memory."),
        RecipeKey(
            "training.checkpoint_activations", \.training.checkpointActivations, .truth,
            changeable:
                "it decides what is kept and what is computed again, and the last bits of sums at most",
            "Whether activations are computed again in the backward pass rather than kept."),
        RecipeKey(
            "training.prefetch", \.training.prefetch, .whole(0...64),
            changeable: "it only decides when batches are made",
            "Batches that are prepared while a step runs."),
        RecipeKey(
            "training.checkpoint_every", \.training.checkpointEvery, .whole(0...1_000_000_000),
            changeable: "it only decides when the state is saved",
            "Steps between checkpoints; 0 keeps the one at the end only."),
        RecipeKey(
            "training.keep_checkpoints", \.training.keepCheckpoints, .whole(1...1_000_000),
            changeable: "it only decides what is deleted", "How many checkpoints stay, the newest ones."),
        RecipeKey(
            "training.sample_every", \.training.sampleEvery, .whole(0...1_000_000_000),
            changeable: "sheets are drawn with generators of their own",
            "Steps between sample sheets; 0 draws the one at the end only."),
        RecipeKey(
            "training.log_every", \.training.logEvery, .whole(1...1_000_000_000),
            changeable: "it only decides what is written down", "Steps between lines of the metrics."),
        RecipeKey(
            "training.validate_every", \.training.validateEvery, .whole(0...1_000_000_000),
            changeable: "it is measured with a generator of its own",
            "Steps between measurements of the held-out loss, where a line of the metrics is due; 0 measures it at the end only."
        ),
        RecipeKey(
            "training.device", \.training.device,
            .text("cpu, cuda, cuda:0 (or another number) or mps", where: isDevice),
            "Where the arithmetic runs."),
        RecipeKey(
            "training.threads", \.training.threads, .whole(0...1024),
            changeable: "it decides how fast a step is, and the last bits of sums at most",
            "Processor threads; 0 leaves the number to libtorch."),
    ]

    @Sendable private static func isDevice(_ name: String) -> Bool {
        if ["cpu", "cuda", "mps"].contains(name) { return true }
        guard name.hasPrefix("cuda:"), let index = Int(name.dropFirst(5)) else { return false }
        return (0..<64).contains(index)
    }
}
