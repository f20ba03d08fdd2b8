"""Single files that say more than weights do, files in eight bits, and folders with words of several vectors."""
import functools

import diffusers
import torch
from safetensors.torch import load_file, save_file

import pipeline_models as models
import pipeline_stable
from pipeline_cases import Job
from pipeline_files import PARTS, file_job, single_file, unit_projection
from pipeline_references import Unfit, read_json

# What training leaves in files; it changes nothing.
LEFT = {"global_step": torch.tensor(7), "epoch": torch.tensor(1), "embedding_manager.string_to_param_dict.*": torch.ones(2)}
RESCALING = ("DDIMScheduler", "DDPMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
             "DPMSolverMultistepScheduler", "LCMScheduler", "TCDScheduler", "UniPCMultistepScheduler")


def marked(place, kind, marks):
    """The file has marks, and `--config` says what it said before; what diffusers opens says what the marks mean."""
    job = file_job(place, kind)
    scheduler = f"{job.folder}/scheduler/scheduler_config.json"
    found = read_json(scheduler)
    if found.get("use_flow_sigmas"):
        raise Unfit("v on a straight path")
    tensors = dict(LEFT)
    if "statistics" in marks:
        mean, std = place.draw.normal(4, dtype=torch.float32), torch.tensor([place.draw.real(0.5, 2) for _ in range(4)])
        models.edit_json(f"{job.folder}/vae/config.json", latents_mean=mean.tolist(), latents_std=std.tolist())
        tensors |= {"edm_mean": mean.reshape(1, 4, 1, 1), "edm_std": std.reshape(1, 4, 1, 1), "v_pred": torch.zeros(0)}
    else:
        changed = {"prediction_type": "v_prediction"}
        if "ztsnr" in marks:
            changed |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
            if found["_class_name"] not in RESCALING:
                changed |= {"_class_name": "DDIMScheduler", "clip_sample": found.get("clip_sample", False)}
                models.edit_json(f"{job.folder}/model_index.json", scheduler=["diffusers", "DDIMScheduler"])
        models.edit_json(scheduler, **changed)
        tensors |= {mark: torch.zeros(1) for mark in marks}
    path = job.place("model.safetensors")
    save_file({**load_file(path), **tensors}, path)
    return job


def eight_bits(place, kind, scaled):
    """The networks' matrices rounded to eight bits, in the folder as they then are, in the file in eight bits."""
    job, draw = file_job(place, kind), place.draw
    type_ = draw.one(torch.float8_e4m3fn, torch.float8_e5m2)
    scale = torch.tensor(draw.real(0.3, 3)) if scaled else torch.tensor(1.0)
    for part in set(PARTS[kind]) - {"vae"}:
        with torch.no_grad():
            for parameter in job.components[part].parameters():
                if parameter.ndim > 1:
                    parameter.copy_((parameter / scale).to(type_).float() * scale)
        job.components[part].save_pretrained(f"{job.folder}/{part}")
    if kind == "sd3":
        unit_projection(job)
    path = job.place("model.safetensors")
    single_file(kind, job.components, path)
    found = {}
    for name, tensor in load_file(path).items():
        small = (tensor / scale).to(type_)
        fits = name.endswith(".weight") and tensor.ndim > 1 and not name.startswith("first_stage_model.")
        if not (fits and torch.equal(small.float() * scale, tensor)):
            found[name] = tensor
            continue
        found[name] = small
        if scaled:
            layer = name.removesuffix("weight")
            found |= {layer + "scale_weight": scale.clone(), layer + "scale_input": torch.ones(1)}
    if scaled:
        found["model.diffusion_model.scaled_fp8"] = torch.empty(2, dtype=type_)
    save_file(found, path)
    return job


WORD = "<my-cat>"


def inversion(place, kind):
    """A folder to which diffusers added a word of several vectors, in both encoders where there are two."""
    job, draw = pipeline_stable.KINDS[kind](place), place.draw
    name = {"sd1": "StableDiffusionPipeline", "xl": "StableDiffusionXLPipeline"}[kind]
    pipe = getattr(diffusers, name).from_pretrained(job.folder)
    vectors = draw.integer(2, 4)
    for end in ("", "_2") if kind == "xl" else ("",):
        encoder, tokenizer = getattr(pipe, "text_encoder" + end), getattr(pipe, "tokenizer" + end)
        width = encoder.get_input_embeddings().weight.shape[1]
        pipe.load_textual_inversion(
            {WORD: draw.normal(vectors, width, dtype=torch.float32)}, token=WORD, text_encoder=encoder, tokenizer=tokenizer)
        encoder.save_pretrained(f"{job.folder}/text_encoder{end}")
        tokenizer.save_pretrained(f"{job.folder}/tokenizer{end}")
    negative = draw.one(None, f"no {WORD}, nothing")
    asked = job.request.changed(prompt=draw.one(f"a {WORD} on a mat", f"{WORD}{WORD}, <MY-CAT>", f"a {WORD} and {WORD}_1"), negative=negative)
    return Job(f"inversion-{kind}", job.folder, asked, job.open, job.options, job.components)


KINDS = {
    **{f"marked-{kind}-{'-'.join(marks)}": functools.partial(marked, kind=kind, marks=marks)
       for kind, marks in (("sd1", ("v_pred",)), ("xl", ("v_pred",)), ("xl", ("v_pred", "ztsnr")), ("sd1", ("v_pred", "ztsnr")),
                           ("xl", ("statistics",)))},
    **{f"float8-{kind}{'-scaled' if scaled else ''}": functools.partial(eight_bits, kind=kind, scaled=scaled)
       for kind in ("sd1", "xl", "sd3") for scaled in (False, True)},
    **{f"inversion-{kind}": functools.partial(inversion, kind=kind) for kind in ("sd1", "xl")},
}
