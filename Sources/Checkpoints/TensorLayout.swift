import Layers
import Tensors

/// An explicit table of what becomes of the tensors of a foreign layout, where a change of names
/// (`NameMap`) is not enough: some are cut into parts, shared by several layers, or in another order.
///
///     let layout: TensorLayout = [
///         .renamed("x_embedder.proj.*", "pos_embed.proj.*"),
///         .split("blocks.{i}.qkv.*", ["blocks.{i}.q.*", "blocks.{i}.k.*", "blocks.{i}.v.*"]),
///         .dropped("pos_embed"),
///     ]
///
/// The patterns are those of `NameMap`; the first row that fits a name applies.
public struct TensorLayout: Sendable, ExpressibleByArrayLiteral {
    /// What becomes of the tensors whose names have one form.
    public struct Row: Sendable {
        let foreign: NamePattern
        let natives: [(pattern: NamePattern, parts: Parts)]

        private init(_ foreign: String, _ natives: [(name: String, parts: Parts)]) {
            self.foreign = NamePattern(foreign)
            self.natives = natives.map { (NamePattern($0.name), $0.parts) }
            for native in self.natives {
                precondition(
                    native.pattern.placeholders == self.foreign.placeholders,
                    "the placeholders of \(foreign) and its native names differ")
            }
        }

        /// The same tensor under another name.
        public static func renamed(_ foreign: String, _ native: String) -> Row {
            copied(foreign, [native])
        }

        /// One tensor that several layers have, each under its own name.
        public static func copied(_ foreign: String, _ natives: [String]) -> Row {
            Row(foreign, natives.map { ($0, .whole) })
        }

        /// A tensor cut into equal parts along its outermost dimension.
        public static func split(_ foreign: String, _ natives: [String]) -> Row {
            Row(foreign, natives.enumerated().map { ($1, Parts(order: [$0], count: natives.count)) })
        }

        /// A tensor whose equal parts along its outermost dimension stand in another order: native part
        /// `i` is foreign part `order[i]`.
        public static func reordered(_ foreign: String, _ native: String, order: [Int]) -> Row {
            precondition(order.sorted() == Array(order.indices), "\(order) is not an order of parts")
            return Row(foreign, [(native, Parts(order: order, count: order.count))])
        }

        /// A tensor that the native network computes by itself.
        public static func dropped(_ foreign: String) -> Row { Row(foreign, []) }
    }

    /// Some of the equal parts of a tensor along its outermost dimension, in an order.
    struct Parts: Sendable {
        static let whole = Parts(order: [0], count: 1)
        let order: [Int]
        let count: Int
    }

    let rows: [Row]

    /// A table of rows.
    public init(_ rows: [Row]) { self.rows = rows }
    /// A table of rows.
    public init(arrayLiteral rows: Row...) { self.rows = rows }

    /// What becomes of a tensor, `nil` where no row knows its name.
    func natives(of foreign: String) -> [(name: String, parts: Parts)]? {
        for row in rows {
            guard let found = row.foreign.match(foreign) else { continue }
            return row.natives.map { ($0.pattern.fill(found), $0.parts) }
        }
        return nil
    }
}

/// A source of the native tensors that a `TensorLayout` makes of foreign ones.
///
/// A tensor whose name no row knows keeps it, so that the report of the load lists it.
public struct RearrangedSource: TensorSource {
    /// Names of the original source that the layout leaves out.
    public let dropped: [String]
    private let source: any TensorSource
    private let origins: NameTable<Origin>

    private struct Origin {
        let name: String
        let parts: TensorLayout.Parts
    }

    /// Rearranges the tensors of a source with foreign names.
    /// - Throws: `CheckpointError` when two of its tensors become one.
    public init(_ source: any TensorSource, _ layout: TensorLayout) throws {
        var origins = NameTable<Origin>()
        var dropped: [String] = []
        for name in source.names {
            let natives = layout.natives(of: name) ?? [(name, .whole)]
            if natives.isEmpty { dropped.append(name) }
            for native in natives where !origins.append(native.name, Origin(name: name, parts: native.parts))
            {
                throw CheckpointError(
                    "",
                    "\(quoted(origins[native.name]?.name ?? "")) and \(quoted(name)) both become "
                        + "\(quoted(native.name)); the checkpoint mixes two layouts")
            }
        }
        self.source = source
        self.origins = origins
        self.dropped = dropped
    }

    /// The native names, in the order of the original source.
    public var names: [String] { origins.names }

    /// A tensor's shape, nil when there is none of that native name. One that cannot be cut has its
    /// original's shape, so that the report of the load shows it.
    public func shape(of name: String) -> Shape? {
        guard let origin = origins[name], var shape = source.shape(of: origin.name) else { return nil }
        guard let extent = cut(shape, origin.parts) else { return shape }
        shape.extents[0] = extent * origin.parts.order.count
        return shape
    }

    /// A tensor's element type, nil when there is none of that native name or no tensor can hold the type.
    public func elementType(of name: String) -> ElementType? {
        origins[name].flatMap { source.elementType(of: $0.name) }
    }

    /// The tensor of a native name. A single part shares the memory of its original.
    /// - Throws: `CheckpointError` when there is none, or it cannot be cut; what the original source throws.
    public func tensor(named name: String) throws -> Tensor {
        guard let origin = origins[name] else {
            throw CheckpointError("", "there is no tensor \(quoted(name)) under the native names")
        }
        let (tensor, parts) = (try source.tensor(named: origin.name), origin.parts)
        if parts.count == 1 { return tensor }
        guard let extent = cut(tensor.shape, parts) else {
            throw CheckpointError(
                "", "\(quoted(origin.name)) of shape \(tensor.shape) has no \(parts.count) equal parts")
        }
        let slices = parts.order.map { tensor.slice($0 * extent..<($0 + 1) * extent, of: 0) }
        return slices.count == 1 ? slices[0] : concatenated(slices)
    }

    /// The outermost extent of one part, nil where the parts are not equal. A whole needs no dimension.
    private func cut(_ shape: Shape, _ parts: TensorLayout.Parts) -> Int? {
        guard let first = shape.first, first % parts.count == 0 else { return nil }
        return first / parts.count
    }
}
