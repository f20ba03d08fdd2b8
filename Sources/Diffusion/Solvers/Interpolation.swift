import Tensors

/// The great circle between two samples of noise, which keeps their length: a mixture of two unit
/// normal samples along it is as likely as they are.
///
/// Each example of a batch turns by its own angle; where two are parallel the straight line is taken. The ends are
/// `a` and `b` to the last bit.
/// Source: Song et al. 2021 (arXiv:2010.02502), appendix D.5, after Shoemake 1985.
/// - Parameters:
///   - a: `[batch, …]`, at weight 0
///   - b: `[batch, …]`, at weight 1
public func sphericallyInterpolated(_ a: Tensor, _ b: Tensor, weight: Double) -> Tensor {
    if weight == 0 { return a }
    if weight == 1 { return b }
    let (first, second) = (a.flattened(from: 1), b.flattened(from: 1))
    let dot = (first * second).sum([1])
    let cosine = dot / (first.norm([1]) * second.norm([1]))
    let angle = cosine.clamped(to: -1...1).arccosine().broadcast(toRank: a.rank)
    let sine = angle.sin()
    let isStraight = sine .< 1e-7
    let safe = sine.filled(with: 1, where: isStraight)
    let curved = a * ((1 - weight) * angle).sin() / safe + b * (weight * angle).sin() / safe
    return isStraight.choosing(a.interpolated(to: b, weight: weight), otherwise: curved)
}
