extension Recipe {
    /// The optimizer, its schedule, and what a run keeps.
    public struct TrainingSection: Codable, Equatable, Sendable {
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
        /// Where the arithmetic runs: `cpu`, `cuda`, `cuda:1`, `mps`.
        public var device = "cpu"
        /// Processor threads, at most as many as there are processors; 0 leaves the number to libtorch.
        public var threads = 0

        /// An element type for the network's arithmetic.
        public enum Precision: String, RecipeChoice {
            /// 32-bit throughout.
            case float32
            /// bfloat16 where autocast allows it, float32 elsewhere.
            case bfloat16
        }

        /// An order of pictures and weights in memory.
        public enum MemoryFormat: String, RecipeChoice {
            /// Row by row, one channel after the other.
            case contiguous
            /// The channels of a pixel side by side.
            case channelsLast = "channels_last"
        }

        /// The section with every default.
        public init() {}

        enum CodingKeys: String, CodingKey {
            case steps
            case batchSize = "batch_size"
            case learningRate = "learning_rate"
            case schedule
            case warmupSteps = "warmup_steps"
            case weightDecay = "weight_decay"
            case beta1, beta2, epsilon
            case gradientClip = "gradient_clip"
            case gradientAccumulation = "gradient_accumulation"
            case emaDecay = "ema_decay"
            case precision
            case memoryFormat = "memory_format"
            case checkpointActivations = "checkpoint_activations"
            case prefetch
            case checkpointEvery = "checkpoint_every"
            case keepCheckpoints = "keep_checkpoints"
            case sampleEvery = "sample_every"
            case logEvery = "log_every"
            case device, threads
        }
    }
}
