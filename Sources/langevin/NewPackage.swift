import Foundation
import Pipelines
import Storage

/// A package that depends on Langevin and has one program.
struct NewPackage {
    /// What its program draws.
    static let picture = "shapes.png"

    private let name: String
    private let langevin: LangevinSources

    /// - Parameter name: of the package, its program and its module.
    init(named name: String, on langevin: LangevinSources) throws {
        guard name.wholeMatch(of: /[A-Za-z][A-Za-z0-9_\-]*/) != nil else {
            throw PipelineError(
                "the folder's name becomes the program's, and '\(name)' cannot be one: begin with a letter and use "
                    + "letters, digits, '-' and '_'")
        }
        // "main" is no name for a module; the others are modules that a program imports.
        let taken = try langevin.modules() + ["main", "Swift", "Foundation", "Glibc", "Dispatch"]
        guard !taken.contains(where: { $0.caseInsensitiveCompare(name) == .orderedSame }) else {
            throw PipelineError(
                "the folder's name becomes the program's, and there is a module '\(name)' already: take another"
            )
        }
        self.name = name
        self.langevin = langevin
    }

    /// Writes its files into a folder.
    func write(to folder: String) throws {
        try Files.createFolder("\(folder)/Sources/\(name)")
        try Files.write(manifest.utf8, to: folder + "/Package.swift")
        try Files.write(program.utf8, to: "\(folder)/Sources/\(name)/main.swift")
        try Files.write(".build/\n".utf8, to: folder + "/.gitignore")
        // The versions that Langevin is built and tested with.
        let versions = langevin.path + "/Package.resolved"
        if Files.exists(versions) {
            try Files.write(Files.read(versions), to: folder + "/Package.resolved")
        }
    }

    private var manifest: String {
        """
        // swift-tools-version: 6.1
        import PackageDescription

        // Langevin's sources, where `make setup` has run.
        let langevin = \(langevin.path.debugDescription)
        let libtorch = langevin + "/.libtorch/lib"

        let package = Package(
            name: "\(name)",
            platforms: [.macOS(.v14)],
            dependencies: [.package(name: "langevin", path: langevin)],
            targets: [
                .executableTarget(
                    name: "\(name)",
                    dependencies: [.product(name: "Langevin", package: "langevin")],
                    // Where libtorch is, for the linker and for the program when it starts.
                    linkerSettings: [
                        .unsafeFlags(["-L" + libtorch, "-Xlinker", "-rpath", "-Xlinker", libtorch])
                    ])
            ])

        """
    }

    private var program: String {
        """
        // Draws pictures from a model that is known exactly, so that it needs no weights.
        import Langevin

        let size = 16

        /// The pixels of a picture: 1 inside a shape, −1 outside. x and y run from −1 to 1.
        func pixels(_ isInside: (_ x: Double, _ y: Double) -> Bool) -> [Float] {
            let middles = (0..<size).map { (Double($0) + 0.5) * 2 / Double(size) - 1 }
            return middles.flatMap { y in middles.map { x in isInside(x, y) ? 1 : -1 } }
        }

        // The data: a disc, a ring and a cross, each with a little noise.
        let shapes = [
            pixels { x, y in x * x + y * y < 0.5 },
            pixels { x, y in (0.25...0.75).contains(x * x + y * y) },
            pixels { x, y in abs(abs(x) - abs(y)) < 0.25 },
        ]
        let dimension = size * size
        let data = GaussianMixture(
            weights: .ones([shapes.count]),
            means: Tensor(shapes.flatMap { $0 }, shape: [shapes.count, dimension]),
            covariances: Tensor.ones([shapes.count, 1, 1]) * Tensor.identity(dimension) * 0.01)

        // The solver, and how noise falls from step to step.
        let process = try ProcessDescription("betas")
        let sampler = try process.sampler(.dpmPlusPlus2M, steps: 20, grid: .karras)

        // From noise to data. A network takes the exact denoiser's place: README.md of Langevin shows one.
        let noise = NoiseSource(seed: 0, count: 24)
        var samples = noise.draw([1, size, size])
        for step in sampler.sampling(samples, denoiser: data.denoiser(), source: noise) {
            samples = step.sample
            print("step \\(step.stepsDone) of \\(step.stepCount)")
        }

        let sheet = Sheet(columns: 8, magnification: 4).picture(of: try Picture.pictures(of: samples))
        try sheet.write(to: "\(Self.picture)")
        print("wrote \(Self.picture)")

        """
    }
}
