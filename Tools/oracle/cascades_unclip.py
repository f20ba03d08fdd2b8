"""Cases of cascades.py: unCLIP as Karlo has it, from texts, as variations of a picture, on the way from one picture to another
and from one text to another, Stable unCLIP, and latent diffusion of texts with BERT's word pieces.

Alone it writes one small case of each kind for the tests: cascades_unclip.py --seed 0 --out Tests/Fixtures/unclip-pipelines
"""
import atexit
import dataclasses
import functools
import os
import shutil
import tempfile
import warnings

import diffusers
import PIL.Image
import torch
import transformers
from diffusers import DDPMScheduler, PriorTransformer, UNet2DConditionModel, UNet2DModel, UnCLIPScheduler
from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel
from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from transformers import BertTokenizer, CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

import pipeline_fixtures
import pipeline_models as models
import pipeline_requests
import pipelines
from common import Draw
from pipeline_cases import Job
from pipeline_references import Result, eight_bits, provided, read_json, with_solver


@dataclasses.dataclass
class Request(pipeline_requests.Request):
    """A request with what only unCLIP reads."""
    prior_steps: int | None = None
    prior_guidance: float | None = None
    upscale_steps: int | None = None
    noise_level: int | None = None
    image_to: str | None = None
    text_diff: tuple | None = None
    text_diff_share: float | None = None

    def flags(self):
        changes = ["--text-diff", *self.text_diff] if self.text_diff else []
        named = {"prior-steps": self.prior_steps, "prior-guidance": self.prior_guidance,
                 "upscale-steps": self.upscale_steps, "noise-level": self.noise_level, "image-to": self.image_to,
                 "text-diff-share": self.text_diff_share}
        return super().flags() + changes + [
            word for name, value in named.items() if value is not None for word in ("--" + name, str(value))]


# --- diffusers ---------------------------------------------------------------------------------------------------


def opened(folder, pipeline_class):
    """A pipeline of the parts that its index names: diffusers itself no longer finds the text projection's class."""
    index = read_json(f"{folder}/model_index.json")
    parts = {}
    for part, entry in index.items():
        if isinstance(entry, list):
            owner = OWN.get(entry[1]) or getattr(diffusers, entry[1], None) or getattr(transformers, entry[1])
            parts[part] = owner.from_pretrained(folder, subfolder=part)
    return pipeline_class(**parts)


OWN = {"UnCLIPTextProjModel": UnCLIPTextProjModel, "StableUnCLIPImageNormalizer": StableUnCLIPImageNormalizer,
       "LDMBertModel": LDMBertModel}


class Opened:
    """A pipeline opened from its folder; each picture is made alone, from a generator of its own."""

    def __init__(self, folder, pipeline_class, request):
        self.pipe = opened(folder, pipeline_class)
        self.pipe.set_progress_bar_config(disable=True)
        for scheduler in self.schedulers():
            # UnCLIPScheduler lacks what is asked of all others.
            scheduler.order = getattr(scheduler, "order", 1)
        if hasattr(self.pipe, "scheduler"):
            self.pipe.scheduler = with_solver(self.pipe.scheduler, request)
        encoder = getattr(self.pipe, "text_encoder", None)
        if encoder is not None and not hasattr(encoder, "text_model"):
            # transformers 5 has one module less than diffusers' clip_skip looks for.
            object.__setattr__(encoder, "text_model", encoder)

    def networks(self):
        return [part for part in self.pipe.components.values() if isinstance(part, torch.nn.Module)]

    def schedulers(self):
        return [part for name, part in self.pipe.components.items()
                if name.endswith("scheduler") and name != "image_noising_scheduler"]

    def __call__(self, request):
        made = [self.one(request, generator) for generator in request.generators()]
        return Result(torch.cat([latents for latents, _ in made]), eight_bits([picture for _, picture in made]))

    def given(self, request, **names):
        """Keywords for what was said."""
        found = {theirs: getattr(request, ours) for ours, theirs in names.items()}
        found = {name: value for name, value in found.items() if value is not None}
        if request.prompt is not None:
            found["prompt"] = request.prompt
        if request.image is not None:
            found["image"] = PIL.Image.open(request.image)
        return found


