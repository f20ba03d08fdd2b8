import Foundation
import Storage

extension Receipt {
    /// The form that AUTOMATIC1111 made common: the text chunk `parameters`. The model's hash in it is that of the
    /// denoising network's file, as other programs have it.
    public var parameters: String {
        let classes = classes.map { Set($0).count == 1 ? "class \($0[0])" : "classes" }
        let negative = negativePrompt.map { "\nNegative prompt: \($0)" } ?? ""
        let prompt = (prompt ?? classes ?? "") + negative
        let more = [
            strength.map { "Denoising strength: \($0)" }, clipSkip.map { "Clip skip: \($0 + 1)" },
            guidanceRescale.map { "CFG Rescale: \($0)" }, rng.map { "RNG: \($0.uppercased())" },
            then.map { stages in
                "Then: \(Self.infotext(stages.map { "\($0.model) [\($0.modelHash.prefix(10))]" }.joined(separator: "; ")))"
            },
            refiner.map { "Refiner: \(Self.infotext("\($0.model) [\($0.modelHash.prefix(10))]"))" },
            refiner?.start.map { "Refiner switch at: \($0)" },
        ].compactMap(\.self)
        let facts =
            [
                "Steps: \(steps)", "Sampler: \(Self.samplers[solver] ?? solver)", "Schedule type: \(grid)",
                "CFG scale: \(guidance)",
                "Seed: \(seed)", "Size: \(width)x\(height)", "Model hash: \(modelHash.prefix(10))",
                "Model: \(Self.infotext(model))", "Eta: \(eta)",
            ] + more + ["Version: \(program)"]
        return "\(prompt)\n\(facts.joined(separator: ", "))"
    }

    /// A name as AUTOMATIC1111 writes it: as JSON where it holds what separates facts.
    private static func infotext(_ name: String) -> String {
        guard name.contains(where: { [",", ":", "\n", "\""].contains($0) }),
            let text = try? JSONEncoder().encode(name)
        else { return name }
        return String(decoding: text, as: UTF8.self)
    }

    /// What AUTOMATIC1111 calls solvers.
    private static let samplers = [
        "ddpm": "DDPM", "ddim": "DDIM", "plms": "PLMS", "euler": "Euler", "euler-a": "Euler a",
        "heun": "Heun", "dpm2": "DPM2", "dpm2-a": "DPM2 a", "lms": "LMS", "dpmpp-2m": "DPM++ 2M",
        "dpmpp-2s-a": "DPM++ 2S a", "dpmpp-sde": "DPM++ SDE", "dpmpp-2m-sde": "DPM++ 2M SDE",
        "dpmpp-3m-sde": "DPM++ 3M SDE", "dpm-fast": "DPM fast", "dpm-adaptive": "DPM adaptive",
        "unipc": "UniPC", "deis": "DEIS", "lcm": "LCM",
    ]

    /// The receipt as JSON: the text chunk `langevin`.
    public func json() throws -> String {
        String(decoding: try sortedJSON(self), as: UTF8.self)
    }
}
