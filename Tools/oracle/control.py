"""Control through `langevin generate`: tiny models, ControlNets and T2I-Adapters drawn from a seed, against diffusers' pipelines.

    control.py --program .build/release/langevin --seed 3 [--only KIND] [--cases 1] [--keep FOLDER]
    control.py --seed 0 --out Tests/Fixtures/control

The models and requests are those of pipelines.py; each gets one or two control networks of random weights, with pictures, scales
and shares of the steps, now and then in guess mode. Prints a line a case; exit code 1 where one failed. With `--out` it writes a few as small files.
"""
import inspect
import types

import diffusers
import numpy as np
import PIL.Image
import torch
from safetensors.torch import save_file

import pipeline_fixtures
import pipeline_models as models
import pipeline_requests
import pipelines
from adapters import original_unet
from pipeline_references import Result, TextPipeline, Unfit, eight_bits, provided, read_json

PIPELINES = {
    "sd1": "StableDiffusionControlNetPipeline", "sd2": "StableDiffusionControlNetPipeline",
    "sd-img2img": "StableDiffusionControlNetImg2ImgPipeline", "sd-inpaint4": "StableDiffusionControlNetInpaintPipeline",
    "sd-inpaint9": "StableDiffusionControlNetInpaintPipeline", "xl": "StableDiffusionXLControlNetPipeline"}
PIPELINES3 = {
    "sd3": "StableDiffusion3ControlNetPipeline", "sd35": "StableDiffusion3ControlNetPipeline", "sd3-img2img": None, "sd3-inpaint": None}
ADAPTED = {"sd1": "StableDiffusionAdapterPipeline", "sd2": "StableDiffusionAdapterPipeline", "xl": "StableDiffusionXLAdapterPipeline"}


def control_network(draw, unet, factor, folder):
    """A control network for a U-Net whose latents are `factor` times smaller, all of its weights random."""
    levels = factor.bit_length()
    settings = diffusers.ControlNetModel.from_unet(
        unet, controlnet_conditioning_channel_order=draw.one("rgb", "rgb", "bgr"), load_weights_from_unet=False,
        conditioning_embedding_out_channels=tuple(4 * draw.integer(1, 3) for _ in range(levels))).config
    # It reads latents alone, also where a U-Net that inpaints is given more.
    network = diffusers.ControlNetModel.from_config({**settings, "in_channels": 4})
    if draw.chance(0.15):
        network.register_to_config(global_pool_conditions=True)
    models.draw_weights(network, draw.integer(0, 2**30))
    network.save_pretrained(folder)
    return {"folder": folder, "seed": network.weight_seed, "config": read_json(f"{folder}/config.json")}


class ControlPipeline(TextPipeline):
    """One of diffusers' pipelines with control networks."""

    def __init__(self, folder, name, request, controls, guesses):
        networks = [diffusers.ControlNetModel.from_pretrained(control["folder"]) for control in controls]
        kind = getattr(diffusers, name)

        def opened(folder, **parts):
            return kind.from_pretrained(folder, controlnet=networks if len(networks) > 1 else networks[0], **parts)

        shim = types.SimpleNamespace(from_pretrained=opened, __name__=name)
        super().__init__(folder, shim, request)
        self.controls, self.guesses, self.changes = controls, guesses, name.endswith(("Img2ImgPipeline", "InpaintPipeline"))

    def __call__(self, request, **more):
        def each(key):
            found = [control[key] for control in self.controls]
            return found if len(found) > 1 else found[0]

        pictures = [PIL.Image.open(control["picture"]) for control in self.controls]
        picture = pictures if len(pictures) > 1 else pictures[0]
        return super().__call__(
            request, **{"control_image" if self.changes else "image": picture}, controlnet_conditioning_scale=each("scale"),
            control_guidance_start=each("start"), control_guidance_end=each("end"), guess_mode=self.guesses, **more)