class Karlo(Opened):
    def one(self, request, generator):
        given = self.given(
            request, steps="decoder_num_inference_steps", guidance="decoder_guidance_scale",
            prior_steps="prior_num_inference_steps", prior_guidance="prior_guidance_scale",
            upscale_steps="super_res_num_inference_steps")
        with provided(self.pipe.super_res_scheduler, [generator]) as steps:
            picture = self.pipe(generator=generator, output_type="np", **given).images[0]
        return steps.last, picture


class KarloWay(Opened):
    """Variations whose embeddings lie on a great circle (Ramesh et al. 2022, sections 3.2 and 3.3), all from one noise."""

    def __call__(self, request):
        made = [self.one(request, embedding) for embedding in self.embeddings(request)]
        return Result(torch.cat([latents for latents, _ in made]), eight_bits([picture for _, picture in made]))

    @torch.no_grad()
    def embeddings(self, request):
        first, last = self.encoded(request.image), None
        length = first.norm()
        if request.image_to:
            shares = torch.linspace(0, 1, request.count).tolist()
            last = self.encoded(request.image_to)
            ends = length, last.norm()
            lengths = [ends[0] * (1 - share) + ends[1] * share for share in shares]
        else:
            most = request.text_diff_share or 0.4
            shares = [most] if request.count == 1 else torch.linspace(0, most, request.count).tolist()
            from_text, to_text = (self.texts(text) for text in request.text_diff)
            last = to_text / to_text.norm() - from_text / from_text.norm()
            lengths = [length] * request.count
        a, b = first / first.norm(), last / last.norm()
        angle = torch.arccos((a * b).sum().clamp(-1, 1))
        return [own * (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
                for share, own in zip(shares, lengths)]

    def encoded(self, path):
        pixels = self.pipe.feature_extractor(images=PIL.Image.open(path), return_tensors="pt").pixel_values
        return self.pipe.image_encoder(pixels).image_embeds

    def texts(self, text):
        tokens = self.pipe.tokenizer([text], padding="max_length", max_length=self.pipe.tokenizer.model_max_length,
                                     truncation=True, return_tensors="pt")
        return self.pipe.text_encoder(tokens.input_ids).text_embeds

    def one(self, request, embedding):
        given = self.given(
            request, steps="decoder_num_inference_steps", guidance="decoder_guidance_scale",
            upscale_steps="super_res_num_inference_steps")
        given.pop("image")
        generator = torch.Generator("cpu").manual_seed(request.seed)
        with provided(self.pipe.super_res_scheduler, [generator]) as steps:
            picture = self.pipe(
                generator=generator, output_type="np", image_embeddings=embedding, **given).images[0]
        return steps.last, picture


class Stable(Opened):
    def one(self, request, generator):
        given = self.given(
            request, steps="num_inference_steps", guidance="guidance_scale", negative="negative_prompt", eta="eta",
            width="width", height="height", clip_skip="clip_skip", noise_level="noise_level",
            prior_steps="prior_num_inference_steps", prior_guidance="prior_guidance_scale")
        last = {}
        picture = self.pipe(
            generator=generator, output_type="np", callback=lambda step, time, latents: last.update(latents=latents),
            **given).images[0]
        return last["latents"], picture


class LatentText(Opened):
    def one(self, request, generator):
        given = self.given(
            request, steps="num_inference_steps", guidance="guidance_scale", eta="eta", width="width", height="height")
        # The pipeline hands its scheduler no generator.
        with provided(self.pipe.scheduler, [generator]) as steps:
            picture = self.pipe(generator=generator, output_type="np", **given).images[0]
        return steps.last, picture


# --- networks ----------------------------------------------------------------------------------------------------


def text_tower(draw, vocabulary, width):
    return models.clip(draw, vocabulary, projected=True, hidden_size=width, intermediate_size=2 * width,
                       projection_dim=width, num_attention_heads=draw.one(1, 2, 4))


def vision_tower(draw, width):
    size = 8 * draw.integer(2, 4)
    return CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, projection_dim=width, num_hidden_layers=draw.integer(1, 3),
        num_attention_heads=draw.one(1, 2), image_size=size, patch_size=draw.one(4, 8), hidden_act=draw.one("quick_gelu", "gelu")))


