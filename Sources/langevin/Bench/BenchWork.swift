import Tensors

/// Pieces of work whose time says how fast this machine is.
enum BenchWork: String, CaseIterable {
    /// The U-Net of Stable Diffusion 1.5, two latents of 64×64 and texts of 77 tokens through it.
    case sd15UNet = "sd15-unet"
    /// DiT-XL/2, two latents of 32×32 through it: one of a class, one of none.
    case ditXL2 = "dit-xl2"
    /// The decoder of Stable Diffusion's autoencoder, one latent of 64×64 to a picture of 512×512.
    case vaeDecoder = "sd-vae-decoder"
    /// The U-Net of `google/ddpm-cifar10-32`, 64 pictures through it.
    case ddpmCifarForward = "ddpm-cifar-forward"
    /// The same network, 32 pictures, one step of AdamW.
    case ddpmCifarTrain = "ddpm-cifar-train"
    /// Guided diffusion's network of 64 pixels, two pictures through it.
    case adm64 = "adm-64"
    /// The U-Net of GLIDE's base, two pictures and what is made of their texts through it.
    case glideBase = "glide-base"
    /// The first stage of DeepFloyd IF in its medium size, two pictures and the states of their texts through it.
    case deepFloydMedium = "if-i-m"
    /// 1,000 steps of ancestral sampling of 16 pictures of 16×16 by a network of 32 and 64 channels.
    case tiny1000 = "tiny-1000"
    /// From the path of a folder to the U-Net of Stable Diffusion that it holds.
    case sd15Open = "sd15-open"
    /// Every picture of a folder once, decoded, brought to 256×256 and put into batches of 32 by threads beside.
    case loader
    /// 100 steps of a solver on a [64, 3, 32, 32] sample, the denoiser handing out a tensor that it has at hand.
    case solverEuler = "solver-euler"
    case solverHeun = "solver-heun"
    case solverMultistep = "solver-lms"
    case solverDPM = "solver-dpmpp-2m"
    case solverAncestral = "solver-euler-a"

    /// One repetition of a work; it leaves the tensor by which two programs can be compared, where it has one.
    typealias Repetition = () throws -> Tensor?

    /// The files that a work can be given.
    enum File: String, CaseIterable {
        case weights, inputs, output, data
    }

    /// The files that this work reads or writes where they are given.
    var files: Set<File> {
        switch self {
        case .sd15UNet, .ditXL2, .vaeDecoder, .ddpmCifarForward, .ddpmCifarTrain, .adm64, .glideBase,
            .deepFloydMedium:
            [.weights, .inputs, .output]
        case .tiny1000: [.weights, .output]
        case .sd15Open: [.weights]
        case .loader: [.data]
        case .solverEuler, .solverHeun, .solverMultistep, .solverDPM, .solverAncestral: []
        }
    }

    /// The work, ready to be done again and again.
    func prepared(_ materials: BenchMaterials) throws -> Repetition {
        switch self {
        case .sd15UNet: try materials.textUNet()
        case .ditXL2: try materials.transformer()
        case .vaeDecoder: try materials.decoder()
        case .ddpmCifarForward: try materials.pictureUNet()
        case .ddpmCifarTrain: try materials.trainingStep()
        case .adm64: try materials.classUNet()
        case .glideBase: try materials.glideUNet()
        case .deepFloydMedium: try materials.pixelTextUNet()
        case .tiny1000: try materials.tinySampling()
        case .sd15Open: try materials.opening()
        case .loader: try materials.loading()
        case .solverEuler: try materials.steps(of: .euler)
        case .solverHeun: try materials.steps(of: .heun)
        case .solverMultistep: try materials.steps(of: .lms)
        case .solverDPM: try materials.steps(of: .dpmPlusPlus2M)
        case .solverAncestral: try materials.steps(of: .eulerAncestral)
        }
    }
}
