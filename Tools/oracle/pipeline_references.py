"""diffusers' own pipelines on a folder, on the CPU in float32: final latents and pixels of a request."""
import functools
import inspect
import json
import types

import diffusers
import numpy as np
import PIL.Image
import torch

import pipeline_requests
import scheduler_draws


class Unfit(Exception):
    """A reference that says little: flat, the same whatever is asked, not finite, or decided by rounding."""


class Result:
    """Final latents [N, C, h, w] of the sampler, and pixels [N, height, width, channels]."""

    def __init__(self, latents, pixels):
        self.latents, self.pixels = latents.detach().clone(), pixels


def eight_bits(pictures):
    """Pictures of numbers in 0 … 1 as diffusers rounds them."""
    return (np.asarray(pictures) * 255).round().astype(np.uint8)


def read_json(path):
    with open(path) as file:
        return json.load(file)


def absent(folder):
    """The parts that the index says the folder lacks, as diffusers wants to be told."""
    index = read_json(f"{folder}/model_index.json")
    return {part: None for part, value in index.items() if value == [None, None]}


def with_solver(scheduler, request):
    """What the folder's scheduler becomes under `--solver`."""
    if request.solver is None:
        return scheduler
    name, fixed = scheduler_draws.SOLVERS[request.solver]
    return getattr(diffusers, name).from_config(scheduler.config, **fixed)


# --- a pipeline opened from its folder ---------------------------------------------------------------------------


class TextPipeline:
    """One of diffusers' text-to-image pipelines."""

    def __init__(self, folder, pipeline_class, request):
        self.pipe = pipeline_class.from_pretrained(folder, **absent(folder))
        self.pipe.set_progress_bar_config(disable=True)
        self.pipe.scheduler = with_solver(self.pipe.scheduler, request)
        self.stable3 = pipeline_class.__name__.startswith("StableDiffusion3")
        encoder = getattr(self.pipe, "text_encoder", None)
        if encoder is not None and not hasattr(encoder, "text_model"):
            # transformers 5 has one module less than diffusers' clip_skip looks for.
            object.__setattr__(encoder, "text_model", encoder)
        if self.stable3:
            let_towers_be_absent(self.pipe)

    def networks(self):
        return [part for part in self.pipe.components.values() if isinstance(part, torch.nn.Module)]

    def schedulers(self):
        return [self.pipe.scheduler]

    def inputs(self, request):
        """The picture and mask once for each picture that is asked for, so that each has its own draws."""
        if request.image is None:
            return {}
        if request.image.endswith(".safetensors"):
            return {"image": pipeline_requests.tensor(request.image, "samples")[:request.count]}
        picture = PIL.Image.open(request.image)
        if request.mask is None and request.width and not self.stable3:
            picture = pipeline_requests.resized(request.image, request.width, request.height)
        found = {"image": [picture] * request.count}
        if request.mask is not None:
            found["mask_image"] = [PIL.Image.open(request.mask)] * request.count
        return found

    def __call__(self, request, **more):
        last = {}

        def keep(pipe, index, time, values):
            last["latents"] = values["latents"]
            return {}

        given = request.arguments()
        takes = inspect.signature(type(self.pipe).__call__).parameters
        given = {name: value for name, value in given.items() if name in takes}
        if request.initial:
            given["latents"] = pipeline_requests.tensor(request.initial, "latents")
            factor = self.pipe.vae_scale_factor
            given["height"], given["width"] = (factor * extent for extent in given["latents"].shape[2:])
        generators = request.generators()
        with provided(self.pipe.scheduler, generators):
            made = self.pipe(
                prompt=request.prompt, num_images_per_prompt=request.count, generator=generators, output_type="np",
                callback_on_step_end=keep, **{**self.inputs(request), **given, **more}).images
        if not last:
            raise Unfit("no step")
        return Result(last["latents"], eight_bits(made))