def extractor(vision):
    size = vision.config.image_size
    return CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})


def prior(draw, width):
    return PriorTransformer(
        num_attention_heads=draw.integer(1, 3), attention_head_dim=8, num_layers=draw.integer(1, 3), embedding_dim=width,
        num_embeddings=77, additional_embeddings=4, norm_in_type=draw.one(None, "layer"),
        embedding_proj_norm_type=draw.one(None, None, "layer"), time_embed_dim=draw.one(None, 24),
        time_embed_act_fn=draw.one("silu", "gelu"))


def decoder(draw, size, cross):
    levels = draw.integer(2, 3)
    channels = [8 * draw.integer(1, 3) for _ in range(levels)]
    crossing = [level > 0 and (level == levels - 1 or draw.chance(0.5)) for level in range(levels)]
    return UNet2DConditionModel(
        sample_size=size, in_channels=3, out_channels=6, block_out_channels=channels, layers_per_block=draw.integer(1, 2),
        down_block_types=["SimpleCrossAttnDownBlock2D" if has else "ResnetDownsampleBlock2D" for has in crossing],
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=["SimpleCrossAttnUpBlock2D" if has else "ResnetUpsampleBlock2D" for has in reversed(crossing)],
        cross_attention_dim=cross, attention_head_dim=draw.one(4, 8), norm_num_groups=4, class_embed_type="identity",
        resnet_time_scale_shift="scale_shift")


def upscaler(draw, size, outputs):
    levels = draw.integer(2, 3)
    return UNet2DModel(
        sample_size=size, in_channels=6, out_channels=outputs, add_attention=draw.chance(0.3),
        block_out_channels=[8 * draw.integer(1, 2) for _ in range(levels)], layers_per_block=draw.integer(1, 2),
        down_block_types=["ResnetDownsampleBlock2D"] * levels, up_block_types=["ResnetUpsampleBlock2D"] * levels,
        resnet_time_scale_shift="scale_shift", norm_num_groups=4, attention_head_dim=8,
        mid_block_scale_factor=draw.one(1, 1.4142135623730951))


def write(place, pipeline_class, name, tokenizers, **parts):
    """A folder as the pipeline's class writes it, with drawn weights and the tokenizers that were built."""
    folder, seed = place.file(name), place.draw.integer(0, 2**30)
    networks = {part: network for part, network in sorted(parts.items()) if isinstance(network, torch.nn.Module)}
    for index, network in enumerate(networks.values()):
        models.draw_weights(network, seed + index)
    loaded = {part: BertTokenizer(f"{BERT}/vocab.txt") if kind == BERT else place.vocabularies.load(kind)
              for part, kind in tokenizers.items()}
    pipeline_class(**parts, **loaded).save_pretrained(folder)
    for part, kind in tokenizers.items():
        shutil.rmtree(f"{folder}/{part}")
        shutil.copytree(place.vocabularies.path(kind), f"{folder}/{part}", ignore=shutil.ignore_patterns("expected*"))
    return folder, networks


# --- Karlo -------------------------------------------------------------------------------------------------------


def karlo_parts(draw, width, size, cross):
    net = decoder(draw, size, cross)
    large = draw.one(2 * size, 4 * size, size + 8)
    learned = draw.chance(0.3)
    parts = {
        "decoder": net,
        "text_proj": UnCLIPTextProjModel(
            clip_extra_context_tokens=draw.integer(1, 5), clip_embeddings_dim=width,
            time_embed_dim=4 * net.config.block_out_channels[0], cross_attention_dim=cross),
        "super_res_first": upscaler(draw, large, 6 if learned else 3),
        "super_res_last": upscaler(draw, large, 6 if learned else 3),
        "decoder_scheduler": UnCLIPScheduler(
            variance_type="learned_range", prediction_type=draw.one("epsilon", "sample"), num_train_timesteps=draw.one(1000, 400),
            clip_sample_range=draw.one(1.0, 1.5)),
        "super_res_scheduler": UnCLIPScheduler(
            variance_type="learned_range" if learned else "fixed_small_log", prediction_type=draw.one("epsilon", "sample"),
            num_train_timesteps=draw.one(1000, 600))}
    return parts


