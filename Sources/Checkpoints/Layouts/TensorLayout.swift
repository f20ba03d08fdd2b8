import Layers
import Storage
import Tensors

/// Where each tensor of a network stands in a checkpoint of another layout: explicit tables of names, one for
/// each way of seeing a foreign tensor, read in both directions.
public struct TensorLayout: Sendable {
    /// A view and the names, foreign first, for which it holds.
    public typealias Section = (view: TensorView, names: NameMap)

    private let prefix: String
    private let scopes: Set<String>
    private let sections: [Section]
    private let setAside: [(pattern: NamePattern, reason: String)]

    /// A layout from its tables.
    ///
    /// - Parameters:
    ///   - prefix: with what every foreign name of this network begins; the tables go without it.
    ///   - scopes: where nothing begins all names: the first words that are this network's. Others are not.
    ///   - sections: the tables; several may hold the same foreign name, none the same native one.
    ///   - setAside: foreign names that the network does not need, in the form of a `NameMap`, and why.
    public init(
        prefix: String, scopes: Set<String> = [], _ sections: [Section],
        setAside: [(String, reason: String)] = []
    ) {
        self.prefix = prefix
        self.scopes = scopes
        self.sections = sections
        self.setAside = setAside.map { (NamePattern($0), $1) }
    }

    /// Whether a foreign name is one of this network's.
    public func claims(_ foreign: String) -> Bool {
        scopes.isEmpty ? foreign.hasPrefix(prefix) : scopes.contains(String(foreign.prefix { $0 != "." }))
    }

    /// What is seen of a foreign tensor: native names with their views, none where it is not known.
    public func natives(for foreign: String) -> [(name: String, view: TensorView)] {
        guard let name = local(foreign) else { return [] }
        return sections.compactMap { section in section.names.native(for: name).map { ($0, section.view) } }
    }

    /// Where a native tensor is seen, nil where the layout does not know it.
    public func foreign(for native: String) -> (name: String, view: TensorView)? {
        for section in sections {
            if let name = section.names.foreign(for: native) { return (prefix + name, section.view) }
        }
        return nil
    }

    /// Why a foreign tensor is not needed, nil where nothing says so.
    public func reasonToSetAside(_ foreign: String) -> String? {
        guard let name = local(foreign) else { return nil }
        return setAside.first { $0.pattern.match(name) != nil }?.reason
    }

    private func local(_ foreign: String) -> String? {
        claims(foreign) ? String(foreign.dropFirst(prefix.count)) : nil
    }
}

/// The tensors of one network in a checkpoint of another layout, under their native names.
///
/// A tensor that the layout claims and does not know stays on offer under its foreign name, so that a strict
/// load reports it.
public struct LayoutSource: TensorSource {
    /// What was set aside, and why.
    public let setAside: [(name: String, reason: String)]
    /// What the layout claims and does not know.
    public let unknown: [String]
    private let source: any TensorSource
    private let places: NameTable<(foreign: String, view: TensorView)>

    /// Sees the tensors of a source through a layout.
    /// - Throws: `CheckpointError` where two foreign tensors become one.
    public init(_ source: any TensorSource, _ layout: TensorLayout) throws {
        var places = NameTable<(foreign: String, view: TensorView)>()
        var setAside: [(name: String, reason: String)] = []
        var unknown: [String] = []
        for foreign in source.names where layout.claims(foreign) {
            if let reason = layout.reasonToSetAside(foreign) {
                setAside.append((foreign, reason))
                continue
            }
            let natives = layout.natives(for: foreign)
            if natives.isEmpty { unknown.append(foreign) }
            for (name, view) in natives.isEmpty ? [(foreign, .whole)] : natives {
                guard places.append(name, (foreign, view)) else {
                    throw CheckpointError(
                        "",
                        "\(quoted(places[name]?.foreign ?? "")) and \(quoted(foreign)) both become "
                            + "\(quoted(name)); the checkpoint mixes two layouts")
                }
            }
        }
        self.source = source
        self.places = places
        self.setAside = setAside
        self.unknown = unknown
    }

    /// The native names, in the order of the original source.
    public var names: [String] { places.names }

    /// Those of the original source.
    public var files: [String] { source.files }

    /// A tensor's shape, nil when there is none of that native name, and its foreign shape where it cannot be
    /// seen as the layout says.
    public func shape(of name: String) -> Shape? {
        guard let (foreign, view) = places[name], let whole = source.shape(of: foreign) else { return nil }
        return view.shape(in: whole) ?? whole
    }

    /// A tensor's element type, nil when there is none of that native name or no tensor can hold the type.
    public func elementType(of name: String) -> ElementType? {
        places[name].flatMap { source.elementType(of: $0.foreign) }
    }

    /// The tensor of a native name.
    /// - Throws: `CheckpointError` when there is none or it cannot be seen as the layout says; what the
    ///   original source throws.
    public func tensor(named name: String) throws -> Tensor {
        guard let (foreign, view) = places[name] else {
            throw CheckpointError("", "there is no tensor \(quoted(name)) under the native names")
        }
        let whole = try source.tensor(named: foreign)
        guard view.shape(in: whole.shape) != nil else {
            throw CheckpointError(
                "",
                "\(quoted(foreign)) has the shape \(whole.shape), from which \(quoted(name)) cannot be taken")
        }
        return view(whole)
    }
}
