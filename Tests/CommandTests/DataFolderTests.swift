import Foundation
import Pictures
import TestSupport
import Testing

/// Folders of pictures as training meets them: damaged files, labels in `metadata.jsonl`, transparency, parts.
@Suite struct DataFolderTests {
    private let folder: TemporaryFolder
    private var data: String { folder("data") }

    init() throws {
        folder = try TemporaryFolder()
        try folder.makeFolder("data")
    }

    private func put(_ picture: Picture, _ name: String) throws {
        let url = URL(fileURLWithPath: data).appending(path: name)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try picture.encoded(as: .png).write(to: url)
    }

    private func grey(_ level: Int) -> Picture { Picture(width: 8, height: 8, colour: [UInt8(level)]) }

    /// Trains two steps on the folder.
    private func train(_ run: String, _ changes: String..., classes: Bool = false) throws -> Program.Outcome {
        let recipe = try folder.write(
            "recipe.yaml",
            """
            data: {kind: imagefolder, path: \(data), size: 8, channels: 1}
            model: {kind: unet2d, class_conditional: \(classes), in_channels: 1, out_channels: 1, \
            block_out_channels: [8, 8], layers_per_block: 1, norm_num_groups: 4, \
            down_block_types: [DownBlock2D, DownBlock2D], up_block_types: [UpBlock2D, UpBlock2D]}
            diffusion: {train_steps: 50}
            training: {steps: 2, batch_size: 4, checkpoint_every: 0, sample_every: 0, threads: 1}
            evaluation: {steps: 2, count: 4}
            """)
        return try Program.run(
            ["train", recipe, "--out", folder(run)] + changes.flatMap { ["--set", $0] })
    }

