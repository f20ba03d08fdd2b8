"""Reference forward and gradients of random small diffusers UNet2DConditionModel configurations."""
import torch
from diffusers import UNet2DConditionModel

from common import Draw, arguments, finite, write

CROSS, PLAIN, PIXELS = "CrossAttn{}Block2D", "{}Block2D", "Attn{}Block2D"
ADDED, RESIDUAL = "SimpleCrossAttn{}Block2D", "Resnet{}sampleBlock2D"
ADDED_MIDDLE = "UNetMidBlock2DSimpleCrossAttn"


def blocks(*kinds):
    """Down blocks of the given kinds and the up blocks that mirror them."""
    return dict(down_block_types=[kind.format("Down") for kind in kinds],
                up_block_types=[kind.format("Up") for kind in reversed(kinds)])


# What a case is sure to have, going round with the index; the rest is drawn. The first are the published models.
KINDS = [
    dict(blocks(CROSS, CROSS, PLAIN), block_out_channels=[4, 8, 8], attention_head_dim=2, use_linear_projection=False,
         class_embed_type=None, num_class_embeds=None, only_cross_attention=False, in_channels=9),
    dict(blocks(CROSS, PLAIN), block_out_channels=[8, 12], attention_head_dim=[2, 3], use_linear_projection=True,
         upcast_attention=True, mid_block_type="UNetMidBlock2DCrossAttn"),
    dict(blocks(PLAIN, CROSS), block_out_channels=[8, 8], attention_head_dim=[1, 2], use_linear_projection=True,
         transformer_layers_per_block=[1, 3], addition_embed_type="text_time", class_embed_type=None, num_class_embeds=None),
    dict(blocks(PLAIN, CROSS, PLAIN), block_out_channels=[4, 8, 8], attention_head_dim=[1, 2, 4],
         use_linear_projection=True, transformer_layers_per_block=2, addition_embed_type="text_time"),
    dict(blocks(PLAIN, CROSS, CROSS), block_out_channels=[4, 8, 4], only_cross_attention=[True, True, False],
         num_class_embeds=1000, class_embed_type=None, addition_embed_type=None, in_channels=7),
    dict(blocks(CROSS, CROSS), block_out_channels=[8, 12], attention_head_dim=4, only_cross_attention=False,
         use_linear_projection=False, class_embed_type=None, num_class_embeds=None),
    dict(down_block_types=["AttnDownBlock2D", "CrossAttnDownBlock2D"], up_block_types=["AttnUpBlock2D", "UpBlock2D"],
         block_out_channels=[8, 4], attention_head_dim=[2, 4], mid_block_type="UNetMidBlock2D",
         time_embedding_type="fourier", class_embed_type="timestep", addition_embed_type=None),
    dict(blocks(CROSS, CROSS), block_out_channels=[4, 8], layers_per_block=[1, 2],
         transformer_layers_per_block=[[2], [1, 2]], reverse_transformer_layers_per_block=[[1, 2, 1], [2, 1]],
         class_embed_type="projection", class_embeddings_concat=True, addition_embed_type=None),
    {},
]

