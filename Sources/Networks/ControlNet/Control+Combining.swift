import Foundation
import Tensors

extension Conditions.Control {
    /// The sum of several controls of one U-Net.
    public static func + (first: Self, second: Self) -> Self {
        Self(
            down: zip(first.down, second.down).map { $0 + $1 }, middle: first.middle + second.middle)
    }

    /// The control times a scale.
    /// - Parameter grows: whether its share grows from a tenth at the highest resolution to all of it in the middle, as where the
    ///   picture alone says what is wanted.
    public func scaled(by scale: Double, grows: Bool) -> Self {
        func share(_ place: Int) -> Double {
            grows ? scale * pow(10, Double(place) / Double(down.count) - 1) : scale
        }
        return Self(
            down: down.enumerated().map { $1 * share($0) }, middle: middle * share(down.count))
    }

    /// A control of so many groups of rows, which is this one in one group and nothing in the others.
    public func alone(in group: Int, of count: Int) -> Self {
        map { own in
            let none = Tensor.zeros(own.shape, own.elementType, on: own.device)
            return concatenated((0..<count).map { $0 == group ? own : none })
        }
    }
}
