import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage

extension ModelSource {
    /// What the configurations of the model's parts say that nothing reads, a sentence a part.
    /// - Throws: an error about a configuration that cannot be read.
    public func foreignKeys() throws -> [String] {
        let described = try ModelComponent.allCases.filter { component in
            guard let folder = describing(component), try has(component) else { return false }
            // A file needs only some of what a folder of configurations describes.
            let name = component.isSchedule ? "scheduler_config.json" : "config.json"
            return file == nil || Files.exists("\(folder.path)/\(name)")
        }
        return try described.compactMap { component in
            let object = try configuration(of: component)
            let keys = try foreignKeys(of: component, in: object)
            return keys.isEmpty ? nil : "\(printable(object.place)): nothing reads \(listed(keys))"
        }
    }

    private func foreignKeys(of component: ModelComponent, in object: JSONObject) throws -> [String] {
        guard !component.isSchedule else {
            // A process of a kind has no keys of others.
            return object["kind"] == nil ? SchedulerConfiguration.foreignKeys(among: object.keys) : []
        }
        // The index names a class that a file of transformers may leave to it.
        let name = try (try? KnownNetworks.name(in: object)) ?? className(of: component)
        return name.flatMap(KnownNetworks.network)?.foreignKeys(in: object) ?? []
    }
}

extension JSONObject {
    /// The process that a model's `scheduler_config.json` describes in either form.
    /// - Parameters:
    ///   - className: the class of diffusers that the index names.
    ///   - prediction: what the network predicts, whatever the file says.
    /// - Throws: `CheckpointError` that names the file and the flag; `PipelineError` where the process knows no other
    ///   prediction.
    func storedProcess(as className: String?, predicting prediction: Prediction?) throws -> StoredProcess {
        var object = self
        guard object["kind"] == nil || object["_class_name"] != nil else {
            if let prediction { object["prediction"] = .string(prediction.word) }
            return try object.decoded()
        }
        // What the file itself names must be known, too.
        let written = try object.schedule()
        if let className { object["_class_name"] = .string(className) }
        if let prediction { object["prediction_type"] = .string(prediction.rawValue) }
        let named = try object.schedule()
        guard prediction == nil || named.kind.readsPrediction else {
            throw PipelineError(
                "\(place): networks of a \(written.kind.name) predict one thing: leave out \(.prediction)")
        }
        return .scheduler(named)
    }

    /// The process that a model's `scheduler_config.json` describes, keys that no class knows left out.
    /// - Throws: `CheckpointError` that names the file and the flag.
    func schedule() throws -> SchedulerConfiguration {
        let foreign = Set(SchedulerConfiguration.foreignKeys(among: keys))
        var known = JSONObject(place: place)
        for (key, value) in members where !foreign.contains(key) { known[key] = value }
        return try known.decoded()
    }
}
