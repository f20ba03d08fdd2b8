import Checkpoints
import Diffusers
import Diffusion
import Foundation
import Storage
import Tensors

/// An exactly solvable model: Gaussian mixtures under any process. Its denoiser is known in closed form, so
/// whatever a solver gets wrong is a number.
///
/// On disk a JSON object: `kind` (`gaussian-mixture`), `weights` `[K]`, `means` `[K][D]`, `covariances`
/// `[K][D][D]`, `schedule` (a `StoredProcess`) and `prediction` (`noise`, `data`, `v`, `flow`). Its Gaussians are the
/// classes that a request can name.
public struct AnalyticModel: Sendable {
    /// The name of its file, for messages and receipts.
    public let name: String
    /// The sha256 of its file.
    public let digest: String
    /// The data, float64.
    public let mixture: GaussianMixture
    /// The number of Gaussians.
    public let partCount: Int
    /// The process, and how to sample it.
    public let process: StoredProcess
    /// What a network in its place would predict.
    public let prediction: Prediction
    /// The mean of the data, `[D]`, and their covariance, `[D, D]`, float64.
    let moments: (mean: Tensor, covariance: Tensor)

    private static let prefix = "analytic:"
    private static let keys = ["kind", "weights", "means", "covariances", "schedule", "prediction"]
    private static let predictions: [Prediction] = [.noise, .data, .velocity, .flow]

    /// The file of a model that a user named `analytic:FILE`; `nil` where it is a model of another kind.
    public static func path(of model: String) -> String? {
        model.hasPrefix(prefix) ? String(model.dropFirst(prefix.count)) : nil
    }

    /// Reads a model's file, strictly.
    /// - Throws: `CheckpointError` or `PipelineError`, one sentence that names the file and the key.
    public init(contentsOf path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else {
            throw PipelineError("there is no model '\(Self.prefix)\(path)': give the path of its JSON file")
        }
        guard let object = JSONObject(json: try JSONValue(file: path, allowsNonFinite: true)) else {
            throw PipelineError("\(path): an analytic model is a JSON object")
        }
        for key in object.keys where !Self.keys.contains(key) {
            throw PipelineError(
                "\(path): the key \(quoted(key)) is not known: \(Self.keys.joined(separator: ", ")) are")
        }
        let kind = try object.required("kind", as: String.self)
        guard kind == "gaussian-mixture" else {
            throw PipelineError(
                "\(path): the kind \(quoted(kind)) is not known: 'gaussian-mixture' is the one there is")
        }
        let word = try object.required("prediction", as: String.self)
        guard let prediction = Self.predictions.first(where: { $0.word == word }) else {
            throw PipelineError(
                "\(path): the prediction \(quoted(word)) is not known: use noise, data, v or flow")
        }
        let parts = try MixtureParts(object)
        self.prediction = prediction
        let schedule = try object.required("schedule", as: JSONObject.self)
        guard schedule["kind"] == nil || schedule["prediction"] == nil else {
            throw PipelineError(
                "\(schedule.place): the key 'prediction' is not known here: it stands beside 'schedule'")
        }
        process = try schedule.decoded()
        guard !process.process.isOfBits else {
            throw PipelineError(
                "\(schedule.place): process 'binomial' flips bits, and a mixture has none: use another kind"
            )
        }
        name = URL(file: path).lastPathComponent
        digest = try DigestCache(folder: nil).sha256(ofFile: path)
        mixture = GaussianMixture(
            weights: parts.weights, means: parts.means, covariances: parts.covariances)
        partCount = parts.weights.shape[0]
        moments = parts.moments
    }

    /// The perfect denoiser. It computes in float64 whatever the samples are.
    /// - Parameter labels: for each example the Gaussian that its data are of; all of them where `nil`.
    func denoiser(of labels: [Int]? = nil) -> Denoiser {
        let exact = labels.map(conditional) ?? mixture.denoiser(prediction)
        return Denoiser { x, level in
            let estimate = exact(x.to(.cpu).to(.float64), level)
            return Estimate(
                data: estimate.data.to(x.elementType).to(x.device),
                noise: estimate.noise.to(x.elementType).to(x.device))
        }
    }

    /// The denoiser of examples that are each of one Gaussian; those of the same one pass together.
    private func conditional(on labels: [Int]) -> Denoiser {
        let groups = Dictionary(grouping: labels.indices) { labels[$0] }.sorted { $0.key < $1.key }
        let parts = groups.map { (rows: $0.value, denoiser: mixture.part($0.key).denoiser(prediction)) }
        // Where each example is when the groups stand one after the other.
        let order = parts.flatMap(\.rows)
        let place = order.indices.sorted { order[$0] < order[$1] }
        func index(_ rows: [Int]) -> Tensor { Tensor(rows.map { Int64($0) }) }
        return Denoiser { x, level in
            let estimates = parts.map { $0.denoiser(x.gathered(index($0.rows)), level) }
            return Estimate(
                data: concatenated(estimates.map(\.data)).gathered(index(place)),
                noise: concatenated(estimates.map(\.noise)).gathered(index(place)))
        }
    }
}

