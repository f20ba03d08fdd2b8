extension ControlKind {
    /// Thin edges, white on black: scikit-image's `canny` of the luminance.
    ///
    /// Edges are the crests of the slope of a blurred picture. A crest counts where it is steeper than `low` and hangs together
    /// with a pixel that is steeper than `high`. Beyond the picture there is nothing, which the blur leaves out of account; the
    /// outermost pixels have no edges.
    /// Source: Canny 1986 (IEEE Transactions on Pattern Analysis and Machine Intelligence 8, 679–698).
    public static let canny = ControlKind(
        "canny", "thin edges, white on black", reads: [.sigma, .low, .high]
    ) { picture, settings in
        let (low, high) = (settings.low ?? 0.1, settings.high ?? 0.2)
        guard low <= high else {
            throw PictureError(
                .unsuitable, "low is \(low) and high is \(high)",
                remedy: "give high the larger number, from which on edges begin")
        }
        return [Slopes(of: picture.luminance, settings.sigma ?? 1).edges(from: low, to: high)]
    }
}

/// How steep a blurred plane is, and where to.
private struct Slopes {
    let right: Plane
    let down: Plane
    let steepness: Plane

    init(of plane: Plane, _ deviation: Double) {
        // The share of each Gaussian that lies inside the picture.
        let inside = plane.filled(with: 1).blurred(deviation, .zero)
        let smooth = plane.blurred(deviation, .zero).with(inside) { $0 / ($1 + .ulpOfOne) }
        (right, down) = (smooth.slope(along: .rows), smooth.slope(along: .columns))
        steepness = down.with(right) { ($0 * $0 + $1 * $1).squareRoot() }
    }

    /// Edges, 1 on 0.
    func edges(from low: Double, to high: Double) -> Plane {
        var crests = [Bool](repeating: false, count: steepness.values.count)
        var (edges, open) = (steepness.filled(with: 0), [Int]())
        for y in stride(from: 1, to: steepness.height - 1, by: 1) {
            for x in stride(from: 1, to: steepness.width - 1, by: 1)
            where steepness[x, y] >= low && steepness[x, y] > 0 && isCrest(x, y) {
                let place = y * steepness.width + x
                crests[place] = true
                if steepness[x, y] >= high { open.append(place) }
            }
        }
        // From each steep crest along all that touch it, at corners too.
        for place in open { edges.values[place] = 1 }
        while let place = open.popLast() {
            for across in [-1, 0, 1] {
                for step in [-1, 0, 1] {
                    let next = place + across * steepness.width + step
                    guard crests[next], edges.values[next] == 0 else { continue }
                    edges.values[next] = 1
                    open.append(next)
                }
            }
        }
        return edges
    }

    /// Whether a pixel is as steep as what lies before and behind it in the direction of its slope, between two neighbours each.
    private func isCrest(_ x: Int, _ y: Int) -> Bool {
        let (right, down) = (self.right[x, y], self.down[x, y])
        let isFalling = (down >= 0 && right >= 0) || (down <= 0 && right <= 0)
        let isUpright = abs(down) > abs(right)
        let share = isUpright ? abs(right) / abs(down) : abs(down) / abs(right)
        /// The slope between the neighbour along the larger component and the one at the corner.
        func slope(_ side: Int) -> Double {
            let corner = isFalling ? steepness[x + side, y + side] : steepness[x + side, y - side]
            let straight =
                isUpright
                ? steepness[x, isFalling ? y + side : y - side] : steepness[x + side, y]
            return corner * share + straight * (1 - share)
        }
        return slope(1) <= steepness[x, y] && slope(-1) <= steepness[x, y]
    }
}
