"""Random configurations of the schedulers of diffusers, and what each `--solver NAME` stands for."""
PREDICTIONS = ("epsilon", "sample", "v_prediction")
NOISE_OF_ALGORITHM = ("dpmsolver", "sde-dpmsolver")


def process(draw, kinds=("linear", "scaled_linear", "squaredcos_cap_v2"), rescale=True):
    """A table of betas."""
    if draw.chance(0.15):
        count = draw.integer(24, 40)
        betas = {"trained_betas": sorted(draw.real(0.005, 0.35) for _ in range(count))}
    else:
        count = draw.one(1000, 1000, draw.integer(80, 600))
        scale = 1000 / count
        betas = {"beta_schedule": draw.one(*kinds), "beta_start": round(draw.real(1e-4, 2e-3) * scale, 6),
                 "beta_end": round(draw.real(0.008, 0.025) * scale, 6)}
    if rescale and draw.chance(0.3):
        betas["rescale_betas_zero_snr"] = True
    return {"num_train_timesteps": count, **betas}


def spacing(draw, *without):
    kinds = [kind for kind in ("leading", "trailing", "linspace") if kind not in without]
    return {"timestep_spacing": draw.one(*kinds), "steps_offset": draw.one(0, 1, draw.integer(0, 4))}


def clipping(draw, dynamic=True):
    flags = {"clip_sample": draw.chance(0.5)}
    if draw.chance(0.5):
        flags["clip_sample_range"] = draw.real(0.5, 2.5)
    return {**flags, **(thresholding(draw) if dynamic else {})}


def thresholding(draw):
    if draw.chance(0.7):
        return {}
    return {"thresholding": True, "dynamic_thresholding_ratio": draw.real(0.5, 1),
            "sample_max_value": draw.real(1, 2.5)}


def chosen_sigmas(draw, *further):
    """At most one of the ways of choosing sigmas that exclude each other."""
    kinds = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", *further]
    kind = draw.one(None, None, *kinds)
    return {kind: True} if kind else {}


def ends(draw):
    return {"final_sigmas_type": draw.one("zero", "sigma_min")}


def range_of_sigmas(draw):
    flags = {"sigma_min": draw.real(0.01, 0.1)} if draw.chance(0.4) else {}
    return {**flags, "sigma_max": draw.real(5, 40)} if draw.chance(0.4) else flags


def sigma_space(draw, *predictions):
    return {**process(draw, rescale=False), **spacing(draw), "prediction_type": draw.one(*predictions)}


def with_flow(draw, flags, **options):
    """Turns a configuration into one of a straight path; only the predictions that fit it are kept."""
    if not draw.chance(0.3):
        return flags, {}
    for key in ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas",
                "rescale_betas_zero_snr"):
        flags.pop(key, None)
    noise = flags.get("algorithm_type") in (*NOISE_OF_ALGORITHM, "noise_prediction")
    noise = noise or flags.get("predict_x0") is False
    kind = draw.one("epsilon", "sample") if noise else draw.one("flow_prediction", "flow_prediction", "epsilon")
    flags |= {"use_flow_sigmas": True, "flow_shift": draw.real(0.5, 4), "prediction_type": kind}
    if options.get("dynamic") and draw.chance(0.4):
        flags |= {"use_dynamic_shifting": True, "time_shift_type": "exponential"}
        return flags, {"mu": draw.real(0.2, 1.5)}
    return flags, {}


def log_snr(draw):
    """What DPM-Solver's relatives share."""
    return {**process(draw, rescale=False), **thresholding(draw), **chosen_sigmas(draw),
            "prediction_type": draw.one(*PREDICTIONS)}


def may_learn_variance(draw):
    # diffusers takes the first three channels then: all of them here, where D is at most 3.
    return {"variance_type": draw.one("learned", "learned_range")} if draw.chance(0.15) else {}


def may_clip_lambda(draw):
    return {"lambda_min_clipped": draw.real(-6, -1.5)} if draw.chance(0.3) else {}


def ddpm(draw):
    kinds = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid")
    return {**process(draw, kinds), **clipping(draw), **spacing(draw), "prediction_type": draw.one(*PREDICTIONS),
            "variance_type": draw.one("fixed_small", "fixed_small_log", "fixed_large")}, {}


