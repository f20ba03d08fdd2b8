import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Tensors
import TestSupport
import Testing

/// What becomes of the pictures that `generate` starts from: transparent ones, and ones that do not stand upright.
@Suite struct PictureInputTests {
    private static let model = Result { try LatentModel(seed: 5) }
    private let model: LatentModel
    private let folder: TemporaryFolder

    init() throws {
        model = try Self.model.get()
        folder = try TemporaryFolder()
    }

    /// A picture of 16×24 that has no symmetry; its alpha is drawn, too.
    private func picture(seed: UInt64, channels: Int = 4) throws -> Picture {
        let values = try RandomGenerator(seed: seed).normal([24 * 16 * channels]).array(of: Float.self)
        return Picture(
            width: 16, height: 24, channels: channels,
            pixels: values.map { UInt8(max(0, min(255, 128 + 80 * $0))) })
    }

    @discardableResult
    private func write(_ picture: Picture, _ name: String) throws -> String {
        try folder.write(name, picture.encoded(as: .png))
    }

    /// The latents that a request gives, and what was said.
    private func latents(_ arguments: [String]) throws -> (samples: [Float], messages: String) {
        let output = folder("latents.safetensors")
        let outcome = try Program.run(
            ["generate", "a cat", "--model", model.path, "--steps", "2", "-o", output] + arguments)
        try #require(outcome.code == 0, "\(arguments): \(outcome.messages)")
        let samples = try SafetensorsFile(path: output).tensor(named: "samples").array(of: Float.self)
        return (samples, outcome.messages)
    }

    /// As diffusers loads pictures: alpha goes, colours stay. A line says so.
    @Test func coloursUnderTransparencyCount() throws {
        let clear = try picture(seed: 1)
        let image = try write(clear, "clear.png")
        let dropped = try write(clear.converted(toChannels: 3, alpha: .drop), "dropped.png")
        let (given, messages) = try latents(["--image", image])
        #expect(messages.contains("note: --image has transparent parts"), "\(messages)")
        let (opaque, silence) = try latents(["--image", dropped])
        #expect(given == opaque && !silence.contains("transparent"), "\(silence)")
        let solid = try write(
            Picture(width: 16, height: 24, colour: [9, 200, 30, 255]), "solid.png")
        #expect(try !latents(["--image", solid]).messages.contains("transparent"))
    }

    @Test func aBackgroundIsLaidUnderTransparentParts() throws {
        let clear = try picture(seed: 2)
        let image = try write(clear, "clear.png")
        let onTeal = clear.converted(toChannels: 3, alpha: .over(Colour(red: 0, green: 128, blue: 128)))
        let teal = try write(onTeal, "teal.png")
        let (expected, _) = try latents(["--image", teal])
        for colour in ["teal", "#008080"] {
            let (given, messages) = try latents(["--image", image, "--background", colour])
            #expect(given == expected && !messages.contains("transparent"), "\(messages)")
        }
        let (same, messages) = try latents(["--image", teal, "--background", "red"])
        #expect(same == expected && messages.contains("--background changes nothing"), "\(messages)")
        let out = ["--model", model.path, "-o", folder("never.png")]
        try Program.expectRefused(
            ["generate", "x", "--image", image, "--background", "tael"] + out, "'--background")
        try Program.expectRefused(["generate", "x", "--background", "red"] + out, "--background")
    }

    /// White strokes over transparent black repaint the strokes; colours that nobody sees count in a mask, too.
    @Test func strokesOverTransparentBlackAreAMask() throws {
        let image = try write(picture(seed: 3, channels: 3), "image.png")
        var strokes = Picture(width: 16, height: 24, colour: [0, 0, 0, 0])
        var grey = Picture(width: 16, height: 24, colour: [0])
        for y in 4..<14 {
            for x in 6..<12 {
                for channel in 0..<4 { strokes[x, y, channel] = 255 }
                grey[x, y] = 255
            }
        }
        let (wanted, _) = try latents(["--image", image, "--mask", write(grey, "grey.png")])
        let (given, messages) = try latents(["--image", image, "--mask", write(strokes, "strokes.png")])
        #expect(given == wanted && messages.contains("note: --mask has transparent parts"), "\(messages)")
        // On white, everything is painted anew.
        let everything = try write(Picture(width: 16, height: 24, colour: [255]), "white.png")
        let (whole, _) = try latents(["--image", image, "--mask", everything])
        let (onWhite, _) = try latents(
            ["--image", image, "--mask", folder("strokes.png"), "--background", "white"])
        #expect(onWhite == whole && whole != wanted)
    }

