import Synchronization
import Tensors

/// Opened parts of models (networks, autoencoders) by name. A program that makes one picture keeps none, so that each
/// part goes when it has been used; a server gives it a budget, and the parts that were used last stay.
public final class PartStore: Sendable {
    private struct Entry {
        let name: String
        let byteCount: Int
        let part: any Sendable
    }

    private let budget: Int
    private let entries = Mutex<[Entry]>([])

    /// A store.
    /// - Parameter bytes: the most that its parts may take together; one that is larger than all of it is not kept.
    public init(keeping bytes: Int = 0) { budget = bytes }

    /// The number of bytes of the parts that are kept.
    public var byteCount: Int { entries.withLock { $0.reduce(0) { $0 + $1.byteCount } } }

    /// Lets go of all parts.
    public func removeAll() { entries.withLock { $0 = [] } }

    /// A part, made where it is not kept.
    /// - Parameters:
    ///   - name: all that the part depends on.
    ///   - byteCount: about how much memory it takes.
    package func part<Part: Sendable>(
        _ name: String, byteCount: @autoclosure () throws -> Int, make: () throws -> Part
    ) throws -> Part {
        guard budget > 0 else { return try make() }
        let kept = entries.withLock { entries -> Part? in
            guard let index = entries.firstIndex(where: { $0.name == name }),
                let part = entries[index].part as? Part
            else { return nil }
            entries.append(entries.remove(at: index))
            return part
        }
        if let kept { return kept }
        // Outside the lock: other parts can be had meanwhile. Two that make the same part both have one, and one stays.
        let (part, size) = (try make(), try byteCount())
        entries.withLock { entries in
            guard size <= budget, !entries.contains(where: { $0.name == name }) else { return }
            entries.append(Entry(name: name, byteCount: size, part: part))
            var total = entries.reduce(0) { $0 + $1.byteCount }
            while total > budget { total -= entries.removeFirst().byteCount }
        }
        return part
    }
}
