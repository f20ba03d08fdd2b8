// swift-tools-version: 6.1
import PackageDescription

// A room is a target. It imports only what its row lists, so data walks down this table
// and never comes back up. docs/Architecture.md says what each room is for.

let settings: [SwiftSetting] = [.enableUpcomingFeature("ExistentialAny")]

/// libtorch's headers, by the links that scripts/setup.sh makes; a path in the package, so that packages that depend on
/// this one build without an environment.
let torchHeaders: [CXXSetting] = [
    .headerSearchPath("../../.libtorch/include"),
    .headerSearchPath("../../.libtorch/include/torch/csrc/api/include"),
]

/// A library of the system, found by pkg-config.
func system(_ name: String, _ pkgConfig: String, debian: String, brew: String) -> Target {
    .systemLibrary(
        name: name, pkgConfig: pkgConfig, providers: [.apt([debian]), .brew([brew])])
}

func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(of room: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: room + "Tests",
        dependencies: [.init(stringLiteral: room), "TestSupport"] + dependencies,
        swiftSettings: settings)
}

let package = Package(
    name: "langevin",
    platforms: [.macOS(.v14)],
    products: [
        .executable(name: "langevin", targets: ["LangevinCommand"]),
        // `import Langevin` brings the names that most programs need; every room can be imported beside it.
        .library(
            name: "Langevin",
            targets: [
                "Langevin", "Tensors", "Layers", "Checkpoints", "Diffusion", "Diffusers", "Networks",
                "Tokenizers", "Pictures", "Datasets", "Training", "Evaluation", "Pipelines", "Hub",
            ]),
        .library(name: "MonteCarlo", targets: ["MonteCarlo"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        system("CPNG", "libpng", debian: "libpng-dev", brew: "libpng"),
        system("CTurboJPEG", "libturbojpeg", debian: "libturbojpeg0-dev", brew: "jpeg-turbo"),
        system("CWebP", "libwebp", debian: "libwebp-dev", brew: "webp"),
        system("CCairo", "cairo", debian: "libcairo2-dev", brew: "cairo"),
        system("CZlib", "zlib", debian: "zlib1g-dev", brew: "zlib"),
        system("CLibCrypto", "libcrypto", debian: "libssl-dev", brew: "openssl@3"),
        // macOS has it.
        system("CCurl", "libcurl", debian: "libcurl4-openssl-dev", brew: "curl"),

        room("Storage", ["CLibCrypto", "CZlib"]),
        room("Hub", ["Storage", "CCurl", "CLibCrypto"]),
        .target(
            name: "CTorch", cxxSettings: torchHeaders,
            linkerSettings: [.linkedLibrary("torch_cpu"), .linkedLibrary("c10")]),
        room("Tensors", ["CTorch"]),
        room("Layers", ["Storage", "Tensors"]),
        room("Checkpoints", ["Storage", "Tensors", "Layers"]),
        room("Diffusion", ["Storage", "Tensors"]),
        room("Diffusers", ["Storage", "Tensors", "Diffusion"]),
        room("MonteCarlo", ["Tensors"]),
        room("Networks", ["Storage", "Tensors", "Layers", "Checkpoints"]),
        // The vocabulary of CLIP, put into the program by the compiler.
        .target(name: "CCLIPVocabulary", exclude: ["LICENSE", "merges.txt.gz"]),
        room("Tokenizers", ["Storage", "CCLIPVocabulary"]),
        room("Pictures", ["Storage", "Tensors", "CCairo", "CPNG", "CTurboJPEG", "CWebP"]),
        room("Datasets", ["Storage", "Tensors", "Checkpoints", "Pictures"]),
        room(
            "Evaluation",
            [
                "Tensors", "Layers", "Checkpoints", "Diffusion", "Networks", "Datasets", "Pictures",
                "Pipelines",
            ]),
        room(
            "Training",
            [
                "Storage", "Tensors", "Layers", "Checkpoints", "Diffusion", "Networks", "Pictures",
                "Datasets", "Tokenizers", "Pipelines", "Evaluation", "Yams",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]),
        room(
            "Pipelines",
            [
                "Storage", "Hub", "Tensors", "Layers", "Checkpoints", "Diffusion", "Diffusers", "Networks",
                "Tokenizers", "Pictures",
            ]),
        .target(
            name: "Langevin",
            dependencies: [
                "Checkpoints", "Datasets", "Diffusion", "Evaluation", "Layers", "Networks", "Pictures",
                "Pipelines", "Tensors", "Training",
            ],
            path: "Sources/Umbrella", swiftSettings: settings),
        // Not called `langevin`, which is one name with `Langevin` where file systems do not tell cases apart.
        .executableTarget(
            name: "LangevinCommand",
            dependencies: [
                "Storage", "Hub", "Tensors", "Layers", "Checkpoints", "Diffusion", "Networks", "Tokenizers",
                "Pictures",
                "Datasets", "Pipelines", "Training", "Evaluation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/langevin", swiftSettings: settings),

        .target(
            name: "TestSupport", dependencies: ["Tensors", "Layers", "Checkpoints", "Networks"],
            path: "Tests/TestSupport", swiftSettings: settings),
        tests(of: "Storage"),
        // A hub on the loopback address that misbehaves where a test wants it to.
        .target(
            name: "LoopbackHub", dependencies: ["CLibCrypto"], path: "Tests/LoopbackHub",
            swiftSettings: settings),
        tests(of: "Hub", ["Storage", "LoopbackHub"]),
        tests(of: "Tensors"),
        tests(of: "Layers"),
        tests(of: "Checkpoints", ["Storage"]),
        tests(of: "Diffusion", ["Diffusers", "Layers"]),
        tests(of: "MonteCarlo"),
        tests(of: "Networks"),
        tests(of: "Tokenizers", ["Storage", "Checkpoints"]),
        tests(of: "Pictures", ["Storage"]),
        tests(of: "Datasets"),
        tests(of: "Training", ["Storage", "Layers", "Pictures", "Pipelines"]),
        tests(of: "Evaluation"),
        tests(of: "Pipelines", ["Checkpoints", "Layers", "Networks", "Diffusion", "Diffusers", "Pictures"]),
        // The kernels of Sources/CTorchCUDA, which scripts/cuda.sh builds for the card, on the processor.
        .target(name: "EmulatedKernels", path: "Tests/EmulatedKernels", cxxSettings: torchHeaders),
        .testTarget(
            name: "CUDATests", dependencies: ["EmulatedKernels", "Tensors", "TestSupport"],
            swiftSettings: settings),
        // The program as a person meets it: arguments, exit codes, messages, files.
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "LangevinCommand", "TestSupport", "LoopbackHub", "Storage", "Layers", "Checkpoints",
                "Networks",
                "Pictures", "Pipelines", "Training",
            ],
            swiftSettings: settings),
    ],
    cxxLanguageStandard: .cxx20
)
