import Datasets
import Pipelines
import Tensors
import Training

// What the measures of models that draw no samples share.

extension Evaluate {
    /// Throws where an option is given that only sampling reads, and where nothing would be looked at.
    /// - Parameter read: those of them that this measure reads, too.
    func refuseSampling(_ reason: String, reads read: Set<String>) throws {
        guard count > 0 else { throw PipelineError("--count is \(count): give a number above 0") }
        var given = [
            ("--seed", sampling.seed != nil), ("--steps", sampling.steps != nil),
            ("--solver", sampling.solver != nil), ("--eta", sampling.eta != nil),
            ("--guidance", sampling.guidance != nil), ("--guidance-method", guiding.guidanceMethod != nil),
            ("--guidance-interval", guiding.guidanceInterval != nil),
            ("--guidance-schedule", guiding.guidanceSchedule != nil),
            ("--guidance-rescale", guiding.guidanceRescale != 0), ("--guide", guiding.guide != nil),
            ("--classifier", guiding.classifier != nil),
        ]
        given += [("--threshold", sampling.threshold != nil)] + stochastic.given + prior.given
        guard let option = given.first(where: { $0.1 && !read.contains($0.0) })?.0 else { return }
        throw PipelineError("\(option): \(reason): leave it out")
    }

    /// The data that were held back from training, or all where nothing was.
    func heldOut(
        shape: Shape, open: (Recipe.DataSection, Recipe.DataSection.Split) throws -> any Dataset
    ) throws -> any Dataset {
        let section = try Recipe.DataSection(named: against, shape: shape)
        var data = try open(section, .evaluation)
        if data.count == 0 {
            say("warning: no picture of \(against) is held back, so all of them are looked at, learnt or not")
            data = try open(section, .all)
        }
        for sentence in data.findings.sentences() { say("warning: \(sentence)") }
        for note in compute.notes { say("note: \(note)") }
        return data
    }

    /// Prints figures in the form that was chosen.
    func printReport(_ report: some Encodable, _ text: String) throws {
        if json { try printJSON(report) } else { try printResult(text) }
    }
}