def size_of(job):
    """Width and height of the pictures of a request."""
    asked, config = job.request, job.components.get("unet", job.components.get("transformer")).config
    factor = 2 ** (len(job.components["vae"].config.block_out_channels) - 1)
    if asked.image and not asked.width:
        width, height = PIL.Image.open(asked.image).size
        return width // factor * factor, height // factor * factor
    sample = config.sample_size
    height, width = sample if isinstance(sample, (list, tuple)) else (sample, sample)
    return asked.width or width * factor, asked.height or height * factor


def shares(draw):
    if draw.chance(0.5):
        return 0.0, 1.0
    start = draw.one(0.0, draw.real(0, 0.6))
    return start, draw.one(1.0, draw.real(start + 0.2, 1))


def drawn_controls(place, asked, width, height, network):
    """One or two networks with their pictures, scales and shares, and the options that say so."""
    draw, controls, options = place.draw, [], []
    for index in range(draw.one(1, 1, 2)):
        other = asked.width and draw.chance(0.3)
        sides = (width + draw.integer(1, 20), height + draw.integer(-7, 9)) if other else (width, height)
        start, end = shares(draw)
        control = {**network(place.file(f"control-{index}")),
                   "picture": pipeline_requests.picture(draw, place.file(f"control-{index}.png"), *sides),
                   "scale": draw.one(1.0, draw.real(0.2, 1.2)), "start": start, "end": end}
        controls.append(control)
        options += ["--controlnet", control["folder"], "--control", control["picture"]]
        for name, usual in (("scale", 1.0), ("start", 0.0), ("end", 1.0)):
            if control[name] != usual or draw.chance(0.2):
                options += [f"--control-{name}", control[name]]
    return controls, options


def check_effect(job, asked, plain):
    """Throws away control that hardly changes the picture."""
    found, without = job.open()(asked).pixels, plain(job.folder)(asked).pixels
    if found.shape != without.shape or abs(found.astype(int) - without).mean() < 2:
        raise Unfit("control that hardly changes the picture")


def case(base):
    def make(place):
        job, draw = pipelines.KINDS_OF_MODELS[base](place), place.draw
        # Their pipelines know no rescaling.
        job.request = asked = job.request.changed(initial=None, rescale=None)
        width, height = size_of(job)
        if not asked.image and draw.chance(0.5):
            # The size is that of the first picture.
            asked = asked.changed(width=None, height=None)
        elif not asked.image:
            asked = asked.changed(width=width, height=height)
        factor = 2 ** (len(job.components["vae"].config.block_out_channels) - 1)
        controls, options = drawn_controls(place, asked, width, height, lambda folder: control_network(
            draw, job.components["unet"], factor, folder))
        guesses = draw.chance(0.3)
        job.controls = controls
        job.request = asked
        job.options = (*job.options, *map(str, options), *(["--guess-mode"] if guesses else []))
        plain = job.open
        job.open = lambda folder=job.folder: ControlPipeline(folder, PIPELINES[base], asked, controls, guesses)
        found = job.open()(asked).pixels
        without = plain(job.folder)(asked.changed(width=width, height=height) if not asked.image else asked).pixels
        if found.shape != without.shape or abs(found.astype(int) - without).mean() < 2:
            raise Unfit("control that hardly changes the picture")
        return job
    return make


# --- files of one network ----------------------------------------------------------------------------------------


def original(name, network):
    """The name of a tensor of a control network in the code that introduced them."""
    layer, end = name.rsplit(".", 1)
    words, hints = layer.split("."), len(network.controlnet_cond_embedding.blocks)
    if words[0] == "controlnet_cond_embedding":
        place = {"conv_in": 0, "conv_out": hints + 1}.get(words[1])
        return f"input_hint_block.{2 * (int(words[2]) + 1 if place is None else place)}.{end}"
    if words[0] == "controlnet_down_blocks":
        return f"zero_convs.{words[1]}.0.{end}"
    if words[0] == "controlnet_mid_block":
        return f"middle_block_out.0.{end}"
    norms = {"norm1": ("conv1", "in_layers.2", "in_layers.0"), "norm2": ("conv2", "out_layers.3", "out_layers.0")}
    if "resnets" in words and words[-1] in norms:
        twin, its, own = norms[words[-1]]
        return original_unet(".".join([*words[:-1], twin]), network).replace(its, own) + f".{end}"
    return f"{original_unet(layer, network)}.{end}"