def karlo(place):
    draw = place.draw
    vocabulary = draw.one("clip-sd1", "clip-sd2")
    width, size, cross = 8 * draw.integer(2, 4), 8 * draw.integer(1, 2), 8 * draw.integer(1, 3)
    folder, networks = write(
        place, diffusers.UnCLIPPipeline, "model", {"tokenizer": vocabulary},
        text_encoder=text_tower(draw, place.vocabularies.sizes[vocabulary], width), prior=prior(draw, width),
        prior_scheduler=UnCLIPScheduler(
            prediction_type="sample", clip_sample_range=draw.one(5.0, 2.0), clip_sample=draw.chance(0.8),
            num_train_timesteps=draw.one(1000, 500)),
        **karlo_parts(draw, width, size, cross))
    asked = Request(
        seed=draw.integer(0, 10**6), count=draw.one(1, 1, 2, 3), prompt=pipeline_requests.text(draw),
        steps=draw.integer(2, 6), guidance=draw.one(None, 1.0, 1.5, 3.0, 7.5), prior_steps=draw.integer(2, 6),
        prior_guidance=draw.one(None, 1.0, 2.5), upscale_steps=draw.one(2, 3, 5, None))
    return Job("karlo", folder, asked, lambda: Karlo(folder, diffusers.UnCLIPPipeline, asked), (), networks)


def variations(place, **changed):
    draw = place.draw
    vocabulary = draw.one("clip-sd1", "clip-sd2")
    width, size, cross = 8 * draw.integer(2, 4), 8 * draw.integer(1, 2), 8 * draw.integer(1, 3)
    vision = vision_tower(draw, width)
    folder, networks = write(
        place, diffusers.UnCLIPImageVariationPipeline, "model", {"tokenizer": vocabulary},
        text_encoder=text_tower(draw, place.vocabularies.sizes[vocabulary], width), image_encoder=vision,
        feature_extractor=extractor(vision), **karlo_parts(draw, width, size, cross))
    asked = Request(
        seed=draw.integer(0, 10**6), count=draw.one(1, 1, 2, 3), steps=draw.integer(2, 6),
        guidance=draw.one(None, 1.0, 3.0), upscale_steps=draw.one(2, 3, 5),
        image=pipeline_requests.picture(draw, place.file("image.png"), draw.integer(20, 70), draw.integer(20, 70)))
    asked, kind = asked.changed(**changed), diffusers.UnCLIPImageVariationPipeline
    made = KarloWay if changed else Karlo
    return Job("karlo-variations", folder, asked, lambda: made(folder, kind, asked), (), networks)


def between(place):
    draw = place.draw
    other = pipeline_requests.picture(draw, place.file("other.png"), draw.integer(20, 70), draw.integer(20, 70))
    return variations(place, image_to=other, count=draw.integer(2, 3))


def text_difference(place):
    draw = place.draw
    texts = (pipeline_requests.text(draw) or "a cat", "another " + draw.one("dog", "red burger", "house at night"))
    return variations(place, text_diff=texts, text_diff_share=draw.one(None, 0.25, 0.5), count=draw.integer(1, 3))


# --- Stable unCLIP -----------------------------------------------------------------------------------------------


