import Foundation
import Pictures
import TestSupport
import Testing

@Suite struct EvaluateTests {
    private static let tiny = Result { try TinyModel(classes: true) }
    private let run: String

    init() throws { run = try Self.tiny.get().run }

    /// A statistic that cannot be is a sentence before anything is computed.
    @Test func tooFewSamplesAreRefused() throws {
        try Program.expectRefused(["evaluate", run, "--count", "1"], "--count is 1")
        try Program.expectRefused(["evaluate", run, "--count", "0"], "--count is 0")
        let few = try Program.run("evaluate", run, "--count", "9")
        try Program.expectRefusal(few, of: "9", "10 classes")
        #expect(!few.messages.contains("--class"))
    }

    /// Figures of papers stand apart from those that are measured.
    @Test func figuresOfPapersAreShownAsTheirs() throws {
        let call = ["evaluate", run, "--count", "65", "--threads", "1", "--steps", "2"]
        let plain = try Program.run(call)
        let text = try Program.run(call + ["--compare-paper"])
        #expect(text.code == 0 && text.output.hasPrefix(plain.output), "\(text.messages)")
        #expect(text.output.contains("figures of the papers, not of this program"))
        #expect(text.output.contains("367.43") && !plain.output.contains("367.43"))
        let report = try Program.run(call + ["--compare-paper", "--json"]).json()
        let papers = try #require(report["papers"] as? [String: Any])
        let tables = try #require(papers["tables"] as? [[String: Any]])
        #expect(tables.count == 2 && (papers["note"] as? String)?.contains("do not compare") == true)
        #expect(try Program.run(call + ["--json"]).json()["papers"] == nil)
    }

    @Test func fewSamplesAreJudgedWithACaution() throws {
        let plain = try TinyModel()
        let outcome = try Program.run("evaluate", plain.run, "--count", "2", "--threads", "1", "--json")
        let numbers = try outcome.json()
        for key in ["frechet_distance", "frechet_distance_of_halves", "frechet_distance_of_noise"] {
            let distance = try #require(numbers[key] as? Double)
            #expect(distance.isFinite && distance >= 0, "\(key)")
        }
        #expect(outcome.messages.contains("warning: 2 samples span fewer than the 64 dimensions"))
        #expect(numbers["accuracy"] == nil && numbers["classifier_accuracy"] is Double)
        let many = try Program.run("evaluate", run, "--count", "65", "--threads", "1", "--json")
        #expect(many.code == 0 && !many.messages.contains("span fewer"), "\(many.messages)")
        #expect(try many.json()["accuracy"] is Double)
    }

    /// Two classes of greys; every tenth picture of each looks like one of the other class. Who has seen these knows
    /// them, and who has not errs each time.
    @Test func unseenPicturesWereNotSeen() throws {
        let folder = try TemporaryFolder()
        for index in 0..<60 {
            let isOdd = index / 30 == 1
            let looks = (index % 30 % 10 == 9) != isOdd
            let picture = Picture(width: 8, height: 8, colour: [looks ? 220 : 30 + UInt8(index % 5)])
            let name = isOdd ? "b" : "a"
            try? FileManager.default.createDirectory(
                atPath: folder(name), withIntermediateDirectories: false)
            try folder.write("\(name)/\(String(100 + index)).png", picture.encoded(as: .png))
        }
        let outcome = try Program.run(
            "evaluate", run, "--against", folder.path, "--count", "10", "--threads", "1", "--json")
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(try outcome.json()["classifier_accuracy"] as? Double == 0)
        #expect(outcome.messages.contains("held back to judge by, 6 in all"))
        // The model has ten classes, the folder two.
        #expect(try outcome.json()["accuracy"] == nil)
        #expect(outcome.messages.contains("have not the same classes"))
    }

    @Test func aSmallFolderLeavesNothingUnseen() throws {
        let folder = try TemporaryFolder()
        for name in ["a", "b"] {
            try folder.makeFolder(name)
            for index in 0..<4 {
                let picture = Picture(width: 8, height: 8, colour: [name == "a" ? 10 : UInt8(200 + index)])
                try folder.write("\(name)/\(index).png", picture.encoded(as: .png))
            }
        }
        let outcome = try Program.run(
            "evaluate", run, "--against", folder.path, "--count", "10", "--threads", "1", "--json")
        #expect(outcome.code == 0 && outcome.messages.contains("kept apart"), "\(outcome.messages)")
        #expect(try outcome.json()["classifier_accuracy"] == nil)
        // Neither is one class a class, nor do three pictures have two halves.
        for index in 0..<4 { try FileManager.default.removeItem(atPath: folder("b/\(index).png")) }
        try Program.expectRefused(
            ["evaluate", run, "--against", folder.path, "--count", "10"], "two classes")
    }

    /// Methods that add noise on the way read the options of `sample`; others refuse them.
    @Test func stochasticMethodsAreJudged() throws {
        func distance(_ options: String...) throws -> Double {
            let call = ["evaluate", run, "--count", "65", "--steps", "2", "--threads", "1", "--json"]
            return try #require(Program.run(call + options).json()["frechet_distance"] as? Double)
        }
        let heun = try distance("--solver", "heun")
        let churned = try distance("--solver", "heun", "--churn", "0.5", "--churn-noise", "1.1")
        let annealed = try distance("--solver", "annealed-langevin", "--langevin-steps", "3")
        #expect(heun.isFinite && churned.isFinite && annealed.isFinite)
        #expect(heun != churned && heun != annealed)
        try Program.expectRefused(["evaluate", run, "--solver", "ddim", "--churn", "1"], "--churn")
        try Program.expectRefused(["evaluate", run, "--langevin-steps", "3"], "--langevin-steps")
    }

    /// Whatever its files are called, a part that was not learnt from has to be there.
    @Test func idxWithoutATestPartIsRefused() throws {
        let folder = try TemporaryFolder()
        let pixels = [UInt8](repeating: 7, count: 6 * 64)
        try folder.write(
            "train-images-idx3-ubyte", [0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 8, 0, 0, 0, 8] + pixels)
        try folder.write("train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 6, 0, 1, 0, 1, 0, 1])
        try Program.expectRefused(
            ["evaluate", run, "--against", folder.path, "--count", "10"], "t10k-images-idx3-ubyte")
    }
}