# The same for blocks whose keys and values of the context stand beside those of the pixels (`--added`): DeepFloyd IF's
# base and upscaler, Karlo's decoder, and blocks of all kinds in one network.
ADDED_KINDS = [
    dict(blocks(RESIDUAL, ADDED, ADDED), block_out_channels=[4, 8, 12], attention_head_dim=4, mid_block_type=ADDED_MIDDLE,
         act_fn="gelu", resnet_time_scale_shift="scale_shift", resnet_skip_time_act=True, cross_attention_norm="group_norm",
         cross_attention_dim=32, encoder_hid_dim=6, addition_embed_type="text", addition_embed_type_num_heads=2,
         time_embedding_act_fn="gelu", class_embed_type=None, num_class_embeds=None, only_cross_attention=False),
    dict(blocks(RESIDUAL, ADDED), block_out_channels=[8, 8], attention_head_dim=2, mid_block_type=ADDED_MIDDLE, act_fn="gelu",
         resnet_time_scale_shift="scale_shift", resnet_skip_time_act=True, resnet_out_scale_factor=1.4142135,
         cross_attention_norm="group_norm", cross_attention_dim=64, encoder_hid_dim=9, encoder_hid_dim_type="text_proj",
         addition_embed_type="text", addition_embed_type_num_heads=3, class_embed_type="timestep", only_cross_attention=True),
    dict(blocks(RESIDUAL, ADDED, ADDED), block_out_channels=[4, 8, 8], attention_head_dim=[1, 2, 4], mid_block_type=ADDED_MIDDLE,
         resnet_time_scale_shift="scale_shift", class_embed_type="identity", only_cross_attention=False),
    dict(blocks(ADDED, CROSS, RESIDUAL, PLAIN), block_out_channels=[8, 8, 4, 8], attention_head_dim=4, mid_block_type=ADDED_MIDDLE,
         resnet_skip_time_act=True, cross_attention_norm="layer_norm", cross_attention_dim=8, addition_embed_type="text",
         addition_embed_type_num_heads=4, only_cross_attention=[True, False, False, True], mid_block_only_cross_attention=True,
         class_embed_type=None, num_class_embeds=None),
    dict(blocks(ADDED, ADDED), block_out_channels=[8, 12], attention_head_dim=[2, 4], layers_per_block=[1, 2],
         resnet_out_scale_factor=0.5, addition_embed_type="text_time"),
]


def configuration(draw, index, kinds=KINDS):
    """A legal configuration: every option is drawn, then the index's kind is laid over it."""
    kind = kinds[index % len(kinds)]
    levels = len(kind.get("block_out_channels", [0] * draw.integer(1, 3)))

    def listed(make):
        return make() if draw.chance(0.5) else [make() for _ in range(levels)]

    result = dict(
        in_channels=draw.integer(1, 5), out_channels=draw.integer(1, 4), center_input_sample=draw.chance(0.3),
        flip_sin_to_cos=draw.chance(0.5), freq_shift=draw.one(0, 1),
        down_block_types=[draw.one(CROSS, CROSS, PLAIN, PIXELS).format("Down") for _ in range(levels)],
        mid_block_type=draw.one("UNetMidBlock2DCrossAttn", "UNetMidBlock2DCrossAttn", "UNetMidBlock2D", None),
        up_block_types=[draw.one(CROSS, CROSS, PLAIN, PIXELS).format("Up") for _ in range(levels)],
        only_cross_attention=listed(lambda: draw.chance(0.3)),
        block_out_channels=[4 * draw.integer(1, 3) for _ in range(levels)], layers_per_block=listed(lambda: draw.integer(1, 2)),
        downsample_padding=draw.one(0, 1), mid_block_scale_factor=draw.one(1, 1.4142135, 0.5), dropout=0.0,
        act_fn=draw.one("silu", "silu", "swish", "gelu", "mish", "relu"), norm_num_groups=draw.one(1, 2, 4),
        norm_eps=draw.one(1e-5, 1e-6, 1e-3), cross_attention_dim=draw.integer(3, 10),
        transformer_layers_per_block=listed(lambda: draw.integer(1, 2)),
        attention_head_dim=listed(lambda: draw.integer(1, 4)), use_linear_projection=draw.chance(0.5),
        upcast_attention=draw.chance(0.3), resnet_time_scale_shift=draw.one("default", "default", "scale_shift"),
        time_embedding_type=draw.one("positional", "positional", "positional", "fourier"),
        time_embedding_dim=draw.one(None, None, 2 * draw.integer(3, 12)),
        time_embedding_act_fn=draw.one(None, None, "silu", "gelu"), timestep_post_act=draw.one(None, None, "mish", "silu"),
        time_cond_proj_dim=draw.one(None, None, draw.integer(2, 6)), conv_in_kernel=draw.one(3, 3, 1, 5),
        conv_out_kernel=draw.one(3, 3, 1, 5),
        class_embed_type=draw.one(None, None, "timestep", "identity", "projection", "simple_projection"),
        num_class_embeds=draw.one(None, draw.integer(2, 9)), addition_embed_type=draw.one(None, None, "text_time"),
        class_embeddings_concat=draw.chance(0.2),
    )
    result.update(kind)
    if result["addition_embed_type"] or (result["class_embed_type"] or result["num_class_embeds"]) is None:
        result["class_embeddings_concat"] = False
    if result["addition_embed_type"] == "text_time":
        result["addition_time_embed_dim"] = draw.integer(4, 7)
        result["projection_class_embeddings_input_dim"] = draw.integer(2, 6) + draw.one(5, 6) * result["addition_time_embed_dim"]
    elif result["class_embed_type"] in ("projection", "simple_projection"):
        result["projection_class_embeddings_input_dim"] = draw.integer(2, 9)
    return result