def stable_parts(draw, place, width):
    """What both pipelines have, and what a request must know of them."""
    vocabulary = draw.one("clip-sd1", "clip-sd2")
    scheduling = models.scheduler(draw, draw.one("epsilon", "v_prediction"))
    cross = 8 * draw.integer(2, 3)
    tower = models.clip(draw, place.vocabularies.sizes[vocabulary], hidden_size=cross)
    vae = models.autoencoder(draw)
    unet = models.unet(
        draw, cross, class_embed_type="projection", projection_class_embeddings_input_dim=2 * width)
    parts = {
        "tokenizer": vocabulary, "text_encoder": tower, "unet": unet, "vae": vae,
        "scheduler": getattr(diffusers, scheduling[0])(**scheduling[1]),
        "image_normalizer": StableUnCLIPImageNormalizer(embedding_dim=width),
        "image_noising_scheduler": DDPMScheduler(
            beta_schedule=draw.one("squaredcos_cap_v2", "linear"), num_train_timesteps=draw.one(1000, 300))}
    return parts, scheduling


def stable_request(draw, scheduling, parts, **changed):
    factor = 2 ** (len(parts["vae"].config.block_out_channels) - 1)
    unit = max(8, 2 * factor)
    size = None if draw.chance(0.5) else (unit * draw.integer(3, 5), unit * draw.integer(3, 5))
    noising = parts["image_noising_scheduler"].config.num_train_timesteps
    solver = draw.one(*models.SOLVERS) if draw.chance(0.2) and scheduling[0] == "DDIMScheduler" else None
    return Request(
        seed=draw.integer(0, 10**6), count=draw.one(1, 1, 2, 3), prompt=pipeline_requests.text(draw),
        negative=pipeline_requests.negative(draw), steps=draw.integer(2, 6), guidance=draw.one(None, 1.0, 1.5, 7.5),
        noise_level=draw.one(None, 0, draw.integer(1, noising - 1)), solver=solver,
        width=size and size[0], height=size and size[1], **changed)


def saved(place, pipeline_class, parts, tokenizers, scheduling):
    parts = {name: part for name, part in parts.items() if name != "tokenizer"}
    folder, networks = write(place, pipeline_class, "model", tokenizers, **parts)
    name, flags = scheduling
    settings = {"_class_name": name, **getattr(diffusers, name)(**flags).config}
    models.write_json(f"{folder}/scheduler/scheduler_config.json", {
        key: value for key, value in settings.items() if key != "_use_default_values"})
    return folder, networks


def stable(place):
    draw = place.draw
    width = 8 * draw.integer(2, 4)
    parts, scheduling = stable_parts(draw, place, width)
    prior_vocabulary = draw.one("clip-sd1", "clip-sd2")
    flags = dict(prediction_type="sample", clip_sample_range=5.0, variance_type="fixed_small_log")
    parts.update(
        prior_text_encoder=text_tower(draw, place.vocabularies.sizes[prior_vocabulary], width), prior=prior(draw, width),
        prior_scheduler=draw.one(
            UnCLIPScheduler(**flags), DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=True, **flags),
            DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=True, **flags)))
    kind = diffusers.StableUnCLIPPipeline
    folder, networks = saved(
        place, kind, parts, {"tokenizer": parts["tokenizer"], "prior_tokenizer": prior_vocabulary}, scheduling)
    asked = stable_request(
        draw, scheduling, parts, prior_steps=draw.integer(2, 6), prior_guidance=draw.one(None, 1.0, 2.5))
    return Job("stable-unclip", folder, asked, lambda: Stable(folder, kind, asked), (), networks)


def stable_picture(place):
    draw = place.draw
    width = 8 * draw.integer(2, 4)
    parts, scheduling = stable_parts(draw, place, width)
    vision = vision_tower(draw, width)
    parts.update(image_encoder=vision, feature_extractor=extractor(vision))
    kind = diffusers.StableUnCLIPImg2ImgPipeline
    folder, networks = saved(place, kind, parts, {"tokenizer": parts["tokenizer"]}, scheduling)
    asked = stable_request(
        draw, scheduling, parts,
        image=pipeline_requests.picture(draw, place.file("image.png"), draw.integer(20, 70), draw.integer(20, 70)))
    return Job("stable-unclip-picture", folder, asked, lambda: Stable(folder, kind, asked), (), networks)


