import Foundation
import Tensors

extension Conditions.Control {
    /// The sum of several controls of one U-Net.
    public static func + (first: Self, second: Self) -> Self {
        func sum(_ one: [Tensor], _ other: [Tensor]) -> [Tensor] {
            let longer = one.count > other.count ? one : other
            return zip(one, other).map { $0 + $1 } + longer[min(one.count, other.count)...]
        }
        let middles = [first.middle, second.middle].compactMap(\.self)
        return Self(
            down: sum(first.down, second.down),
            middle: middles.isEmpty ? nil : middles.dropFirst().reduce(middles[0], +),
            within: sum(first.within, second.within))
    }

    /// The control times a scale.
    /// - Parameter grows: whether its share grows from a tenth at the highest resolution to all of it in the middle, as where the
    ///   picture alone says what is wanted.
    public func scaled(by scale: Double, grows: Bool = false) -> Self {
        func share(_ place: Int) -> Double {
            grows ? scale * pow(10, Double(place) / Double(down.count) - 1) : scale
        }
        return Self(
            down: down.enumerated().map { $1 * share($0) }, middle: middle.map { $0 * share(down.count) },
            within: within.map { $0 * scale })
    }

    /// A control of so many groups of rows, which is this one in one group and nothing in the others.
    public func alone(in group: Int, of count: Int) -> Self {
        map { own in
            let none = Tensor.zeros(own.shape, own.elementType, on: own.device)
            return concatenated((0..<count).map { $0 == group ? own : none })
        }
    }
}