def randomise(network, seed):
    """Parameters that a test can draw itself: in the order of their names, from one generator."""
    generator = torch.Generator("cpu").manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            if parameter.ndim > 1:
                noise = noise / parameter[0].numel() ** 0.5
            elif name.endswith("bias"):
                noise = 0.2 * noise
            elif "time_proj" not in name:
                noise = 1 + 0.2 * noise
            parameter.copy_(noise)
    return network.eval()


def size(settings, draw):
    """Of any parity, unless attention among pixels doubles: that block of diffusers cannot meet odd sizes. Never so
    small that a group of the lowest norm is one number."""
    unit = 2 ** (len(settings["block_out_channels"]) - 1)
    if {PIXELS.format("Up"), ADDED.format("Up"), RESIDUAL.format("Up")} & set(settings["up_block_types"][:-1]):
        return 2 * unit, unit * draw.integer(1, 2)
    return draw.integer(2 * unit, 2 * unit + 3), draw.integer(unit, unit + 3)


def takes_mask(settings, height, width, tokens):
    """diffusers lengthens a mask for blocks with added keys wherever it has not as many tokens as there are pixels."""
    if not any("Simple" in kind for kind in settings["down_block_types"]):
        return True
    only = settings["only_cross_attention"]
    counts = [(height >> level) * (width >> level) for level in range(len(settings["block_out_channels"]))]
    return only is False and tokens not in counts


def inputs(settings, network, draw):
    """What the network is given, by the names of the arguments of diffusers, flat."""
    batch = draw.integer(1, 2)
    height, width = size(settings, draw)
    tokens = draw.integer(2, 5)

    def normal(*shape):
        return draw.normal(*shape, dtype=torch.float32)

    times = draw.one(1, batch)
    whole = settings["time_embedding_type"] == "positional" and draw.chance(0.8)
    given = {
        "sample": normal(batch, settings["in_channels"], height, width),
        "timestep": torch.tensor([draw.integer(0, 999) if whole else draw.real(0.05, 5) for _ in range(times)]),
        "encoder_hidden_states": normal(batch, tokens, settings.get("encoder_hid_dim") or settings["cross_attention_dim"]),
    }
    if draw.chance(0.5) and takes_mask(settings, height, width, tokens):
        mask = torch.tensor([[draw.integer(0, 1) for _ in range(tokens)] for _ in range(batch)])
        mask[:, 0] = 1
        given["encoder_attention_mask"] = mask
    kind, projected = settings["class_embed_type"], settings.get("projection_class_embeddings_input_dim")
    if kind == "timestep":
        given["class_labels"] = torch.tensor([draw.real(0.05, 5) for _ in range(batch)])
    elif kind is not None:
        width_of_time = network.time_embedding.linear_2.out_features
        given["class_labels"] = normal(batch, width_of_time if kind == "identity" else projected)
    elif settings["num_class_embeds"] is not None:
        given["class_labels"] = torch.tensor([draw.integer(0, settings["num_class_embeds"] - 1) for _ in range(batch)])
    if settings["addition_embed_type"] == "text_time":
        features = settings["addition_time_embed_dim"]
        count = 6 if projected > 6 * features else 5
        given["text_embeds"] = normal(batch, projected - count * features)
        given["time_ids"] = torch.tensor([[float(draw.integer(0, 1024)) for _ in range(count)] for _ in range(batch)])
    if settings["time_cond_proj_dim"] is not None and draw.chance(0.8):
        given["timestep_cond"] = normal(batch, settings["time_cond_proj_dim"])
    return given