/// The numbers of a mixture, checked.
private struct MixtureParts {
    var weights: Tensor
    var means: Tensor
    var covariances: Tensor

    init(_ object: JSONObject) throws {
        let weights = try object.required("weights", as: [Double].self)
        let means = try object.required("means", as: [[Double]].self)
        let covariances = try object.required("covariances", as: [[[Double]]].self)
        func refuse(_ problem: String) -> PipelineError { PipelineError("\(object.place): \(problem)") }
        let count = weights.count
        guard (1...10_000).contains(count) else {
            throw refuse("'weights' has \(count) entries: a mixture has 1 to 10000 Gaussians")
        }
        for (name, other) in [("means", means.count), ("covariances", covariances.count)] where other != count
        {
            throw refuse("'\(name)' has \(other) entries and 'weights' \(count): they must agree")
        }
        let dimension = means[0].count
        guard (1...4096).contains(dimension) else {
            throw refuse("'means' has entries of \(dimension) numbers: 1 to 4096 are possible")
        }
        if let wrong = means.firstIndex(where: { $0.count != dimension }) {
            throw refuse(
                "'means' \(wrong) has \(means[wrong].count) numbers and the first has \(dimension): they must agree"
            )
        }
        for (index, matrix) in covariances.enumerated()
        where matrix.count != dimension || matrix.contains(where: { $0.count != dimension }) {
            throw refuse(
                "'covariances' \(index) is not \(dimension)×\(dimension), as the \(dimension) numbers of a mean need"
            )
        }
        let numbers = weights + means.flatMap { $0 } + covariances.flatMap { $0.flatMap { $0 } }
        guard numbers.allSatisfy(\.isFinite) else {
            throw refuse("weights, means and covariances must be finite")
        }
        guard weights.allSatisfy({ $0 >= 0 }), weights.contains(where: { $0 > 0 }) else {
            throw refuse("'weights' must not be negative, and one of them must be above 0")
        }
        self.weights = Tensor(weights)
        self.means = Tensor(means.flatMap { $0 }, shape: [count, dimension])
        self.covariances = Tensor(
            covariances.flatMap { $0.flatMap { $0 } }, shape: [count, dimension, dimension])
        for index in 0..<count { try check(index, refuse) }
    }

    private func check(_ index: Int, _ refuse: (String) -> PipelineError) throws {
        let matrix = covariances[index]
        let largest = try matrix.magnitude().max().item(Double.self)
        let skew = try (matrix - matrix.transposed()).magnitude().max().item(Double.self)
        guard skew <= 1e-9 * largest else {
            throw refuse("'covariances' \(index) is not symmetric: entries differ by \(skew)")
        }
        let least = try matrix.symmetricEigen().values.min().item(Double.self)
        guard least >= -1e-9 * largest else {
            throw refuse("'covariances' \(index) has the eigenvalue \(least): none may be below 0")
        }
    }

    /// Σ w_k·m_k and Σ w_k·(C_k + m_k·m_kᵀ) − m·mᵀ.
    var moments: (mean: Tensor, covariance: Tensor) {
        let shares = (weights / weights.sum()).unsqueezed(1)
        let mean = (shares * means).sum([0])
        let squares = means.unsqueezed(2) * means.unsqueezed(1)
        let second = ((covariances + squares) * shares.unsqueezed(2)).sum([0])
        return (mean, second - mean.outer(mean))
    }
}

extension AnalyticModel {
    /// What `inspect` prints for an analytic model.
    public struct Facts: Codable, Sendable, Equatable {
        /// `analytic`
        public var family = "analytic"
        /// What the data are.
        public var kind = "gaussian-mixture"
        /// The number of parameters that were learnt.
        public var parameters = 0
        /// D
        public var dimension: Int
        /// K
        public var gaussians: Int
        /// The class of diffusers or the kind of the process.
        public var schedule: String
        /// What the denoiser predicts.
        public var prediction: String
        /// The mean of the data.
        public var mean: [Double]
        /// The covariance of the data.
        public var covariance: [[Double]]

        /// The facts as lines for a person.
        public var text: String {
            let rounded = mean.map { "\(($0 * 1e6).rounded() / 1e6)" }.joined(separator: ", ")
            return """
                analytic, \(kind) of \(gaussians) in \(dimension) dimensions
                schedule    \(schedule)
                prediction  \(prediction)
                mean        \(rounded)
                """
        }
    }

    /// The facts.
    /// - Throws: `TensorError` where the moments cannot be computed.
    public func facts() throws -> Facts {
        Facts(
            dimension: mixture.dimension, gaussians: partCount, schedule: process.name,
            prediction: prediction.word, mean: try moments.mean.array(),
            covariance: try (0..<mixture.dimension).map { try moments.covariance[$0].array() })
    }
}
