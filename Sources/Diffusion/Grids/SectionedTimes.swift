/// Times of a table from equal parts of it, so many from each, evenly spaced with both ends of the part included.
/// Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), the published code's respacing of times.
/// - Parameters:
///   - counts: how many times of each part, from the one with the least noise.
///   - total: the number of times of the table, at least as many as the counts together.
/// - Returns: the times, least noise first.
func sectionedTimes(_ counts: [Int], of total: Int) -> [Int] {
    var (times, start): ([Int], Int) = ([], 0)
    for (index, count) in counts.enumerated() {
        let size = total / counts.count + (index < total % counts.count ? 1 : 0)
        let stride = count > 1 ? Double(size - 1) / Double(count - 1) : 1
        var place = 0.0
        for _ in 0..<count {
            times.append(start + Int(place.rounded(.toNearestOrEven)))
            place += stride
        }
        start += size
    }
    return times
}

/// The 27 times of GLIDE's upsampler: more of them where there is little noise, and the noisiest one two earlier than the last
/// of the table.
/// Source: Nichol et al. 2021 (arXiv:2112.10741), the published code (`fast27`).
/// - Returns: the times, most noise first; `nil` for a table that is too short.
func fastTimes(of total: Int) -> [Int]? {
    guard total >= 50 else { return nil }
    let times = sectionedTimes([10, 10, 3, 2, 2], of: total)
    return (times.dropLast() + [total - 3]).reversed()
}