def ddim(draw):
    return {**process(draw), **clipping(draw), **spacing(draw), "prediction_type": draw.one(*PREDICTIONS),
            "set_alpha_to_one": draw.chance(0.5)}, draw.one({}, {"eta": draw.one(0.5, 1.0, draw.real(0, 1))})


def ddim_inverse(draw):
    return {**process(draw), **clipping(draw, dynamic=False), **spacing(draw, "linspace"),
            "prediction_type": draw.one(*PREDICTIONS), "set_alpha_to_one": draw.chance(0.5)}, {}


def pndm(draw):
    return {**process(draw, rescale=False), **spacing(draw), "prediction_type": draw.one("epsilon", "v_prediction"),
            "set_alpha_to_one": draw.chance(0.5), "skip_prk_steps": draw.chance(0.5)}, {}


def lcm(draw):
    flags = {**process(draw), **clipping(draw), **spacing(draw), "prediction_type": draw.one(*PREDICTIONS),
             "set_alpha_to_one": draw.chance(0.5), "timestep_scaling": draw.real(1, 12)}
    return {**flags, "original_inference_steps": draw.integer(12, min(60, flags["num_train_timesteps"]))}, {}


def tcd(draw):
    return lcm(draw)[0], draw.one({}, {"eta": draw.one(0.0, 1.0, draw.real(0, 1))})


def unclip(draw):
    return {"num_train_timesteps": draw.one(1000, draw.integer(80, 600)), "variance_type": "fixed_small_log",
            "beta_schedule": "squaredcos_cap_v2", "prediction_type": draw.one("epsilon", "sample"),
            **clipping(draw, dynamic=False)}, {}


def euler(draw):
    flags = {**sigma_space(draw, *PREDICTIONS), **chosen_sigmas(draw), **range_of_sigmas(draw), **ends(draw),
             "interpolation_type": draw.one("linear", "linear", "log_linear"),
             "timestep_type": draw.one("discrete", "continuous")}
    return {**flags, **({"rescale_betas_zero_snr": True} if draw.chance(0.3) else {})}, {}


def euler_ancestral(draw):
    return {**process(draw), **spacing(draw), "prediction_type": draw.one("epsilon", "v_prediction")}, {}


def heun(draw):
    return {**sigma_space(draw, *PREDICTIONS), **chosen_sigmas(draw), **clipping(draw, dynamic=False)}, {}


def second_order(draw):
    return {**sigma_space(draw, "epsilon", "v_prediction"), **chosen_sigmas(draw)}, {}


def lms(draw):
    return {**sigma_space(draw, *PREDICTIONS), **chosen_sigmas(draw)}, {}


def dpm_sde(draw):
    return {**second_order(draw)[0], **({"noise_sampler_seed": draw.integer(0, 9)} if draw.chance(0.4) else {})}, {}


def dpm_multistep(draw):
    flags = {**log_snr(draw), **chosen_sigmas(draw, "use_lu_lambdas"), **spacing(draw), **ends(draw),
             **may_learn_variance(draw), **may_clip_lambda(draw), "solver_order": draw.integer(1, 3),
             "algorithm_type": draw.one("dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++"),
             "solver_type": draw.one("midpoint", "heun"), "lower_order_final": draw.chance(0.6),
             "euler_at_final": draw.chance(0.3)}
    flags |= {"rescale_betas_zero_snr": True} if draw.chance(0.3) else {}
    return with_flow(draw, exclusive(flags), dynamic=True)


def exclusive(flags):
    """Keeps the last of the flags that exclude each other."""
    kinds = [key for key in flags if key.startswith("use_") and key.endswith(("_sigmas", "_lambdas"))]
    for key in kinds[:-1]:
        del flags[key]
    return flags


def dpm_multistep_inverse(draw):
    flags = {**log_snr(draw), **spacing(draw), **may_learn_variance(draw), **may_clip_lambda(draw),
             "solver_order": draw.integer(1, 3), "algorithm_type": draw.one("dpmsolver", "dpmsolver++"),
             "solver_type": draw.one("midpoint", "heun"), "lower_order_final": draw.chance(0.6),
             "euler_at_final": draw.chance(0.3)}
    return with_flow(draw, flags)


