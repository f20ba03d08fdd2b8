import Layers
import Storage
import Tensors

/// Tensors in a single file that are no weights and say how the model is meant: what its network predicts, on which
/// process, and the statistics of its latents. They mean what ComfyUI takes them for; it reads them in files of SDXL
/// only, and here they count beside every U-Net of Stable Diffusion.
public struct CheckpointMarks: Sendable {
    /// What the network predicts, and on which process.
    public enum Process: Sendable, Equatable {
        /// v (`v_pred`), and whether on the process that ends without signal (`ztsnr`).
        case velocity(zeroTerminalSNR: Bool)
        /// v on the process of Karras et al. 2022 between two σ (`edm_vpred.sigma_max`, `edm_vpred.sigma_min`).
        case velocityOfEDM(sigmaMinimum: Double, sigmaMaximum: Double)
        /// The process of Karras et al. 2022 as Playground 2.5 has it (`edm_mean` and `edm_std`).
        case playground
    }

    /// What the marks state about the network; `nil` without marks of it.
    public let process: Process?
    /// The mean and the standard deviation of each channel of latents, where they are given.
    public let moments: (mean: [Double], deviation: [Double])?
    /// The tensors that were read.
    public let names: [String]

    /// Reads the marks among the tensors of a file.
    /// - Throws: `CheckpointError` where one holds no numbers.
    init(_ source: any TensorSource, of family: CheckpointFamily) throws {
        let known = family.isMarked ? Set(source.names) : []
        func values(_ name: String) throws -> [Double] {
            let values = try source.tensor(named: name).to(.float64).array(of: Double.self)
            guard !values.isEmpty else { throw CheckpointError("", "\(quoted(name)) holds no number") }
            return values
        }
        if known.isSuperset(of: ["edm_mean", "edm_std"]) {
            names = ["edm_mean", "edm_std"]
            (process, moments) = (.playground, (try values(names[0]), try values(names[1])))
        } else if known.contains("edm_vpred.sigma_max") {
            names = ["edm_vpred.sigma_max", "edm_vpred.sigma_min"].filter(known.contains)
            process = .velocityOfEDM(
                sigmaMinimum: names.count > 1 ? try values(names[1])[0] : 0.002,
                sigmaMaximum: try values(names[0])[0])
            moments = nil
        } else if known.contains("v_pred") {
            names = ["v_pred", "ztsnr"].filter(known.contains)
            (process, moments) = (.velocity(zeroTerminalSNR: names.count > 1), nil)
        } else {
            (process, moments, names) = (nil, nil, [])
        }
    }

    /// What they say, in a sentence; `nil` where there are none.
    var remark: String? {
        guard let process else { return nil }
        let meaning =
            switch process {
            case .velocity(let isZero):
                "the network predicts v" + (isZero ? ", on a process that ends without signal" : "")
            case .velocityOfEDM: "the network predicts v, on the process of EDM"
            case .playground: "the statistics of latents, as Playground 2.5 has them"
            }
        return "\(names.joined(separator: " and ")) in the file: \(meaning)"
    }
}

extension CheckpointMarks {
    /// A schedule as the marks have it.
    /// - Parameters:
    ///   - object: what the family or a folder says.
    ///   - isPublished: whether it is the family's, so that another process takes the place of all of it.
    func scheduler(_ object: JSONObject, isPublished: Bool) throws -> JSONObject {
        var object = object
        switch process {
        case nil: break
        case .playground: if isPublished { object = Published.playgroundScheduler }
        case .velocityOfEDM(let minimum, let maximum):
            if isPublished { object = Published.edmScheduler(from: minimum, to: maximum) }
            object["prediction_type"] = "v_prediction"
        case .velocity(let isZero):
            object["prediction_type"] = "v_prediction"
            guard isZero else { break }
            object["rescale_betas_zero_snr"] = true
            object["timestep_spacing"] = "trailing"
            if try !Published.rescaling.contains(object.required("_class_name")) {
                object["_class_name"] = "DDIMScheduler"
                object["clip_sample"] = object["clip_sample"] ?? false
            }
        }
        return object
    }

    /// An autoencoder as the marks have it. The factor of the family's own is that of other statistics.
    func autoencoder(_ object: JSONObject, isPublished: Bool) -> JSONObject {
        guard let moments else { return object }
        var object = object
        object["latents_mean"] = .array(moments.mean.map(JSONValue.number))
        object["latents_std"] = .array(moments.deviation.map(JSONValue.number))
        if isPublished { object["scaling_factor"] = 0.5 }
        return object
    }
}

extension Published {
    /// The classes of diffusers that can rescale β so that the last time carries no signal. The others pass over the
    /// flag.
    static let rescaling: Set = [
        "DDIMScheduler", "DDIMInverseScheduler", "DDPMScheduler", "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "LCMScheduler", "TCDScheduler",
        "UniPCMultistepScheduler",
    ]

    static let playgroundScheduler: JSONObject = [
        "_class_name": "EDMDPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++",
        "dynamic_thresholding_ratio": 0.995, "euler_at_final": false, "final_sigmas_type": "zero",
        "lower_order_final": true, "num_train_timesteps": 1000, "prediction_type": "epsilon", "rho": 7.0,
        "sample_max_value": 1.0, "sigma_data": 0.5, "sigma_max": 80.0, "sigma_min": 0.002, "solver_order": 2,
        "solver_type": "midpoint", "thresholding": false,
    ]

    static func edmScheduler(from minimum: Double, to maximum: Double) -> JSONObject {
        [
            "_class_name": "EDMEulerScheduler", "num_train_timesteps": 1000,
            "prediction_type": "v_prediction",
            "rho": 7.0, "sigma_data": 1.0, "sigma_max": .number(maximum), "sigma_min": .number(minimum),
        ]
    }
}
