"""Reference outputs of random small CLIP, T5 and LDMBert networks of transformers and diffusers."""
import tempfile

import torch
from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel
from transformers import (CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection,
                          CLIPVisionConfig, CLIPVisionModel, CLIPVisionModelWithProjection, T5Config, T5EncoderModel)
from transformers.models.t5 import modeling_t5

from common import Draw, arguments, finite, write
from unet import randomise


def encoder_settings(draw):
    heads = draw.one(1, 2)
    return dict(hidden_size=heads * draw.one(4, 5, 6), intermediate_size=draw.integer(5, 18),
                projection_dim=draw.integer(3, 9), num_hidden_layers=draw.integer(1, 2), num_attention_heads=heads,
                hidden_act=draw.one("quick_gelu", "gelu", "gelu_new"), layer_norm_eps=draw.one(1e-5, 1e-3))


def text_settings(draw, legacy):
    vocabulary = draw.integer(12, 30)
    return dict(encoder_settings(draw), vocab_size=vocabulary, max_position_embeddings=draw.integer(6, 12),
                eos_token_id=2 if legacy else draw.integer(3, vocabulary - 1))


def vision_settings(draw):
    patch = draw.integer(2, 4)
    return dict(encoder_settings(draw), num_channels=draw.integer(1, 3), patch_size=patch,
                image_size=patch * draw.integer(1, 3) + draw.integer(0, 1))


def texts(draw, vocabulary, longest, end=None):
    """Tokens and a mask. Most texts hold the token that ends them, some twice (padding), some not at all."""
    count, length = draw.integer(2, 4), draw.integer(3, longest)
    ids = torch.tensor([[draw.integer(0, vocabulary - 1) for _ in range(length)] for _ in range(count)])
    mask = torch.ones_like(ids)
    for row in range(count):
        place = draw.integer(1, length - 1)
        mask[row, place + 1:] = 0
        if end is not None and row > 0:
            ids[row, place:place + draw.integer(1, 3)] = end
    return ids, mask


def number_of_parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def weights(network):
    return {"weight." + name: parameter for name, parameter in network.named_parameters()}


def states(prefix, output):
    """Every hidden state as the class gives them; T5's last one is replaced by the one before the norm."""
    return {f"{prefix}.{index}": state for index, state in enumerate(output.hidden_states)}


def write_case(options, name, network, settings, run, inputs, **more):
    """Runs a network in float32 and float64, and writes both."""
    tensors = {**weights(network), **{"input." + key: value for key, value in inputs.items()}}
    count = number_of_parameters(network)
    gradients = more.pop("gradients", False)
    outputs = run(network, inputs)
    if gradients:
        outputs["loss"].backward()
        tensors |= {"gradient." + key: value.grad for key, value in network.named_parameters()}
    tensors |= {"output." + key: value for key, value in outputs.items()}
    with torch.no_grad():
        wide = {key: value.double() if value.is_floating_point() else value for key, value in inputs.items()}
        network = network.double()
        tensors = {key: value.detach().float() if key.startswith("weight.") else value for key, value in tensors.items()}
        tensors |= {"output64." + key: value for key, value in run(network, wide).items() if not key.startswith(("state", "skip"))}
    assert finite(*tensors.values()), name
    write(options.out, f"{name}-{options.seed}", tensors, {
        "seed": options.seed, "class": type(network).__name__, "configuration": settings, "parameters": count, **more})


# --- CLIP ------------------------------------------------------------------------------------------------------


def run_text(network, inputs):
    output = network(inputs["ids"], attention_mask=inputs.get("mask"), output_hidden_states=True)
    result = states("state", output) | {"last": output.last_hidden_state}
    if hasattr(output, "text_embeds"):
        return result | {"embedding": output.text_embeds}
    skipped = {f"skip{index}": network.final_layer_norm(state)
               for index, state in enumerate(reversed(output.hidden_states))}
    return result | skipped | {"pooled": output.pooler_output}


def run_vision(network, inputs):
    output = network(inputs["pictures"], output_hidden_states=True)
    result = states("state", output)
    if hasattr(output, "image_embeds"):
        return result | {"embedding": output.image_embeds}
    return result | {"pooled": output.pooler_output}