# --- latent diffusion of texts -------------------------------------------------------------------------------------


# The one vocabulary of word pieces, whose path takes the place of a name.
BERT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Tests/Fixtures/bert"))


def latent_text(place):
    draw = place.draw
    with open(f"{BERT}/vocab.txt") as file:
        pieces = len(file.read().splitlines())
    cross, latents = 8 * draw.integer(1, 3), draw.one(3, 4)
    bert = LDMBertModel(LDMBertConfig(
        vocab_size=pieces, max_position_embeddings=77, encoder_layers=draw.integer(1, 3), encoder_ffn_dim=32,
        encoder_attention_heads=draw.integer(1, 3), head_dim=8, d_model=cross))
    # Three halvings: the pipeline takes latents for an eighth of the picture.
    levels = dict(block_out_channels=[8] * 4, down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)
    vqvae = models.quantised_autoencoder(draw, **{**levels, "latent_channels": latents}) if draw.chance(0.5) else (
        models.autoencoder(draw, latents, levels=4))
    name = draw.one("DDIMScheduler", "PNDMScheduler", "DDIMScheduler")
    flags = dict(models.PUBLISHED, prediction_type=draw.one("epsilon", "v_prediction"), steps_offset=draw.one(0, 1))
    flags.update({"skip_prk_steps": True} if name == "PNDMScheduler" else {"clip_sample": False})
    kind = diffusers.LDMTextToImagePipeline
    folder, networks = write(
        place, kind, "model", {"tokenizer": BERT}, bert=bert, vqvae=vqvae,
        unet=models.unet(draw, cross, inputs=latents, outputs=latents), scheduler=getattr(diffusers, name)(**flags))
    asked = Request(
        seed=draw.integer(0, 10**6), count=draw.one(1, 1, 2),
        prompt=draw.one("a red cat", "The dog's burger!", pipeline_requests.text(draw)),
        steps=draw.integer(2, 6), guidance=draw.one(None, 1.0, 3.0, 7.5), width=draw.one(None, 48), height=draw.one(None, 40),
        eta=draw.one(None, 0.5) if name == "DDIMScheduler" else None)
    return Job("ldm-text", folder, asked, lambda: LatentText(folder, kind, asked), (), networks)


KINDS = {"ldm-text": latent_text, "karlo": karlo, "karlo-variations": variations, "karlo-between": between,
         "karlo-text-diff": text_difference, "stable-unclip": stable,
         "stable-unclip-picture": stable_picture}


# --- cascades.py -------------------------------------------------------------------------------------------------


VOCABULARIES = {}


def vocabularies(seed):
    """The tokenizers of one run, built once."""
    if seed not in VOCABULARIES:
        folder = tempfile.mkdtemp(prefix="langevin-tokenizers-")
        atexit.register(shutil.rmtree, folder, True)
        VOCABULARIES[seed] = models.Vocabularies(folder, Draw(seed, "vocabularies"))
    return VOCABULARIES[seed]


def case(kind, program, draw, folder, options):
    """A case of cascades.py: a line about it, and whether it agrees."""
    warnings.filterwarnings("ignore")
    place = os.path.join(folder, "case")
    job, result, steadiness = pipelines.drawn(
        kind, KINDS[kind], draw.integer(0, 2**30), vocabularies(options.seed), place, lambda text: None)
    problem, figures = pipelines.compared(program, job.command(), result, place)
    words = " ".join(repr(word) if " " in word else word for word in job.command())
    return f"{problem or figures} (rounding {steadiness:.0e})" + (f"\n    {words}" if problem else ""), problem is None


CASES = [(kind, functools.partial(case, kind)) for kind in KINDS]


def main():
    options = pipelines.arguments()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    wanted = {kind: (kind, lambda job: True) for kind in KINDS}
    log = print if options.verbose else lambda text: None
    pipeline_fixtures.write_all(options, KINDS, pipelines.drawn, pipelines.compared, log, wanted)


if __name__ == "__main__":
    main()
