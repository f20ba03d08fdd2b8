import Checkpoints
import Diffusion
import Networks
import Storage

extension ModelSource {
    /// What the configurations of the model's parts say that nothing reads, a sentence a part.
    /// - Throws: an error about a configuration that cannot be read.
    public func foreignKeys() throws -> [String] {
        let described = try ModelComponent.allCases.filter { try file == nil && has($0) }
        return try described.compactMap { component in
            let object = try configuration(of: component)
            let keys =
                component.isSchedule
                ? SchedulerConfiguration.foreignKeys(among: object.keys)
                : try object.optional("_class_name").flatMap(KnownNetworks.network)?.foreignKeys(in: object)
                    ?? []
            guard !keys.isEmpty else { return nil }
            let names = keys.prefix(20).map(quoted).joined(separator: ", ")
            let others = keys.count > 20 ? " and \(keys.count - 20) more" : ""
            return "\(object.place): nothing reads \(names)\(others)"
        }
    }
}

extension JSONObject {
    /// The process that a model's `scheduler_config.json` describes, keys that no class knows left out.
    /// - Throws: `CheckpointError` that names the file and the flag.
    func schedule() throws -> SchedulerConfiguration {
        let foreign = Set(SchedulerConfiguration.foreignKeys(among: keys))
        var known = JSONObject(place: place)
        for (key, value) in members where !foreign.contains(key) { known[key] = value }
        return try known.decoded()
    }
}