def check_read(path, folder, network):
    """Throws where diffusers reads another network from a file: it knows the convolutions over the picture of published files alone,
    and nothing of sizes beside the time."""
    read = diffusers.ControlNetModel.from_single_file(path, config=folder).state_dict()
    for name, tensor in network.state_dict().items():
        if not name.startswith(("controlnet_cond_embedding", "add_embedding")) and not torch.equal(read[name], tensor):
            raise AssertionError(f"diffusers reads another {name}")


def in_file(base):
    """Control networks in files in the original layout; the reference is their folders."""
    def make(place):
        job, draw = case(base)(place), place.draw
        for index, control in enumerate(job.controls):
            config = control["config"]
            if config["controlnet_conditioning_channel_order"] != "rgb" or config["global_pool_conditions"]:
                raise Unfit("what such a file does not say")
            network, prefix = diffusers.ControlNetModel.from_pretrained(control["folder"]), draw.one("control_model.", "")
            path = place.file(f"control-{index}-network.safetensors")
            save_file({prefix + original(name, network): tensor for name, tensor in network.state_dict().items()}, path)
            check_read(path, control["folder"], network)
            job.options = tuple(path if word == control["folder"] else word for word in job.options)
        return job
    return make


# --- Stable Diffusion 3 ------------------------------------------------------------------------------------------


def control_settings3(draw, transformer):
    """What the networks of a case have in common: diffusers asks the first of several."""
    layers = transformer.config.num_layers
    return {"num_layers": draw.integer(1, layers + 1), "force_zeros_for_pooled_projection": draw.chance(0.5),
            "joint_attention_dim": draw.one(transformer.config.joint_attention_dim, None)}


def control_network3(draw, transformer, folder, **common):
    """A control network for a transformer of Stable Diffusion 3, all of its weights random."""
    config = transformer.config
    width, own = config.num_attention_heads * config.attention_head_dim, draw.chance(0.6) or "extra_conditioning_channels" in common
    heads = draw.one(config.num_attention_heads, 2 * config.num_attention_heads)
    more = {"dual_attention_layers": [index for index in range(common["num_layers"]) if draw.chance(0.5)],
            "qk_norm": draw.one(None, "rms_norm")} if common["joint_attention_dim"] and draw.chance(0.5) else {}
    network = diffusers.SD3ControlNetModel(
        sample_size=config.sample_size + draw.one(0, 2), patch_size=config.patch_size, in_channels=config.in_channels,
        attention_head_dim=width // heads, num_attention_heads=heads, caption_projection_dim=width, out_channels=config.out_channels,
        pooled_projection_dim=config.pooled_projection_dim, pos_embed_max_size=config.pos_embed_max_size + draw.integer(0, 4),
        use_pos_embed=own, pos_embed_type="sincos" if draw.chance(0.8) else None, **more, **common)
    models.draw_weights(network, draw.integer(0, 2**30))
    network.save_pretrained(folder)
    return {"folder": folder, "seed": network.weight_seed, "config": read_json(f"{folder}/config.json")}


class Mean:
    """An encoded picture whose every sample is the mean."""

    def __init__(self, distribution):
        self.latent_dist = types.SimpleNamespace(sample=lambda generator=None: distribution.mean)


