extension LossWeighting {
    /// max(SNR, 1) of the data's error: SNR's weight of the data, which makes errors of the noise count the same at every
    /// level, is cut off from below, so that levels of almost pure noise count at all.
    ///
    /// In the shares a and s of signal and noise, max(a/s, 1) of the data's error is max(a, s) of v's.
    /// Source: Salimans and Ho 2022 (arXiv:2202.00512), section 4.
    public static let truncatedSNR = LossWeighting { max($0.signal, $0.noise) }
}
