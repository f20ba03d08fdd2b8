"""Reference forward and gradients of random small diffusion transformers: DiT (both of diffusers' classes, and the
authors' layout) and the MMDiT of Stable Diffusion 3 and 3.5."""
import torch
import torch.nn.functional as F
from diffusers import DiTTransformer2DModel, SD3Transformer2DModel, Transformer2DModel
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.models.normalization import FP32LayerNorm, RMSNorm

from common import Draw, arguments, finite, write
from unet import Float64Sinusoid, randomise

ACTIVATIONS = ("gelu-approximate", "geglu", "linear-silu", "gelu", "swiglu", "geglu-approximate")
NORMS = ("rms_norm", None, "layer_norm", "fp32_layer_norm")


def shared(draw, layers):
    """What both kinds of network have; tokens are 4 to 16 features wide, a multiple of 4."""
    heads, size = draw.one((1, 4), (2, 2), (2, 4), (1, 8), (4, 2), (3, 4), (2, 6), (4, 4))
    patch = draw.one(1, 2, 2, 3)
    channels = draw.integer(1, 4)
    return dict(num_attention_heads=heads, attention_head_dim=size, in_channels=channels,
                out_channels=draw.one(None, channels, 2 * channels, draw.integer(1, 5)), num_layers=layers,
                patch_size=patch, sample_size=patch * draw.integer(1, 5) + draw.integer(0, patch - 1))