class Control3Pipeline(ControlPipeline):
    """diffusers' pipelines of Stable Diffusion 3 with control networks; the picture is encoded to the posterior's mean."""

    def __init__(self, folder, name, request, controls):
        networks = [diffusers.SD3ControlNetModel.from_pretrained(control["folder"]) for control in controls]
        kind = getattr(diffusers, name)

        def opened(folder, **parts):
            return kind.from_pretrained(folder, controlnet=networks if len(networks) > 1 else networks[0], **parts)

        TextPipeline.__init__(self, folder, types.SimpleNamespace(from_pretrained=opened, __name__=name), request)
        self.controls = controls
        encode = self.pipe.vae.encode
        self.pipe.vae.encode = lambda pictures: Mean(encode(pictures).latent_dist)

    def __call__(self, request, **more):
        def each(key):
            found = [control[key] for control in self.controls]
            return found if len(found) > 1 else found[0]

        pictures = [PIL.Image.open(control.get("source", control["picture"])) for control in self.controls]
        masks = {"control_mask": PIL.Image.open(self.controls[0]["mask"])} if "mask" in self.controls[0] else {}
        return TextPipeline.__call__(
            self, request, control_image=pictures if len(pictures) > 1 else pictures[0], controlnet_conditioning_scale=each("scale"),
            control_guidance_start=each("start"), control_guidance_end=each("end"), **masks, **more)


class Controlled3Pipeline(TextPipeline):
    """diffusers' pipelines that change pictures, which know no control: their transformer is given it in each call."""

    def __init__(self, folder, name, request, controls):
        super().__init__(folder, getattr(diffusers, name), request)
        self.controls, self.calls, pipe = controls, 0, self.pipe
        self.own = [diffusers.SD3ControlNetModel.from_pretrained(control["folder"]) for control in controls]
        for network in self.own:
            if not network.config.use_pos_embed:
                network.pos_embed = network._get_pos_embed_from_transformer(pipe.transformer)
        answer = pipe.transformer.forward

        def controlled(hidden_states, timestep, encoder_hidden_states, pooled_projections, **rest):
            index, self.calls, added = self.calls, self.calls + 1, None
            for network, control, latents in zip(self.own, self.controls, self.latents):
                acts = not (index / pipe.num_timesteps < control["start"] or (index + 1) / pipe.num_timesteps > control["end"])
                blocks = network(
                    hidden_states=hidden_states, timestep=timestep, controlnet_cond=latents.expand(len(hidden_states), -1, -1, -1),
                    encoder_hidden_states=encoder_hidden_states if network.config.joint_attention_dim else None,
                    pooled_projections=pooled_projections * (not network.config.force_zeros_for_pooled_projection),
                    conditioning_scale=control["scale"] * acts, return_dict=False)[0]
                added = blocks if added is None else [one + other for one, other in zip(added, blocks)]
            return answer(
                hidden_states=hidden_states, timestep=timestep, encoder_hidden_states=encoder_hidden_states,
                pooled_projections=pooled_projections, block_controlnet_hidden_states=added, **rest)

        pipe.transformer.forward = controlled

    def networks(self):
        return super().networks() + self.own

    def __call__(self, request, **more):
        vae, width, height = self.pipe.vae, request.width, request.height
        self.calls, self.latents = 0, []
        for network, control in zip(self.own, self.controls):
            pixels = self.pipe.image_processor.preprocess(PIL.Image.open(control["picture"]), height=height, width=width)
            shift = 0 if network.config.force_zeros_for_pooled_projection else vae.config.shift_factor
            with torch.no_grad():
                self.latents.append((vae.encode(pixels).latent_dist.mean - shift) * vae.config.scaling_factor)
        return super().__call__(request, **more)


def case3(base):
    def make(place):
        job, draw = pipelines.KINDS_OF_MODELS[base](place), place.draw
        job.request = asked = job.request.changed(initial=None)
        transformer, (width, height) = job.components["transformer"], size_of(job)
        common = control_settings3(draw, transformer)
        controls, options = drawn_controls(place, asked, width, height, lambda folder: control_network3(
            draw, transformer, folder, **common))
        changing = {"sd3-img2img": "StableDiffusion3Img2ImgPipeline", "sd3-inpaint": "StableDiffusion3InpaintPipeline"}.get(base)
        kind, name = (Controlled3Pipeline, changing) if changing else (Control3Pipeline, PIPELINES3[base])
        job.controls, job.options, plain = controls, (*job.options, *map(str, options)), job.open
        job.open = lambda folder=job.folder: kind(folder, name, asked, controls)
        check_effect(job, asked, plain)
        return job
    return make


