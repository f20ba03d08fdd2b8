import Checkpoints
import Foundation
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// `langevin control`: pictures that networks are controlled by.
@Suite struct ControlPictureTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func written(_ picture: Picture, _ name: String) throws -> String {
        try picture.write(to: URL(filePath: folder(name)))
        return folder(name)
    }

    /// Tools/oracle/control_pictures.py has them from scikit-image and Pillow.
    @Test(arguments: try Fixture.all(in: "control_pictures"))
    func everyKindIsThatOfTheReference(_ fixture: Fixture) throws {
        let given = try fixture.tensor("picture")
        let channels = given.rank == 3 ? given.shape[2] : 1
        let picture = Picture(
            width: given.shape[1], height: given.shape[0], channels: channels,
            pixels: try fixture.array("picture"))
        let image = try written(picture, "image.png")
        let made = try fixture.case.required("made", as: [JSONObject].self)
        #expect(Set(made.compactMap { $0["kind"].map(\.text) }).count == 5)
        for (index, object) in made.enumerated() {
            var words = ["control", image]
            for (key, value) in object.members {
                words += ["--\(key)", value.text.trimmingCharacters(in: ["\"", "\n", " "])]
            }
            try folder.made(words + ["-o", folder("out.safetensors")])
            try folder.made(words + ["-o", folder("out.png")])
            let expected = try fixture.array("expected.\(index)", of: Float.self)
            let tensor = try SafetensorsFile(path: folder("out.safetensors"), storage: .copied)
                .tensor(named: "control")
            let found = try tensor.array(of: Float.self)
            #expect(found.count == expected.count)
            #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-6 }, "\(words)")
            // Pixels are these numbers rounded, whatever becomes of halves.
            let pixels = try Picture(contentsOf: URL(filePath: folder("out.png")))
            #expect(pixels.channels == tensor.shape[0])
            let plane = pixels.width * pixels.height
            for (place, value) in expected.enumerated() {
                let pixel = pixels.pixels[place % plane * pixels.channels + place / plane]
                #expect(abs(Float(pixel) - 255 * min(1, value)) < 0.501, "\(words)")
            }
        }
    }

    /// What is under the mask is −1, as control networks that inpaint read it, and no picture holds that.
    @Test func whatIsUnderTheMaskIsUnknown() throws {
        let image = try written(
            Picture(width: 2, height: 1, channels: 3, pixels: [0, 51, 255, 102, 0, 255]), "i.png")
        let mask = try written(Picture(width: 2, height: 1, channels: 1, pixels: [255, 0]), "m.png")
        let call = ["control", image, "--kind", "inpaint", "--mask", mask]
        let outcome = try folder.made(call + ["-o", folder("out.safetensors"), "--json"])
        let file = try SafetensorsFile(path: folder("out.safetensors"), storage: .copied)
        let values = try file.tensor(named: "control").array(of: Float.self)
        #expect(values == [-1, 0.4, -1, 0, -1, 1])
        let said = try outcome.json()
        #expect(said["kind"] as? String == "inpaint" && (said["mask"] as? [String: Any])?["name"] != nil)
        #expect(file.metadata["langevin"]?.contains("\"command\":\"control\"") == true)
        try Program.expectRefused(call + ["-o", folder("out.png")], ".safetensors")
        #expect(folder.bytes("out.png").isEmpty)
    }

    @Test func whatDoesNotGoTogetherIsRefused() throws {
        let image = try written(Picture(width: 6, height: 5, colour: [9, 200, 30]), "image.png")
        let other = try written(Picture(width: 4, height: 5, colour: [255]), "mask.png")
        for (options, words) in [
            (["--kind", "cany"], "cany"), (["--kind", "grey", "--sigma", "2"], "sigma has no part"),
            (["--kind", "canny", "--sigma", "-1"], "sigma is -1"),
            (["--kind", "canny", "--sigma", "nan"], "sigma is nan"),
            (["--kind", "canny", "--low", "0.3"], "high is 0.2"),
            (["--kind", "canny", "--high", "-0.3"], "high is -0.3"),
            (["--kind", "tile", "--factor", "0"], "factor is 0"),
            (["--kind", "blur", "--mask", other], "mask has no part"),
            (["--kind", "inpaint"], "give a mask"), (["--kind", "inpaint", "--mask", other], "4×5"),
        ] {
            try Program.expectRefused(["control", image] + options + ["-o", folder("never.png")], words)
        }
        try Program.expectRefused(
            ["control", folder("none.png"), "--kind", "canny", "-o", folder("never.png")], "none.png")
        try Program.expectRefused(
            ["control", image, "--kind", "canny", "-o", folder("never.gif")], "never.gif")
        #expect(try folder.names().filter { $0.hasPrefix("never") }.isEmpty)
    }
}