def dit_configuration(draw, index):
    return dict(
        shared(draw, 1 + (index // 2) % 2), dropout=draw.one(0.0, 0.3), attention_bias=draw.chance(0.6),
        activation_fn=ACTIVATIONS[index % 6], num_embeds_ada_norm=draw.integer(1, 7), norm_type="ada_norm_zero",
        norm_elementwise_affine=draw.chance(0.5), norm_eps=draw.one(1e-5, 1e-6, 1e-3),
        upcast_attention=draw.chance(0.3), norm_num_groups=draw.one(32, 7),
    )


def mmdit_configuration(draw, index):
    layers = (2, 1, 3)[index % 3]
    settings = shared(draw, layers)
    width = settings["num_attention_heads"] * settings["attention_head_dim"]
    dual = [layer for layer in range(layers) if draw.chance(0.5)] if index % 2 == 0 else []
    return dict(
        settings, joint_attention_dim=draw.integer(1, 12), caption_projection_dim=width,
        pooled_projection_dim=draw.integer(1, 12), pos_embed_max_size=None if index % 4 == 3 else draw.integer(4, 7),
        dual_attention_layers=dual, qk_norm=NORMS[index % 4],
    )


def picture(settings, draw, batch):
    """Noisy latents, square or not, of up to four patches along a side, and a time for each."""
    patch = settings["patch_size"]
    rows, columns = draw.integer(1, 4), draw.integer(2, 4)
    sample = draw.normal(batch, settings["in_channels"], rows * patch, columns * patch, dtype=torch.float32)
    return sample, rows, columns


def dit_case(draw, index):
    """A network, its inputs, and its forward. diffusers joins patches to squares only, so the last lines of the
    forward are written out here; where the picture is square, the two must agree."""
    kind = (DiTTransformer2DModel, Transformer2DModel)[index % 2]
    network = kind(**dit_configuration(draw, index))
    settings, batch = dict(network.config), draw.integer(1, 3)
    sample, rows, columns = picture(settings, draw, batch)
    classes = settings["num_embeds_ada_norm"]
    labels = torch.tensor([draw.one(classes, draw.integer(0, classes - 1)) for _ in range(batch)])
    times = torch.tensor([draw.integer(0, 999) for _ in range(batch)])

    def forward(sample, timestep, class_labels):
        hidden = network.pos_embed(sample)
        for block in network.transformer_blocks:
            hidden = block(hidden, timestep=timestep, class_labels=class_labels)
        told = network.transformer_blocks[0].norm1.emb(timestep, class_labels, hidden_dtype=hidden.dtype)
        shift, scale = network.proj_out_1(F.silu(told))[:, None].chunk(2, dim=-1)
        tokens = network.proj_out_2(network.norm_out(hidden) * (1 + scale) + shift)
        output = joined(tokens, rows, columns, settings["patch_size"])
        if rows == columns:
            whole = network(sample, timestep=timestep, class_labels=class_labels).sample
            assert torch.equal(whole, output)
        return output

    return network, settings, forward, {"sample": sample, "timestep": times, "class_labels": labels}, {}


def joined(tokens, rows, columns, patch):
    grid = tokens.unflatten(2, (patch, patch, -1)).unflatten(1, (rows, columns))
    return grid.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def mmdit_case(draw, index):
    network = SD3Transformer2DModel(**mmdit_configuration(draw, index))
    settings, batch = dict(network.config), draw.integer(1, 3)
    sample, _, _ = picture(settings, draw, batch)
    skipped = [layer for layer in range(settings["num_layers"]) if draw.chance(0.4)] if index % 3 == 2 else []
    inputs = {
        "sample": sample, "timestep": torch.tensor([draw.real(0, 1000) for _ in range(batch)]),
        "context": draw.normal(batch, draw.integer(1, 6), settings["joint_attention_dim"], dtype=torch.float32),
        "pooled": draw.normal(batch, settings["pooled_projection_dim"], dtype=torch.float32),
    }

    def forward(sample, timestep, context, pooled):
        return network(sample, timestep=timestep, encoder_hidden_states=context, pooled_projections=pooled,
                       skip_layers=skipped).sample

    return network, settings, forward, inputs, {"skipped_layers": skipped}


def use_float64(network):
    """The whole network in float64, also the norms that diffusers computes in float32 whatever they are given."""
    network.double()
    for module in network.modules():
        if isinstance(module, RMSNorm):
            module.forward = lambda x, m=module: F.rms_norm(x, m.dim, m.weight, m.eps)
        if isinstance(module, FP32LayerNorm):
            module.forward = lambda x, m=module: F.layer_norm(x, m.normalized_shape, m.weight, m.bias, m.eps)


def answer(network, forward, inputs, cotangent):
    """The output, and the gradients of output and cotangent's mean product in inputs and parameters."""
    leaves = {key: value.clone().requires_grad_(value.is_floating_point() and key != "timestep")
              for key, value in inputs.items()}
    network.zero_grad()
    output = forward(**leaves)
    (output * cotangent).mean().backward()
    gradients = {key: torch.zeros_like(value) if value.grad is None else value.grad.clone()
                 for key, value in list(leaves.items()) + list(network.named_parameters()) if value.requires_grad}
    return output.detach(), gradients


def reference(network, forward, inputs, draw):
    """The tensors of one case, or None where rounding alone moves them by a third of what the tests tolerate."""
    randomise(network, draw)
    state = {"weight." + key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        shape = forward(**inputs).shape
    cotangent = draw.normal(*shape, dtype=torch.float32)
    output, gradients = answer(network, forward, inputs, cotangent)
    tensors = {"input." + key: value for key, value in inputs.items()} | state
    tensors |= {"input.cotangent": cotangent, "output.sample": output}
    tensors |= {"gradient." + key: value for key, value in gradients.items()}

    use_float64(network)
    wide = {key: value.double() if value.is_floating_point() else value for key, value in inputs.items()}
    zero = torch.zeros_like(inputs["timestep"])
    with torch.no_grad():
        tensors |= {"input64.timestep": zero, "output64.sample": forward(**(wide | {"timestep": zero}))}
    for module in list(network.modules()):
        if hasattr(module, "time_proj"):
            module.time_proj = Float64Sinusoid(module.time_proj)
    exact, exact_gradients = answer(network, forward, wide, cotangent.double())
    largest = max(value.abs().max() for value in gradients.values())
    stable = (output - exact).abs().max() < 3e-6 and finite(*tensors.values())
    for key, value in gradients.items():
        tolerance = 3e-5 * value.abs().max() + 3e-7 * largest
        stable = stable and (value - exact_gradients[key]).abs().max() < tolerance
    return tensors if stable else None


# --- the authors' layout of DiT --------------------------------------------------------------------------------


def original_state(network):
    """The weights of a diffusers DiT under the names and in the shapes of the authors' program."""
    state = dict(network.state_dict())
    named = {"pos_embed": network.pos_embed.pos_embed}
    for part in ("weight", "bias"):
        first = "transformer_blocks.0.norm1.emb."
        named[f"x_embedder.proj.{part}"] = state[f"pos_embed.proj.{part}"]
        for mine, theirs in ((0, 1), (2, 2)):
            named[f"t_embedder.mlp.{mine}.{part}"] = state[f"{first}timestep_embedder.linear_{theirs}.{part}"]
        named[f"final_layer.adaLN_modulation.1.{part}"] = state[f"proj_out_1.{part}"]
        named[f"final_layer.linear.{part}"] = state[f"proj_out_2.{part}"]
        for layer in range(len(network.transformer_blocks)):
            mine, theirs = f"blocks.{layer}.", f"transformer_blocks.{layer}."
            named[f"{mine}attn.qkv.{part}"] = torch.cat([state[f"{theirs}attn1.to_{x}.{part}"] for x in "qkv"])
            named[f"{mine}attn.proj.{part}"] = state[f"{theirs}attn1.to_out.0.{part}"]
            named[f"{mine}mlp.fc1.{part}"] = state[f"{theirs}ff.net.0.proj.{part}"]
            named[f"{mine}mlp.fc2.{part}"] = state[f"{theirs}ff.net.2.{part}"]
            named[f"{mine}adaLN_modulation.1.{part}"] = state[f"{theirs}norm1.linear.{part}"]
    named["y_embedder.embedding_table.weight"] = state[first + "class_embedder.embedding_table.weight"]
    return named


def original_forward(w, sample, times, labels, heads, patch):
    """The network of arXiv:2212.09748 from its description, on tensors of that layout; frequencies of time and the
    second norm's epsilon are diffusers'."""
    def linear(x, name):
        return F.linear(x, w[name + ".weight"], w[name + ".bias"])

    def norm(x, epsilon=1e-6):
        return F.layer_norm(x, x.shape[-1:], eps=epsilon)

    rows, columns = sample.shape[2] // patch, sample.shape[3] // patch
    x = F.conv2d(sample, w["x_embedder.proj.weight"], w["x_embedder.proj.bias"], stride=patch)
    x = x.flatten(2).mT + w["pos_embed"]
    time = get_timestep_embedding(times, 256, flip_sin_to_cos=True, downscale_freq_shift=1)
    told = linear(F.silu(linear(time, "t_embedder.mlp.0")), "t_embedder.mlp.2")
    told = F.silu(told + w["y_embedder.embedding_table.weight"][labels])[:, None]
    for layer in range(sum(name.endswith("qkv.weight") for name in w)):
        block = f"blocks.{layer}."
        shift1, scale1, gate1, shift2, scale2, gate2 = linear(told, block + "adaLN_modulation.1").chunk(6, -1)
        qkv = linear(norm(x) * (1 + scale1) + shift1, block + "attn.qkv").unflatten(2, (3, heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
        x = x + gate1 * linear(mixed.transpose(1, 2).flatten(2), block + "attn.proj")
        hidden = F.gelu(linear(norm(x, 1e-5) * (1 + scale2) + shift2, block + "mlp.fc1"), approximate="tanh")
        x = x + gate2 * linear(hidden, block + "mlp.fc2")
    shift, scale = linear(told, "final_layer.adaLN_modulation.1").chunk(2, -1)
    return joined(linear(norm(x) * (1 + scale) + shift, "final_layer.linear"), rows, columns, patch)


def write_original(options, attempt=0):
    draw = Draw(options.seed, f"dit-original/{attempt}")
    heads, layers, side = draw.integer(1, 3), draw.integer(2, 3), draw.integer(2, 4)
    settings = dict(num_attention_heads=heads, attention_head_dim=4, in_channels=draw.integer(1, 4), out_channels=6,
                    num_layers=layers, sample_size=2 * side, num_embeds_ada_norm=draw.integer(2, 6))
    network = randomise(DiTTransformer2DModel(**settings), draw)
    embedder = network.transformer_blocks[0].norm1.emb
    for block in network.transformer_blocks:
        block.norm1.emb = embedder
    sample = draw.normal(2, settings["in_channels"], 2 * side, 2 * side, dtype=torch.float32)
    times = torch.tensor([draw.integer(0, 20), draw.integer(0, 20)])
    labels = torch.tensor([0, settings["num_embeds_ada_norm"]])
    weights = original_state(network)
    output = original_forward(weights, sample, times, labels, heads, 2)
    with torch.no_grad():
        theirs = network(sample, timestep=times, class_labels=labels).sample
    if (output - theirs).abs().max() > 2e-6:  # a case that rounding moves
        assert (output - theirs).abs().max() < 1e-4
        return write_original(options, attempt + 1)
    tensors = {"original." + key: value for key, value in weights.items()}
    tensors |= {"input.sample": sample, "input.timestep": times, "input.class_labels": labels, "output.sample": output}
    write(options.out, f"original-{options.seed}", tensors, {"seed": options.seed, "configuration": settings})


def main():
    options = arguments(__doc__, dit=6, mmdit=6, limit=50, only="")
    for prefix, count, make in (("dit", options.dit, dit_case), ("mmdit", options.mmdit, mmdit_case)):
        if options.only not in ("", prefix):
            continue
        index = attempt = 0
        while index < count:
            draw = Draw(options.seed, f"{prefix}/{attempt}")
            attempt += 1
            network, settings, forward, inputs, more = make(draw, index)
            count_of_parameters = network.num_parameters()
            tensors = reference(network, forward, inputs, draw)
            if tensors is None or sum(t.numel() * t.element_size() for t in tensors.values()) > options.limit * 1024:
                continue
            settings = {key: value for key, value in settings.items() if not key.startswith("_")}
            write(options.out, f"{prefix}-{options.seed}-{index}", tensors,
                  {"seed": options.seed, "class": type(network).__name__, "parameters": count_of_parameters,
                   "configuration": settings | {"_class_name": type(network).__name__}} | more)
            index += 1
    if options.only in ("", "dit"):
        write_original(options)


if __name__ == "__main__":
    main()