def call(network, given, control):
    """The network on flat arguments."""
    given = dict(given)
    added = {name: given.pop(name) for name in ("text_embeds", "time_ids") if name in given}
    more = {}
    if control:
        more = dict(down_block_additional_residuals=tuple(control[:-1]), mid_block_additional_residual=control[-1])
    return network(added_cond_kwargs=added or None, **given, **more).sample


def control_like(network, given, draw):
    """Random tensors of the shapes that a control network would give; the last is for the middle."""
    shapes = []
    hooks = [network.conv_in.register_forward_hook(lambda module, given, result: shapes.append(result.shape))]
    for block in network.down_blocks:
        hooks.append(block.register_forward_hook(lambda module, given, result: shapes.extend(x.shape for x in result[1])))
    with torch.no_grad():
        call(network, given, None)
    for hook in hooks:
        hook.remove()
    return [0.3 * draw.normal(*shape, dtype=torch.float32) for shape in shapes + shapes[-1:]]


def moments(network):
    """Of every gradient, in the order of names: its length, and its component along the parameter."""
    rows = []
    for name, parameter in sorted(network.named_parameters()):
        if parameter.requires_grad:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            along = (gradient * parameter.detach()).sum() / parameter.detach().norm()
            rows.append([gradient.norm().item(), along.item()])
    return torch.tensor(rows, dtype=torch.float64)


def pools_in_double(network):
    """diffusers takes the softmax by which a text is pooled in float32 whatever the network computes in."""
    pool = getattr(getattr(network, "add_embedding", None), "pool", None)
    if pool is None:
        return
    plain, narrow = pool.forward, torch.Tensor.float

    def forward(x):
        torch.Tensor.float = lambda tensor: tensor
        try:
            return plain(x)
        finally:
            torch.Tensor.float = narrow

    pool.forward = forward


def reference(settings, draw, weight_seed):
    """The tensors of one case, or None where the reference itself is not finite."""
    network = randomise(UNet2DConditionModel(**settings), weight_seed)
    given = inputs(settings, network, draw)
    control = control_like(network, given, draw) if draw.chance(0.35) else None
    tensors = {"input." + name: value for name, value in given.items()}
    tensors.update({f"control.{index}": value for index, value in enumerate(control or [])})
    with torch.no_grad():
        tensors["output"] = call(network, given, control)
    # Gradients in float64: in float32 a ReLU at its corner or a norm of equal numbers decides by rounding.
    network.double()
    network.time_proj.register_forward_hook(lambda module, given, result: result.double())
    pools_in_double(network)
    wide = {name: value.double() if value.is_floating_point() else value for name, value in given.items()}
    leaves = {name: wide[name].requires_grad_() for name in ("sample", "encoder_hidden_states")}
    output = call(network, wide, control and [value.double() for value in control])
    cotangent = draw.normal(*output.shape, dtype=torch.float32)
    (output * cotangent).mean().backward()
    tensors.update({"cotangent": cotangent, "output64": output, "moments64": moments(network)})
    for name, leaf in leaves.items():
        tensors["gradient64." + name] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    return (tensors, network.num_parameters()) if finite(*tensors.values()) else None


def main():
    options = arguments(__doc__, cases=16, limit=60, added=False)
    kinds, name = (ADDED_KINDS, "unet-added") if options.added else (KINDS, "unet-condition")
    index = attempt = 0
    while index < options.cases:
        draw = Draw(options.seed, f"{name}/{attempt}")
        attempt += 1
        settings = configuration(draw, index, kinds)
        weight_seed = draw.integer(0, 2**31)
        made = reference(settings, draw, weight_seed)
        if made is None or sum(t.numel() * t.element_size() for t in made[0].values()) > options.limit * 1024:
            continue
        tensors, count = made
        write(options.out, f"{name}-{options.seed}-{index}", tensors,
              {"seed": options.seed, "class": "UNet2DConditionModel", "configuration": settings,
               "weight_seed": weight_seed, "parameters": count})
        index += 1


if __name__ == "__main__":
    main()