def let_towers_be_absent(pipe):
    """A tower that the folder lacks gives zeros; its width is that of its pooled vector."""
    towers = [pipe.text_encoder, pipe.text_encoder_2]
    known = sum(tower.config.projection_dim for tower in towers if tower is not None)
    clip, t5 = pipe._get_clip_prompt_embeds, pipe._get_t5_prompt_embeds

    def encoded(prompt, num_images_per_prompt=1, device=None, clip_skip=None, clip_model_index=0):
        if towers[clip_model_index] is not None:
            return clip(prompt, num_images_per_prompt, device, clip_skip, clip_model_index)
        width = pipe.transformer.config.pooled_projection_dim - known
        return torch.zeros(num_images_per_prompt, 77, width), torch.zeros(num_images_per_prompt, width)

    if None in towers:
        # The type of an absent first tower is asked for in two places.
        pipe.text_encoder = pipe.text_encoder or types.SimpleNamespace(dtype=torch.float32)
        pipe._get_clip_prompt_embeds = encoded
        pipe._get_t5_prompt_embeds = functools.partial(t5, dtype=torch.float32)


class provided:
    """Within it a scheduler whose pipeline gives it no generators draws each picture's noise from its own."""

    def __init__(self, scheduler, generators, halves=False):
        self.scheduler, self.generators, self.halves = scheduler, generators, halves
        self.last = None

    def __enter__(self):
        if not hasattr(self.scheduler, "step"):
            # Its pipeline takes the mean of the last prediction.
            predict = self.scheduler.step_pred

            @functools.wraps(predict)
            def kept(*rest, **named):
                made = predict(*rest, **named)
                self.last = made.prev_sample_mean
                return made

            self.scheduler.step_pred = kept
            return self
        step = self.before = self.scheduler.step
        takes = "generator" in inspect.signature(step).parameters

        @functools.wraps(step)
        def own(output, time, sample, *rest, **named):
            if takes and named.get("generator") is None:
                named["generator"] = self.generators
            count = len(self.generators)
            if self.halves:
                output, sample = output[:count], sample[:count]
            made = step(output, time, sample, *rest, **named)
            self.last = made[0]
            if self.halves and len(self.last) == count:
                made.prev_sample = torch.cat([self.last] * 2)
            return made

        self.scheduler.step = own
        return self

    def __exit__(self, *error):
        if hasattr(self.scheduler, "step_pred"):
            del self.scheduler.step_pred
            return
        self.scheduler.step = self.before


def times(scheduler, error):
    """The times of a run of as many steps, with an error in the logarithms that they are looked up in."""
    look_up = scheduler._sigma_to_t
    scheduler._sigma_to_t = lambda sigma, logs: look_up(sigma, logs * (1 + error))
    scheduler.set_timesteps(scheduler.num_inference_steps)
    del scheduler._sigma_to_t
    return scheduler.timesteps


def decides_times(scheduler):
    """Whether rounding decides a whole time: NumPy's logarithms in single precision are not those of every machine."""
    if "log_sigmas" not in inspect.signature(getattr(scheduler, "_sigma_to_t", times)).parameters:
        return False
    low, high = times(scheduler, -2e-7), times(scheduler, 2e-7)
    return not low.is_floating_point() and not torch.equal(low, high)


def repeats_times(scheduler):
    """Whether two steps begin at one time, and a class looks that time up instead of counting its steps."""
    counts = getattr(scheduler, "begin_index", None) is not None
    return scheduler.order == 1 and not counts and "PNDM" not in type(scheduler).__name__ and len(
        scheduler.timesteps.unique()) < len(scheduler.timesteps)


def shake(scheduler, generator):
    """From here on every step gets what it gets with an error of rounding."""
    def rounded(tensor):
        return tensor * (1 + 6e-8 * torch.randn(tensor.shape, generator=generator))

    if not hasattr(scheduler, "step"):
        predict = scheduler.step_pred
        scheduler.step_pred = lambda output, time, sample, **named: predict(rounded(output), time, rounded(sample), **named)
        return
    step = scheduler.step

    @functools.wraps(step)
    def shaken(output, *rest, **named):
        # Some pipelines give time and sample by their names.
        if "sample" in named:
            named["sample"] = rounded(named["sample"])
        else:
            rest = (rest[0], rounded(rest[1]), *rest[2:])
        return step(rounded(output), *rest, **named)

    scheduler.step = shaken