def dpm_singlestep(draw):
    flags = {**log_snr(draw), **ends(draw), **may_learn_variance(draw), **may_clip_lambda(draw),
             "solver_order": draw.integer(1, 3), "lower_order_final": draw.chance(0.6),
             "algorithm_type": draw.one("dpmsolver", "dpmsolver++", "sde-dpmsolver++"),
             "solver_type": draw.one("midpoint", "heun")}
    return with_flow(draw, flags, dynamic=True)


def unipc(draw):
    flags = {**log_snr(draw), **spacing(draw), **ends(draw), **range_of_sigmas(draw),
             "solver_order": draw.integer(1, 3), "solver_type": draw.one("bh1", "bh2"),
             "lower_order_final": draw.chance(0.6), "predict_x0": draw.chance(0.6)}
    flags |= {"rescale_betas_zero_snr": True} if draw.chance(0.3) else {}
    flags |= {"disable_corrector": sorted({draw.integer(0, 3) for _ in range(2)})} if draw.chance(0.3) else {}
    flags, _ = with_flow(draw, flags)
    if not flags.get("use_flow_sigmas"):
        return flags, {}
    kind = draw.one("plain", "terminal", "dynamic", "karras")
    if kind == "terminal":
        flags["shift_terminal"] = draw.real(0.02, 0.2)
    if kind == "karras":
        flags["use_karras_sigmas"] = True
    if kind == "dynamic":
        kind = draw.one("exponential", "linear")
        return {**flags, "use_dynamic_shifting": True, "time_shift_type": kind}, {"mu": draw.real(0.3, 2)}
    return flags, {}


def deis(draw):
    flags = {**log_snr(draw), **spacing(draw), "solver_order": draw.integer(1, 3), "algorithm_type": "deis",
             "solver_type": "logrho", "lower_order_final": draw.chance(0.6)}
    return with_flow(draw, flags, dynamic=True)


def stochastic_adams(draw):
    flags = {**log_snr(draw), **spacing(draw), **may_learn_variance(draw), **may_clip_lambda(draw),
             "predictor_order": draw.integer(1, 3), "corrector_order": draw.integer(1, 3),
             "algorithm_type": draw.one("data_prediction", "data_prediction", "noise_prediction"),
             "lower_order_final": draw.chance(0.7)}
    return with_flow(draw, flags)


def ipndm(draw):
    if draw.chance(0.3):
        # The class reads this key as the sigmas of one run: as many as it has steps, and one more.
        count = draw.integer(4, 11)
        sigmas = sorted((draw.real(0.02, 0.98) for _ in range(count)), reverse=True)
        return {"num_train_timesteps": count, "trained_betas": sigmas}, {}
    return {"num_train_timesteps": draw.one(1000, draw.integer(50, 500))}, {}


def edm(draw):
    return {"sigma_min": draw.real(0.002, 0.05), "sigma_max": draw.real(5, 80), "sigma_data": draw.real(0.3, 1.5),
            "sigma_schedule": draw.one("karras", "exponential"), "rho": draw.real(3, 9),
            "num_train_timesteps": draw.one(1000, draw.integer(50, 500)),
            "prediction_type": draw.one("epsilon", "v_prediction"), **ends(draw)}, {}


def edm_multistep(draw):
    return {**edm(draw)[0], **thresholding(draw), "solver_order": draw.integer(1, 3),
            "algorithm_type": draw.one("dpmsolver++", "sde-dpmsolver++"),
            "solver_type": draw.one("midpoint", "heun"), "lower_order_final": draw.chance(0.6),
            "euler_at_final": draw.chance(0.3)}, {}


def consistency(draw):
    return {"num_train_timesteps": draw.integer(15, 60), "sigma_min": draw.real(0.002, 0.05),
            "sigma_max": draw.real(5, 80), "sigma_data": draw.real(0.3, 1.5), "s_noise": draw.real(0.8, 1.2),
            "rho": draw.real(3, 9), "clip_denoised": draw.chance(0.5)}, {}


