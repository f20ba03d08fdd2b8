import Storage
import Tensors

/// What became of every tensor when a network was built from a source. Nothing passes in silence.
public struct LoadReport: Sendable, Equatable {
    /// A tensor whose shape is not the one that the network needs.
    public struct WrongShape: Sendable, Equatable {
        /// The parameter.
        public let name: String
        /// The shape on offer.
        public let found: Shape
        /// The shape that the network needs.
        public let needed: Shape
    }

    /// Parameters that were found and fit.
    public internal(set) var used: [String] = []
    /// Parameters that the network needs and the source lacks.
    public internal(set) var missing: [String] = []
    /// Tensors that the source offers and the network does not know.
    public internal(set) var unused: [String] = []
    /// Parameters whose shapes differ.
    public internal(set) var wrongShapes: [WrongShape] = []
    /// Parameters that could not be read, with the reason.
    public internal(set) var unreadable: [String] = []

    /// Whether every tensor on both sides found its place.
    public var isComplete: Bool {
        missing.isEmpty && unused.isEmpty && wrongShapes.isEmpty && unreadable.isEmpty
    }

    /// The problems in words, the first few of each kind; empty where there are none.
    public var problems: String {
        [
            list("missing", missing) { quoted($0) }, list("not known to the network", unused) { quoted($0) },
            list("of the wrong shape", wrongShapes) {
                "\(quoted($0.name)) (\($0.found) instead of \($0.needed))"
            },
            list("unreadable", unreadable) { $0 },
        ].compactMap(\.self).joined(separator: "; ")
    }

    private func list<Item>(_ kind: String, _ items: [Item], _ text: (Item) -> String) -> String? {
        guard !items.isEmpty else { return nil }
        let plural = items.count == 1 ? "tensor" : "tensors"
        return "\(items.count) \(plural) \(kind): \(listed(items, text))"
    }
}

extension ParameterStore {
    /// What would become of every tensor if this network were loaded from a source. Reads names and shapes only.
    public func report(on source: any TensorSource) -> LoadReport {
        var report = LoadReport()
        for name in names {
            switch source.shape(of: name) {
            case nil: report.missing.append(name)
            case .some(let found) where found == shape(of: name): report.used.append(name)
            case .some(let found):
                report.wrongShapes.append(.init(name: name, found: found, needed: shape(of: name)))
            }
        }
        report.unused = unused(of: source)
        return report
    }

    /// The names on offer that the network did not ask for.
    func unused(of source: any TensorSource) -> [String] {
        let known = Set(names.map { Array($0.utf8) })
        return source.names.filter { !known.contains(Array($0.utf8)) }
    }
}

/// Why a network could not be built from its source.
public struct LoadError: Error, Sendable, CustomStringConvertible {
    /// What became of every tensor, where it came so far.
    public let report: LoadReport?
    /// One sentence.
    public let description: String

    init(_ description: String, report: LoadReport? = nil) {
        self.description = description
        self.report = report
    }
}
