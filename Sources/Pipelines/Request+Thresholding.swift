import Diffusion

extension Request {
    /// How the estimated data are kept in range, where the request says so.
    /// - Throws: `PipelineError` where its numbers will not do.
    func checkedThresholding() throws -> Thresholding? {
        switch thresholding {
        case .fixed(let range)? where !(range > 0 && Float(range).isFinite):
            throw PipelineError("\(.threshold) keeps data within ±\(range): give a number above 0")
        case .dynamic(let quantile, let maximum)?
        where !(quantile > 0 && quantile <= 1) || !(maximum >= 1 && Float(maximum).isFinite):
            throw PipelineError(
                "\(.threshold) takes the quantile \(quantile), at most \(maximum): give a quantile above 0, up to 1, and 1 at the least"
            )
        default: return thresholding
        }
    }
}