def flow_heun(draw):
    return {"num_train_timesteps": draw.one(1000, draw.integer(50, 500)), "shift": draw.real(0.5, 4)}, {}


def flow_lcm(draw):
    flags = {**flow_heun(draw)[0], **chosen_sigmas(draw), "time_shift_type": draw.one("exponential", "linear")}
    if draw.chance(0.25):
        flags["upscale_mode"] = "nearest"
    if draw.chance(0.25):
        flags["invert_sigmas"] = True
    if draw.chance(0.3):
        flags["shift_terminal"] = draw.real(0.02, 0.2)
    if draw.chance(0.5):
        return flags, {}
    flags |= {"use_dynamic_shifting": True, "base_shift": draw.real(0.3, 0.7), "max_shift": draw.real(0.9, 1.4),
              "base_image_seq_len": draw.one(256, 128), "max_image_seq_len": draw.one(4096, 8192)}
    return flags, {"mu": draw.real(0.3, 2)}


def flow_euler(draw):
    flags, options = flow_lcm(draw)
    flags.pop("upscale_mode", None)
    return {**flags, "stochastic_sampling": draw.chance(0.3)}, options


def variance_exploding(draw):
    return {"num_train_timesteps": draw.integer(50, 2000), "snr": draw.real(0.05, 0.3),
            "sigma_min": draw.real(0.01, 0.1), "sigma_max": draw.real(5, 100), "sampling_eps": draw.real(1e-5, 1e-3),
            "correct_steps": draw.integer(0, 2)}, {}


DRAWN = {
    "DDPMScheduler": ddpm, "DDIMScheduler": ddim, "DDIMInverseScheduler": ddim_inverse, "PNDMScheduler": pndm,
    "LCMScheduler": lcm, "TCDScheduler": tcd, "UnCLIPScheduler": unclip, "EulerDiscreteScheduler": euler,
    "EulerAncestralDiscreteScheduler": euler_ancestral, "HeunDiscreteScheduler": heun,
    "KDPM2DiscreteScheduler": second_order, "KDPM2AncestralDiscreteScheduler": second_order,
    "LMSDiscreteScheduler": lms, "DPMSolverSDEScheduler": dpm_sde, "DPMSolverMultistepScheduler": dpm_multistep,
    "DPMSolverMultistepInverseScheduler": dpm_multistep_inverse, "DPMSolverSinglestepScheduler": dpm_singlestep,
    "UniPCMultistepScheduler": unipc, "DEISMultistepScheduler": deis, "SASolverScheduler": stochastic_adams,
    "IPNDMScheduler": ipndm, "EDMEulerScheduler": edm, "EDMDPMSolverMultistepScheduler": edm_multistep,
    "CMStochasticIterativeScheduler": consistency, "FlowMatchEulerDiscreteScheduler": flow_euler,
    "FlowMatchHeunDiscreteScheduler": flow_heun, "FlowMatchLCMScheduler": flow_lcm,
    "ScoreSdeVeScheduler": variance_exploding,
}
# --solver NAME: the class that it stands for, and what it fixes there.
SOLVERS = {
    "ddpm": ("DDPMScheduler", {}), "ddim": ("DDIMScheduler", {}), "plms": ("PNDMScheduler", {"skip_prk_steps": True}),
    "euler": ("EulerDiscreteScheduler", {}), "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}), "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2-a": ("KDPM2AncestralDiscreteScheduler", {}), "lms": ("LMSDiscreteScheduler", {}),
    "dpmpp-2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp-2m-sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "dpm-single": ("DPMSolverSinglestepScheduler",
                   {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}),
    "dpmpp-single": ("DPMSolverSinglestepScheduler", {}), "dpmpp-sde": ("DPMSolverSDEScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}), "deis": ("DEISMultistepScheduler", {}), "ipndm": ("IPNDMScheduler", {}),
    "lcm": ("LCMScheduler", {}), "tcd": ("TCDScheduler", {}), "consistency": ("CMStochasticIterativeScheduler", {}),
    "flow-euler": ("FlowMatchEulerDiscreteScheduler", {}), "flow-heun": ("FlowMatchHeunDiscreteScheduler", {}),
    "sa-solver": ("SASolverScheduler", {}),
}
