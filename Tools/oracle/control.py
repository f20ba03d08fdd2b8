"""Control through `langevin generate`: tiny models, ControlNets and T2I-Adapters drawn from a seed, against diffusers' pipelines.

    control.py --program .build/release/langevin --seed 3 [--only KIND] [--cases 1] [--keep FOLDER]
    control.py --seed 0 --out Tests/Fixtures/control

The models and requests are those of pipelines.py; each gets one or two control networks of random weights, with pictures, scales
and shares of the steps, now and then in guess mode. Prints a line a case; exit code 1 where one failed. With `--out` it writes a few as small files.
"""
import inspect
import types

import diffusers
import PIL.Image
import torch

import pipeline_fixtures
import pipeline_models as models
import pipeline_requests
import pipelines
from pipeline_references import Result, TextPipeline, Unfit, eight_bits, provided, read_json

PIPELINES = {
    "sd1": "StableDiffusionControlNetPipeline", "sd2": "StableDiffusionControlNetPipeline",
    "sd-img2img": "StableDiffusionControlNetImg2ImgPipeline", "sd-inpaint4": "StableDiffusionControlNetInpaintPipeline",
    "sd-inpaint9": "StableDiffusionControlNetInpaintPipeline", "xl": "StableDiffusionXLControlNetPipeline"}
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
    asked, config = job.request, job.components["unet"].config
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
        controls, options = [], []
        for index in range(draw.one(1, 1, 2)):
            other = asked.width and draw.chance(0.3)
            sides = (width + draw.integer(1, 20), height + draw.integer(-7, 9)) if other else (width, height)
            start, end = shares(draw)
            control = {**control_network(draw, job.components["unet"], factor, place.file(f"control-{index}")),
                       "picture": pipeline_requests.picture(draw, place.file(f"control-{index}.png"), *sides),
                       "scale": draw.one(1.0, draw.real(0.2, 1.2)), "start": start, "end": end}
            controls.append(control)
            options += ["--controlnet", control["folder"], "--control", control["picture"]]
            for name, usual in (("scale", 1.0), ("start", 0.0), ("end", 1.0)):
                if control[name] != usual or draw.chance(0.2):
                    options += [f"--control-{name}", control[name]]
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


def guided(job):
    return pipeline_fixtures.guided(job) and len(job.controls) == 1


if __name__ == "__main__":
    pipelines.KINDS_OF_MODELS = pipelines.KINDS
    pipelines.KINDS = {**{f"control-{base}": case(base) for base in PIPELINES}, **{f"adapter-{base}": adapted(base) for base in ADAPTED}}
    pipeline_fixtures.KINDS = ("control-sd-img2img", "control-sd-inpaint9", "control-xl", "adapter-sd1", "adapter-xl")
    pipeline_fixtures.PARTICULAR = {
        "control-guided": ("control-sd1", guided), "control-two": ("control-sd1", lambda job: len(job.controls) == 2),
        "control-share": ("control-sd1", lambda job: "--control-end" in job.options),
        "control-guess": ("control-sd1", lambda job: "--guess-mode" in job.options and guided(job))}
    pipelines.main()