class ClassPipeline:
    """DiT, the unconditional pipelines, and the class-conditional latent diffusion that diffusers has no pipeline for."""

    def __init__(self, folder, kind, request):
        self.kind = kind
        if kind == "classes":
            self.parts = {"unet": diffusers.UNet2DConditionModel.from_pretrained(folder, subfolder="unet"),
                          "vqvae": diffusers.VQModel.from_pretrained(folder, subfolder="vqvae")}
            table = pipeline_requests.tensor(f"{folder}/class_embedder/diffusion_pytorch_model.safetensors", "embedding.weight")
            self.parts["table"] = torch.nn.Embedding.from_pretrained(table)
            self.scheduler = opened_scheduler(folder)
        elif kind == "loop":
            self.parts = {"unet": diffusers.UNet2DModel.from_pretrained(folder, subfolder="unet")}
            self.scheduler = opened_scheduler(folder)
        else:
            self.pipe = getattr(diffusers, kind).from_pretrained(folder)
            self.pipe.set_progress_bar_config(disable=True)
            self.parts, self.scheduler = self.pipe.components, self.pipe.scheduler
        self.scheduler = with_solver(self.scheduler, request)
        if kind not in ("classes", "loop"):
            self.pipe.scheduler = self.scheduler

    def networks(self):
        return [part for part in self.parts.values() if isinstance(part, torch.nn.Module)]

    def schedulers(self):
        return [self.scheduler]

    def __call__(self, request):
        given = request.arguments()
        generators = request.generators()
        guided = self.kind == "DiTPipeline" and (request.guidance is None or request.guidance > 1)
        with provided(self.scheduler, generators, halves=guided) as steps:
            if self.kind == "classes":
                pictures = self.classes(request, generators)
            elif self.kind == "loop":
                pictures = self.loop(request, generators)
            else:
                takes = inspect.signature(type(self.pipe).__call__).parameters
                count = {"batch_size": request.count} if "batch_size" in takes else {}
                if request.label is not None or not count:
                    count["class_labels"] = [request.label] * request.count
                given = {name: value for name, value in given.items() if name in takes}
                pictures = self.pipe(generator=generators, output_type="np", **count, **given).images
        return Result(steps.last, eight_bits(pictures))

    @torch.no_grad()
    def loop(self, request, generators):
        """The loop of LDMPipeline on pixels."""
        unet = self.parts["unet"]
        shape = (1, unet.config.in_channels, *unet.config.sample_size)
        x = torch.cat([torch.randn(shape, generator=generator) for generator in generators]) * self.scheduler.init_noise_sigma
        self.scheduler.set_timesteps(request.steps)
        for t in self.scheduler.timesteps:
            x = self.scheduler.step(unet(self.scheduler.scale_model_input(x, t), t).sample, t, x).prev_sample
        return (x / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()

    @torch.no_grad()
    def classes(self, request, generators):
        """The loop of LDMPipeline with a class beside the class that stands for none, the last one."""
        unet, vqvae, table = (self.parts[name] for name in ("unet", "vqvae", "table"))
        size = unet.config.sample_size
        shape = (1, unet.config.in_channels, size, size)
        x = torch.cat([torch.randn(shape, generator=generator) for generator in generators]) * self.scheduler.init_noise_sigma
        self.scheduler.set_timesteps(request.steps)
        guided = request.guidance > 1
        labels = [request.label] * request.count
        labels = [table.num_embeddings - 1] * request.count + labels if guided else labels
        context = table(torch.tensor(labels))[:, None]
        takes = inspect.signature(self.scheduler.step).parameters
        eta = {"eta": request.eta or 0.0} if "eta" in takes else {}
        for t in self.scheduler.timesteps:
            entering = self.scheduler.scale_model_input(torch.cat([x] * 2) if guided else x, t)
            output = unet(entering, t, encoder_hidden_states=context).sample
            if guided:
                without, having = output.chunk(2)
                output = without + request.guidance * (having - without)
            x = self.scheduler.step(output, t, x, **eta).prev_sample
        decoded = vqvae.decode(x / vqvae.config.scaling_factor).sample
        return (decoded / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()


def opened_scheduler(folder):
    name = read_json(f"{folder}/scheduler/scheduler_config.json")["_class_name"]
    return getattr(diffusers, name).from_pretrained(folder, subfolder="scheduler")