def masked3(place):
    """A network that is shown which part of a picture is made anew."""
    job, draw = pipelines.KINDS_OF_MODELS["sd3"](place), place.draw
    job.request = asked = job.request.changed(initial=None)
    transformer, (width, height) = job.components["transformer"], size_of(job)
    common = {**control_settings3(draw, transformer), "extra_conditioning_channels": 1}
    common["joint_attention_dim"] = transformer.config.joint_attention_dim
    control = control_network3(draw, transformer, place.file("control-0"), **common)
    source = pipeline_requests.picture(draw, place.file("source.png"), width, height)
    mask = pipeline_requests.mask(draw, place.file("mask-0.png"), width, height)
    covered = np.array(PIL.Image.open(mask).convert("L")) / 255 >= 0.5
    pixels = torch.from_numpy(np.array(PIL.Image.open(source).convert("RGB"))).permute(2, 0, 1).float() / 255
    pixels[:, torch.from_numpy(covered)] = -1
    save_file({"control": pixels.contiguous()}, place.file("control-0.safetensors"))
    start, end = shares(draw)
    control.update(picture=place.file("control-0.safetensors"), source=source, mask=mask, scale=draw.one(1.0, draw.real(0.2, 1.2)),
                   start=start, end=end)
    options = ["--controlnet", control["folder"], "--control", control["picture"], "--control-scale", control["scale"],
               "--control-start", start, "--control-end", end]
    job.controls, job.options, plain = [control], (*job.options, *map(str, options)), job.open
    job.open = lambda folder=job.folder: Control3Pipeline(
        folder, "StableDiffusion3ControlNetInpaintingPipeline", asked, [control])
    check_effect(job, asked, plain)
    return job


# --- T2I-Adapters ------------------------------------------------------------------------------------------------


def adapter(draw, unet, factor, folder):
    """A T2I-Adapter for a U-Net whose latents are `factor` times smaller, now and then with a block too many."""
    channels = list(unet.config.block_out_channels)
    kind = draw.one("full_adapter", "light_adapter")
    network = diffusers.T2IAdapter(
        in_channels=draw.one(1, 3), channels=channels + ([channels[-1]] if kind == "full_adapter" and draw.chance(0.3) else []),
        num_res_blocks=draw.integer(1, 2), downscale_factor=factor, adapter_type=kind)
    models.draw_weights(network, draw.integer(0, 2**30))
    network.save_pretrained(folder)
    return {"folder": folder, "seed": network.weight_seed, "config": read_json(f"{folder}/config.json")}


class AdapterPipeline(TextPipeline):
    """One of diffusers' pipelines with T2I-Adapters."""

    def __init__(self, folder, name, request, controls):
        networks = [diffusers.T2IAdapter.from_pretrained(control["folder"]) for control in controls]
        kind = getattr(diffusers, name)

        def opened(folder, **parts):
            return kind.from_pretrained(folder, adapter=networks if len(networks) > 1 else networks[0], **parts)

        super().__init__(folder, types.SimpleNamespace(from_pretrained=opened, __name__=name), request)
        self.controls = controls

    def __call__(self, request):
        last = {}

        def keep(step, time, latents):
            last["latents"] = latents

        def kept(pipe, index, time, values):
            last["latents"] = values["latents"]
            return {}

        takes = inspect.signature(type(self.pipe).__call__).parameters
        given = {name: value for name, value in request.arguments().items() if name in takes}
        given.update({"callback_on_step_end": kept} if "callback_on_step_end" in takes else {"callback": keep})
        if "adapter_conditioning_factor" in takes:
            given["adapter_conditioning_factor"] = self.controls[0]["end"]
        pictures = [PIL.Image.open(control["picture"]) for control in self.controls]
        scales = [control["scale"] for control in self.controls]
        several = len(pictures) > 1
        generators = request.generators()
        with provided(self.pipe.scheduler, generators):
            made = self.pipe(
                prompt=request.prompt, image=pictures if several else pictures[0], num_images_per_prompt=request.count,
                adapter_conditioning_scale=scales if several else scales[0], generator=generators, output_type="np", **given).images
        if not last:
            raise Unfit("no step")
        return Result(last["latents"], eight_bits(made))


