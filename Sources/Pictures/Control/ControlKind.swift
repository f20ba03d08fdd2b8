import Tensors

/// A kind of picture that a network is controlled by and that is made of another picture without weights.
///
/// A new kind is a file with its row, and the row's name in `all`.
public struct ControlKind: Sendable {
    /// A number or picture beside the first one that kinds read.
    public enum Setting: String, Sendable, CaseIterable {
        case sigma, low, high, factor, mask
    }

    /// The name that users type (`--kind`).
    public let name: String
    /// What it shows, in a line.
    public let summary: String
    /// The settings that it reads.
    public let reads: Set<Setting>
    let make: @Sendable (Picture, ControlSettings) throws -> [Plane]

    init(
        _ name: String, _ summary: String, reads: Set<Setting> = [],
        make: @escaping @Sendable (_ picture: Picture, _ settings: ControlSettings) throws -> [Plane]
    ) {
        (self.name, self.summary, self.reads, self.make) = (name, summary, reads, make)
    }

    /// Every kind.
    public static let all: [ControlKind] = [canny, sobel, blur, tile, grey, inpaint]

    /// The kind of a name, `nil` where there is none.
    public init?(named name: String) {
        guard let found = Self.all.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// What networks are given of a picture.
    /// - Throws: `PictureError` that names a setting that is out of range, that this kind does not read, or that it lacks.
    public func control(of picture: Picture, _ settings: ControlSettings = ControlSettings()) throws
        -> ControlPicture
    {
        try settings.check(for: self)
        return ControlPicture(planes: try make(picture, settings))
    }
}

/// What kinds of control pictures read beside a picture; each has its own where `nil`.
public struct ControlSettings: Sendable {
    /// The standard deviation of the Gaussian that a picture is blurred by, in pixels.
    public var sigma: Double?
    /// The slope from which on an edge goes on.
    public var low: Double?
    /// The slope from which on an edge begins.
    public var high: Double?
    /// The side of the square of pixels of which one is left.
    public var factor: Int?
    /// What is made anew: where it is white.
    public var mask: Picture?

    /// The kind's own.
    public init() {}

    private var given: [(ControlKind.Setting, Bool)] {
        [
            (.sigma, sigma != nil), (.low, low != nil), (.high, high != nil), (.factor, factor != nil),
            (.mask, mask != nil),
        ]
    }

    func check(for kind: ControlKind) throws {
        if let setting = given.first(where: { $0.1 && !kind.reads.contains($0.0) })?.0 {
            throw PictureError(
                .unsuitable, "\(setting.rawValue) has no part in the kind '\(kind.name)'",
                remedy: "leave it out")
        }
        if let sigma, !(0...100).contains(sigma) {
            throw PictureError(.unsuitable, "sigma is \(sigma)", remedy: "give a number from 0 to 100")
        }
        for (setting, value) in [(ControlKind.Setting.low, low), (.high, high)] {
            if let value, !(value >= 0 && value.isFinite) {
                throw PictureError(
                    .unsuitable, "\(setting.rawValue) is \(value)",
                    remedy: "give a slope from 0 on, such as 0.1")
            }
        }
        if let factor, !(1...1024).contains(factor) {
            throw PictureError(
                .unsuitable, "factor is \(factor)", remedy: "give a whole number from 1 to 1024")
        }
    }
}

/// A picture that networks are controlled by: grey or colour, 0 to 1, and −1 where nothing is known.
public struct ControlPicture: Sendable {
    let planes: [Plane]

    /// As networks read it, `[1 or 3, height, width]` in float32.
    public var tensor: Tensor {
        Tensor(
            planes.flatMap { $0.values.map { Float($0) } },
            shape: [planes.count, planes[0].height, planes[0].width])
    }

    /// Rounded to 8 bits, halves to even; `nil` where parts are unknown, which no picture says.
    public var picture: Picture? {
        guard planes.allSatisfy({ $0.values.allSatisfy { $0 >= 0 } }) else { return nil }
        let (width, height) = (planes[0].width, planes[0].height)
        let pixels = (0..<(width * height)).flatMap { pixel in
            planes.map { UInt8((255 * min(1, $0.values[pixel])).rounded(.toNearestOrEven)) }
        }
        return Picture(width: width, height: height, channels: planes.count, pixels: pixels)
    }
}