    private func card(_ run: String) throws -> [String: Any] {
        let bytes = try contents(of: folder(run) + "/model/langevin.json")
        return try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    @Test func damagedPicturesAreNamed() throws {
        for index in 0..<40 { try put(grey(index), "\(index).png") }
        try Data("<html>".utf8).write(to: URL(fileURLWithPath: data + "/17.png"))
        let outcome = try train("run", "data.split=all")
        #expect(outcome.code == 0)
        #expect(
            outcome.messages.contains(
                #"that cannot be read are left out, 1 of 40: "17.png" (this is no PNG"#),
            "\(outcome.messages)")
        let lines = folder.bytes("run/damaged.jsonl").split(separator: UInt8(ascii: "\n"))
        try #require(lines.count == 1)
        let line = try JSONDecoder().decode([String: String].self, from: Data(lines[0]))
        #expect(line["file"] == data + "/17.png" && line["reason"]?.contains("markup") == true)
        // A run that goes on lists what is new beside what it knows.
        try Data().write(to: URL(fileURLWithPath: data + "/5.png"))
        let again = try Program.run(
            "train", folder("recipe.yaml"), "--out", folder("run"), "--resume", "--set", "data.split=all",
            "--set", "training.steps=3")
        #expect(again.code == 0, "\(again.messages)")
        #expect(folder.bytes("run/damaged.jsonl").split(separator: UInt8(ascii: "\n")).count == 2)
        try Data().write(to: URL(fileURLWithPath: data + "/6.png"))
        let many = try train("never", "data.split=all")
        #expect(many.code == 2 && many.messages.contains("3 or more of 40 pictures cannot be read"))
        #expect(try !folder.names().contains("never"))
    }

    /// Rows give the classes, wherever below the folder a picture lies.
    @Test func labelsComeFromMetadata() throws {
        var rows: [String] = []
        for index in 0..<8 {
            let name = index < 4 ? "\(index).png" : "deep/\(index).png"
            try put(grey(index * 30), name)
            if index == 3 { continue }
            let label = index % 2 == 0 ? "even" : "odd"
            rows.append(#"{"file_name": "./\#(name)", "label": "\#(label)", "text": "a grey"}"#)
        }
        try folder.write("data/metadata.jsonl", rows.joined(separator: "\r\n") + "\n\n")
        try folder.write("data/deep/metadata.csv", "file_name,label\n")
        let outcome = try train("run", classes: true)
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(try card("run")["class_names"] as? [String] == ["even", "odd"])
        for words in [
            #"no row of metadata.jsonl names are left out, 1 in all: "3.png""#,
            "the texts of metadata.jsonl", #"nothing reads "deep/metadata.csv""#,
        ] {
            #expect(outcome.messages.contains(words), "\(words): \(outcome.messages)")
        }
        let numbers = rows.map { $0.replacing(#""even""#, with: "0").replacing(#""odd""#, with: "2") }
        try folder.write("data/metadata.jsonl", numbers.joined(separator: "\n"))
        #expect(try train("numbers", classes: true).code == 0)
        #expect(try card("numbers")["class_names"] as? [String] == ["0", "1", "2"])
    }

    /// Without labels, folders are the classes as before.
    @Test func metadataWithoutLabelsChangeNothing() throws {
        for index in 0..<4 { try put(grey(index), "\(index % 2)/\(index).png") }
        try folder.write("data/metadata.jsonl", #"{"file_name": "0/0.png", "text": "x"}"#)
        let outcome = try train("run", classes: true)
        #expect(outcome.code == 0 && outcome.messages.contains("the texts of metadata.jsonl"))
        #expect(try card("run")["class_names"] as? [String] == ["0", "1"])
    }

    @Test func badRowsAreRefused() throws {
        for index in 0..<4 { try put(grey(index), "\(index).png") }
        let row = #"{"file_name": "0.png", "label": 0}"#
        let cases: [(String, String)] = [
            (row + "\n{", "line 2"), (row + "\n[1]", "line 2"),
            (#"{"file": "0.png"}"#, "line 1"), (#"{"file_name": 7}"#, "line 1"),
            (#"{"file_name": "0.png", "label": -1}"#, "line 1"),
            (#"{"file_name": "0.png", "label": 1e99}"#, "line 1"),
            (#"{"file_name": "0.png", "label": [1]}"#, "line 1"),
            (row + "\n" + row, "line 2 names a picture"),
            (row + "\n" + #"{"file_name": "1.png"}"#, "line 2 has no label"),
            (row + "\n" + #"{"file_name": "1.png", "label": "a"}"#, "line 2 has a label of another kind"),
            (#"{"file_name": "../data/0.png", "label": 0}"#, "none of the pictures"),
            (row + "\n" + #"{"file_name": "9.png", "label": 0}"#, "metadata.jsonl names it"),
        ]
        for (text, words) in cases {
            try folder.write("data/metadata.jsonl", text)
            let outcome = try train("never")
            try Program.expectRefusal(outcome, of: text, words)
            #expect(try !folder.names().contains("never"))
        }
    }

    @Test func transparencyFollowsTheRecipe() throws {
        for index in 0..<4 { try put(Picture(width: 8, height: 8, colour: [0, 0, 0, 0]), "\(index).png") }
        let words =
            "have transparent parts, 4 of 4, and the colours stored under them count"
        let dropped = try train("dropped")
        #expect(dropped.code == 0 && dropped.messages.contains(words), "\(dropped.messages)")
        let laid = try train("laid", "data.background=white")
        #expect(laid.code == 0 && !laid.messages.contains("transparent"), "\(laid.messages)")
        // The first losses differ from those of black pictures and equal those of white ones.
        func loss(_ run: String) throws -> String {
            let line = String(decoding: folder.bytes(run + "/metrics.jsonl"), as: UTF8.self)
            return String(try #require(line.split(separator: ",").first { $0.contains("loss") }))
        }
        for index in 0..<4 { try put(grey(255), "\(index).png") }
        #expect(try train("white").code == 0)
        #expect(try loss("white") == loss("laid") && loss("white") != loss("dropped"))
        try Program.expectRefusal(
            train("never", "data.background=whitish"), of: "whitish", "data.background")
        let digits = try train("never", "data.background=white", "data.kind=digits", "data.path=null")
        try Program.expectRefusal(digits, of: "digits", "data.background")
    }

    /// Every tenth picture of a class is held back, and the parts are honoured.
    @Test func partsAreKeptApart() throws {
        for index in 0..<24 { try put(grey(index), "\(index % 2)/\(10 + index).png") }
        let outcome = try train("train")
        #expect(outcome.code == 0 && outcome.messages.contains("held back to judge by, 2 in all"))
        let all = try train("all", "data.split=all")
        #expect(all.code == 0 && !all.messages.contains("held back"), "\(all.messages)")
        #expect(try train("evaluation", "data.split=evaluation").code == 0)
        try FileManager.default.removeItem(atPath: data + "/0")
        try FileManager.default.removeItem(atPath: data + "/1/11.png")
        try FileManager.default.removeItem(atPath: data + "/1/13.png")
        try FileManager.default.removeItem(atPath: data + "/1/15.png")
        try Program.expectRefusal(
            train("never", "data.split=evaluation"), of: "few", "data.split is evaluation")
    }
}
