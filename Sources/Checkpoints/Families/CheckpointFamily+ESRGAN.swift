import Layers
import Storage

extension CheckpointFamily {
    /// The network of ESRGAN, BSRGAN and Real-ESRGAN, alone in its file under one of the three ways in which it was named. All
    /// of its sizes follow from names and shapes.
    /// Source: Wang et al. 2018 (arXiv:1809.00219); Wang et al. 2021 (arXiv:2107.10833).
    public static let esrgan = CheckpointFamily(
        "esrgan", pipeline: "PictureUpscalerPipeline", parts: ["upscaler"],
        marks: .tensors { tensors in ESRGANNames(tensors.all) != nil },
        networks: { names, _ in
            ESRGANNames(names).map { [(.upscaler, $0.layout)] } ?? []
        },
        configurations: { source in
            [.upscaler: ESRGANNames(source.names).map { $0.configuration(source) } ?? publishedESRGAN]
        })

    /// That of four times the size with 23 blocks.
    private static let publishedESRGAN: JSONObject = [
        "_class_name": "RRDBNet", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 64, "num_block": 23,
        "num_grow_ch": 32, "num_upsample": 2, "unshuffle": 1,
    ]
}

/// How a file names the layers of the network: as Real-ESRGAN does, as ESRGAN does, or by numbers, as ESRGAN did at first.
private struct ESRGANNames {
    private enum Naming { case words, olderWords, numbers }

    private let naming: Naming
    private let blocks: Int
    private let doublings: Int

    /// `nil` where the names are of another network.
    init?(_ names: [String]) {
        let known = Set(names)
        func count(_ name: (Int) -> String) -> Int { (0...).first { !known.contains(name($0)) } ?? 0 }
        if known.contains("body.0.rdb1.conv1.weight"), known.contains("conv_body.weight") {
            naming = .words
            blocks = count { "body.\($0).rdb1.conv1.weight" }
            doublings = count { "conv_up\($0 + 1).weight" }
        } else if known.contains("RRDB_trunk.0.RDB1.conv1.weight"), known.contains("trunk_conv.weight") {
            naming = .olderWords
            blocks = count { "RRDB_trunk.\($0).RDB1.conv1.weight" }
            doublings = count { "upconv\($0 + 1).weight" }
        } else if known.contains("model.1.sub.0.RDB1.conv1.0.weight"), known.contains("model.0.weight") {
            naming = .numbers
            blocks = count { "model.1.sub.\($0).RDB1.conv1.0.weight" }
            // A doubling takes three numbers (the repetition of pixels, the convolution, what follows it), and the two
            // convolutions at the end stand two apart.
            doublings = count { "model.\(3 * $0 + 3).weight" }
        } else {
            return nil
        }
    }

    /// The places of all tensors.
    var layout: TensorLayout {
        switch naming {
        case .words:
            TensorLayout(
                prefix: "",
                scopes: scopes(["conv_first", "body", "conv_body", "conv_hr", "conv_last"], "conv_up"),
                [(.whole, ["*": "*"])])
        case .olderWords:
            TensorLayout(
                prefix: "",
                scopes: scopes(["conv_first", "RRDB_trunk", "trunk_conv", "HRconv", "conv_last"], "upconv"),
                [
                    (
                        .whole,
                        NameMap(
                            denseRows("RRDB_trunk.{i}", "") + [
                                ("conv_first.*", "conv_first.*"), ("trunk_conv.*", "conv_body.*"),
                                ("upconv{i}.*", "conv_up{i}.*"), ("HRconv.*", "conv_hr.*"),
                                ("conv_last.*", "conv_last.*"),
                            ])
                    )
                ])
        case .numbers:
            TensorLayout(
                prefix: "model.",
                [
                    (
                        .whole,
                        NameMap(
                            denseRows("1.sub.{i}", ".0")
                                + numberedRows.flatMap { number, name in
                                    ["weight", "bias"].map { ("\(number).\($0)", "\(name).\($0)") }
                                })
                    )
                ])
        }
    }

    private func scopes(_ names: [String], _ doubling: String) -> Set<String> {
        Set(names + (0..<doublings).map { "\(doubling)\($0 + 1)" })
    }

    /// The numbers of the layers that are in no block.
    private var numberedRows: [(String, String)] {
        let end = 3 * doublings + 2
        return [("0", "conv_first"), ("1.sub.\(blocks)", "conv_body")]
            + (0..<doublings).map { ("\(3 * $0 + 3)", "conv_up\($0 + 1)") }
            + [("\(end)", "conv_hr"), ("\(end + 2)", "conv_last")]
    }

    private func denseRows(_ block: String, _ ending: String) -> [(String, String)] {
        (1...3).flatMap { dense in
            (1...5).map {
                ("\(block).RDB\(dense).conv\($0)\(ending).*", "body.{i}.rdb\(dense).conv\($0).*")
            }
        }
    }

    /// The sizes of a file.
    func configuration(_ source: any TensorSource) -> JSONObject {
        func shape(_ native: String) -> [Int] {
            let extents = layout.foreign(for: native).flatMap { source.shape(of: $0.name) }?.extents ?? []
            return extents.count == 4 ? extents : [0, 0, 0, 0]
        }
        let (first, last) = (shape("conv_first.weight"), shape("conv_last.weight"))
        // What becomes channels at first has the side of squares of pixels.
        let outputs = max(last[0], 1)
        let side = [4, 2].first { first[1] == outputs * $0 * $0 } ?? 1
        return [
            "_class_name": "RRDBNet", "num_in_ch": .integer(first[1] / (side * side)),
            "num_out_ch": .integer(last[0]), "num_feat": .integer(first[0]), "num_block": .integer(blocks),
            "num_grow_ch": .integer(shape("body.0.rdb1.conv1.weight")[0]),
            "num_upsample": .integer(doublings), "unshuffle": .integer(side),
        ]
    }
}