def adapted(base):
    def make(place):
        job, draw = pipelines.KINDS_OF_MODELS[base](place), place.draw
        job.request = asked = job.request.changed(initial=None, rescale=None)
        width, height = size_of(job)
        asked = asked.changed(width=None, height=None) if draw.chance(0.5) else asked.changed(width=width, height=height)
        factor = 2 ** (len(job.components["vae"].config.block_out_channels) - 1)
        end = draw.one(1.0, draw.real(0.3, 1)) if base == "xl" else 1.0
        controls, options = [], []
        for index in range(draw.one(1, 1, 2)):
            network = adapter(draw, job.components["unet"], factor, place.file(f"control-{index}"))
            path = pipeline_requests.picture(draw, place.file(f"control-{index}.png"), width, height)
            if network["config"]["in_channels"] == 1:
                PIL.Image.open(path).convert("L").save(path)
            control = {**network, "picture": path, "scale": draw.one(1.0, draw.real(0.2, 1.2)), "end": end}
            controls.append(control)
            options += ["--adapter", control["folder"], "--control", path, "--control-scale", control["scale"], "--control-end", end]
        if len({control["config"]["in_channels"] for control in controls}) > 1:
            raise Unfit("adapters of different pictures, which diffusers stacks")
        job.controls = controls
        job.request = asked
        job.options = (*job.options, *map(str, options))
        plain = job.open
        job.open = lambda folder=job.folder: AdapterPipeline(folder, ADAPTED[base], asked, controls)
        opened = job.open()
        if base == "xl" and (opened.pipe.scheduler.order > 1 or type(opened.pipe.scheduler).__name__ == "PNDMScheduler"):
            raise Unfit("calls held against a number of steps, by which adapters stop too early")
        if base == "xl" and job.components["vae"].config.latents_mean is not None:
            raise Unfit("statistics of latents, which this pipeline of diffusers passes over")
        found = opened(asked).pixels
        without = plain(job.folder)(asked.changed(width=width, height=height)).pixels
        if found.shape != without.shape or abs(found.astype(int) - without).mean() < 2:
            raise Unfit("control that hardly changes the picture")
        return job
    return make


def blind(job):
    """A network that reads no texts, and the transformer's patches."""
    config = job.controls[0]["config"]
    return config["joint_attention_dim"] is None and not config["use_pos_embed"] and pipeline_fixtures.guided(job)


def guided(job):
    return pipeline_fixtures.guided(job) and len(job.controls) == 1


if __name__ == "__main__":
    pipelines.KINDS_OF_MODELS = pipelines.KINDS
    pipelines.KINDS = {**{f"control-{base}": case(base) for base in PIPELINES}, **{f"adapter-{base}": adapted(base) for base in ADAPTED},
                       **{f"control-{base}": case3(base) for base in PIPELINES3}, "control-sd3-mask": masked3,
                       **{f"control-file-{base}": in_file(base) for base in ("sd1", "sd2", "xl", "sd-inpaint9")}}
    pipeline_fixtures.KINDS = ("control-sd-img2img", "control-sd-inpaint9", "control-xl", "adapter-sd1", "adapter-xl",
                               "control-sd35", "control-sd3-img2img", "control-sd3-mask")
    pipeline_fixtures.PARTICULAR = {
        "control-guided": ("control-sd1", guided), "control-two": ("control-sd1", lambda job: len(job.controls) == 2),
        "control-share": ("control-sd1", lambda job: "--control-end" in job.options),
        "control-guess": ("control-sd1", lambda job: "--guess-mode" in job.options and guided(job)),
        "control-sd3-two": ("control-sd3", lambda job: len(job.controls) == 2),
        "control-sd3-blind": ("control-sd3", blind)}
    pipelines.main()