def run_clip(network, inputs):
    ids, pictures = inputs["ids"], inputs["pictures"]
    output = network(ids, pictures, attention_mask=inputs.get("mask"), return_loss=True)
    return {"logits": output.logits_per_text, "texts": output.text_embeds, "pictures": output.image_embeds,
            "loss": output.loss}


def text_cases(options):
    for index in range(options.cases):
        kinds = (("clip-text", CLIPTextModel), ("clip-text-projection", CLIPTextModelWithProjection))
        for name, kind in kinds[:1 if index % 4 in (0, 3) else 2]:
            draw = Draw(options.seed, f"{name}/{index}")
            settings = text_settings(draw, legacy=index % 2 == 0)
            network = randomise(kind(CLIPTextConfig(**settings)), draw)
            end = settings["vocab_size"] - 1 if index % 2 == 0 else settings["eos_token_id"]
            ids, mask = texts(draw, settings["vocab_size"], settings["max_position_embeddings"], end)
            inputs = {"ids": ids} | ({"mask": mask} if index % 4 > 1 or kind is not CLIPTextModel else {})
            write_case(options, f"{name}-{index}", network, settings, run_text, inputs)


def vision_cases(options):
    for index in range(max(1, options.cases // 2)):
        for name, kind in (("clip-vision", CLIPVisionModel), ("clip-vision-projection", CLIPVisionModelWithProjection)):
            draw = Draw(options.seed, f"{name}/{index}")
            settings = vision_settings(draw)
            network = randomise(kind(CLIPVisionConfig(**settings)), draw)
            size = settings["image_size"]
            pictures = draw.normal(draw.integer(1, 3), settings["num_channels"], size, size, dtype=torch.float32)
            write_case(options, f"{name}-{index}", network, settings, run_vision, {"pictures": pictures})


def whole_cases(options):
    for index in range(max(1, options.cases // 2)):
        draw = Draw(options.seed, f"clip/{index}")
        text, vision = text_settings(draw, legacy=False), vision_settings(draw)
        settings = dict(text_config=text, vision_config=vision, projection_dim=draw.integer(3, 8),
                        logit_scale_init_value=draw.real(1, 3))
        network = randomise(CLIPModel(CLIPConfig(**settings)), draw)
        ids, mask = texts(draw, text["vocab_size"], text["max_position_embeddings"], text["eos_token_id"])
        size = vision["image_size"]
        pictures = draw.normal(len(ids), vision["num_channels"], size, size, dtype=torch.float32)
        inputs = {"ids": ids, "pictures": pictures} | ({"mask": mask} if index % 2 else {})
        write_case(options, f"clip-{index}", network, settings, run_clip, inputs, gradients=index % 2 == 0)


# --- T5 --------------------------------------------------------------------------------------------------------


def norm_in_own_type(self, hidden):
    """transformers' norm always works in float32; this is the same in the type of a float64 network."""
    if hidden.dtype != torch.float64:
        return self.float32_forward(hidden)
    return self.weight * hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)


modeling_t5.T5LayerNorm.float32_forward = modeling_t5.T5LayerNorm.forward
modeling_t5.T5LayerNorm.forward = norm_in_own_type


def run_t5(network, inputs):
    output = network(inputs["ids"], attention_mask=inputs.get("mask"), output_hidden_states=True)
    # The class replaces the last state by the normed one.
    return {f"state.{index}": state for index, state in enumerate(output.hidden_states[:-1])} | {
        "last": output.last_hidden_state}


def t5_settings(draw, kind):
    return dict(vocab_size=draw.integer(10, 30), d_model=2 * draw.integer(2, 5), d_kv=draw.integer(2, 6),
                d_ff=draw.integer(5, 16), num_layers=draw.integer(1, 3), num_heads=draw.integer(1, 3),
                relative_attention_num_buckets=draw.one(8, 12, 32), layer_norm_epsilon=draw.one(1e-6, 1e-3),
                relative_attention_max_distance=draw.one(20, 128), feed_forward_proj=kind)


def t5_cases(options):
    for index in range(options.cases):
        draw = Draw(options.seed, f"t5/{index}")
        settings = t5_settings(draw, ("gated-gelu", "relu", "gated-silu", "gelu")[index % 4])
        network = randomise(T5EncoderModel(T5Config(**settings)), draw)
        ids, mask = texts(draw, settings["vocab_size"], 24)
        inputs = {"ids": ids} | ({"mask": mask} if index % 2 else {})
        write_case(options, f"t5-{index}", network, settings, run_t5, inputs)


def half_case(draw, scale):
    """T5 as `from_pretrained(dtype=float16)` makes it, and whether the first layer meets an infinity."""
    settings = t5_settings(draw, "gated-gelu")
    network = randomise(T5EncoderModel(T5Config(**settings)), draw)
    with torch.no_grad():
        network.shared.weight *= scale
        network.encoder.block[0].layer[0].SelfAttention.o.weight *= scale
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        half = T5EncoderModel.from_pretrained(folder, dtype=torch.float16).eval()
    met = []
    half.encoder.block[0].layer[0].register_forward_hook(lambda module, given, result: met.append(result[0].isinf().any()))
    ids, _ = texts(draw, settings["vocab_size"], 12)
    output = run_t5(half, {"ids": ids})["last"].float()
    tensors = weights(network) | {"input.ids": ids, "output.last": output}
    case = {"class": "T5EncoderModel", "configuration": settings,
            "float32": [key for key, value in half.named_parameters() if value.dtype == torch.float32]}
    return tensors, case, bool(met[0]) and finite(output)


def half_cases(options):
    """Ordinary numbers, and some that float16 cannot hold."""
    for name, scale in (("half", 1), ("overflow", 3e4)):
        attempt, overflows = 0, None
        while overflows != (name == "overflow"):
            tensors, case, overflows = half_case(Draw(options.seed, f"t5-{name}/{attempt}"), scale)
            attempt += 1
        write(options.out, f"t5-{name}-{options.seed}", tensors, {"seed": options.seed, **case})


def bucket_tables(options):
    tensors, tables = {}, []
    distances = torch.arange(-700, 701)
    for index, (buckets, longest) in enumerate(((32, 128), (32, 512), (8, 20), (12, 20), (64, 600), (10, 100))):
        tables.append([buckets, longest])
        tensors[f"buckets.{index}"] = modeling_t5.T5Attention._relative_position_bucket(
            distances, bidirectional=True, num_buckets=buckets, max_distance=longest).to(torch.int16)
    write(options.out, "buckets", tensors | {"distances": distances.to(torch.int16)}, {"tables": tables})


# --- LDMBert ---------------------------------------------------------------------------------------------------


def run_ldmbert(network, inputs):
    states = network(inputs["ids"], attention_mask=inputs.get("mask"), return_dict=False, output_attentions=False,
                     output_hidden_states=False)[0]
    return {"last": states, "logits": network.to_logits(states)}


def ldmbert_cases(options):
    for index in range(max(1, options.cases // 2)):
        draw = Draw(options.seed, f"ldmbert/{index}")
        settings = dict(vocab_size=draw.integer(10, 16), max_position_embeddings=draw.integer(6, 12),
                        encoder_layers=draw.integer(1, 2), encoder_ffn_dim=draw.integer(5, 16),
                        encoder_attention_heads=draw.integer(1, 3), head_dim=draw.integer(2, 6),
                        activation_function=draw.one("gelu", "relu"), d_model=2 * draw.integer(2, 5))
        network = randomise(LDMBertModel(LDMBertConfig(**settings)), draw)
        ids, mask = texts(draw, settings["vocab_size"], settings["max_position_embeddings"])
        inputs = {"ids": ids} | ({"mask": mask} if index % 2 else {})
        write_case(options, f"ldmbert-{index}", network, settings, run_ldmbert, inputs)


def main():
    options = arguments(__doc__, cases=4)
    for cases in (text_cases, vision_cases, whole_cases, t5_cases, half_cases, bucket_tables, ldmbert_cases):
        cases(options)


if __name__ == "__main__":
    main()
