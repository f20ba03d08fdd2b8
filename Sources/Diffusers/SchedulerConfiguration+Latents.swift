import Diffusion

extension SchedulerConfiguration {
    /// Whether diffusers has a class for a method.
    public static func hasClass(for method: Method) -> Bool {
        SchedulerConfiguration(.ddpm).named(method) != nil
    }

    /// This configuration as a model of latents keeps it: the class of the method that samples it, so that diffusers takes
    /// the same steps, where it has one; and nothing is cut off, because latents have no bounds.
    public func ofLatents(sampledBy method: Method?) -> SchedulerConfiguration {
        var configuration = method.flatMap(named) ?? self
        configuration.clipsData = false
        return configuration
    }
}