    /// Exif in PNG and WebP turns pictures and masks as it does in JPEG; what it does in every form is
    /// `PicturesTests/DecodingTests`' matter.
    @Test func picturesAndMasksAreTurnedUpright() throws {
        let upright = try picture(seed: 4, channels: 3)
        var mask = Picture(width: 16, height: 24, colour: [0])
        for y in 0..<8 { for x in 0..<6 { mask[x, y] = 255 } }
        let (wanted, _) = try latents([
            "--image", write(upright, "upright.png"), "--mask", write(mask, "mask.png"),
        ])
        let names = try (1...8).map { orientation -> (String, String) in
            let files = try [(upright, "image"), (mask, "mask")].map { picture, name in
                try folder.write(
                    "\(name)-\(orientation).png", turned(stored(picture, as: orientation), orientation))
            }
            return (files[0], files[1])
        }
        for (image, mask) in names {
            #expect(try latents(["--image", image, "--mask", mask]).samples == wanted, "\(image)")
        }
    }

    /// The picture that lies as `orientation` says where it was upright before (Exif 2.3, section 4.6.4).
    private func stored(_ picture: Picture, as orientation: Int) -> Picture {
        let isAcross = orientation > 4
        let (width, height) =
            isAcross ? (picture.height, picture.width) : (picture.width, picture.height)
        var result = Picture(
            width: width, height: height, colour: Array(repeating: 0, count: picture.channels))
        for y in 0..<picture.height {
            for x in 0..<picture.width {
                let (right, bottom) = (picture.width - 1 - x, picture.height - 1 - y)
                let (u, v) =
                    switch orientation {
                    case 2: (right, y)
                    case 3: (right, bottom)
                    case 4: (x, bottom)
                    case 5: (y, x)
                    case 6: (y, right)
                    case 7: (bottom, right)
                    case 8: (bottom, x)
                    default: (x, y)
                    }
                for channel in 0..<picture.channels { result[u, v, channel] = picture[x, y, channel] }
            }
        }
        return result
    }

    /// A PNG with an orientation in its Exif data.
    private func turned(_ picture: Picture, _ orientation: Int) throws -> [UInt8] {
        let png = [UInt8](try picture.encoded(as: .png))
        let exif =
            Array("MM\0*".utf8) + [0, 0, 0, 8, 0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, UInt8(orientation), 0, 0]
        return png.prefix(33) + PNGChunks.chunk("eXIf", exif) + png.dropFirst(33)
    }
}

extension LatentModel {
    /// The same with small networks of random weights.
    init(seed: UInt64) throws {
        try self.init()
        var unet = UNet2DConditionConfiguration()
        unet.sampleSize = .square(8)
        unet.blockOutChannels = [8, 16]
        (unet.downBlockTypes, unet.upBlockTypes) = ([.crossAttention, .plain], [.plain, .crossAttention])
        unet.layersPerBlock = .same(1)
        unet.normNumGroups = 4
        unet.attentionHeadDim = .same(2)
        unet.crossAttentionDim = .same(12)
        var autoencoder = AutoencoderKLConfiguration()
        autoencoder.coder.blockOutChannels = [8, 8]
        (autoencoder.coder.downBlockTypes, autoencoder.coder.upBlockTypes) = (
            [.plain, .plain], [.plain, .plain]
        )
        autoencoder.coder.normNumGroups = 4
        var text = CLIPTextConfiguration()
        text.vocabSize = 1000
        (text.hiddenSize, text.intermediateSize) = (12, 24)
        (text.numHiddenLayers, text.numAttentionHeads) = (2, 3)
        text.eosTokenId = 2
        try write(UNet2DCondition.self, unet, "unet", seed: seed)
        try write(AutoencoderKL.self, autoencoder, "vae", seed: seed + 1)
        try write(CLIPText.self, text, "text_encoder", seed: seed + 2)
    }

    private func write<Network: ConfiguredNetwork>(
        _ type: Network.Type, _ configuration: Network.Configuration, _ part: String, seed: UInt64
    ) throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: seed)))
        _ = try store.build { try Network(configuration, $0) }
        try type.write(configuration, store.named, to: ModelFolder(path + "/" + part))
    }
}
