"""Reference outputs of random small DPTs of transformers, which find depths: hybrids and those on patches."""
import torch
from transformers import BitConfig, DPTConfig, DPTForDepthEstimation

from common import Draw, arguments
from text_encoders import write_case
from unet import randomise


def settings(draw, is_hybrid):
    """What a configuration holds; sizes are drawn, and small."""
    heads, groups = draw.one(1, 2), draw.one(1, 2, 4)
    patch = 16 if is_hybrid else draw.one(4, 5)
    layers = draw.integer(4, 5)
    chosen = dict(
        is_hybrid=is_hybrid, hidden_size=heads * draw.one(4, 6), intermediate_size=draw.integer(5, 12),
        num_hidden_layers=layers, num_attention_heads=heads, hidden_act=draw.one("gelu", "quick_gelu"),
        layer_norm_eps=draw.one(1e-12, 1e-5), patch_size=patch, image_size=patch * 2 * draw.integer(1, 2),
        qkv_bias=draw.chance(0.7), fusion_hidden_size=draw.one(4, 6),
        backbone_out_indices=sorted(draw.choices.sample(range(layers), 4)))
    if not is_hybrid:
        return chosen | dict(
            readout_type=draw.one("ignore", "add", "project"), reassemble_factors=draw.one([4, 2, 1, 0.5], [2, 2, 1, 0.5]),
            neck_hidden_sizes=[draw.integer(3, 6) for _ in range(4)])
    hidden = [8 * groups * draw.integer(1, 2) for _ in range(3)]
    # Channels inside a bottleneck are multiples of 8.
    backbone = dict(
        model_type="bit", global_padding=draw.one("same", "SAME"), layer_type="bottleneck", num_groups=groups,
        embedding_size=groups * draw.integer(2, 3) + (groups == 1), hidden_sizes=hidden, depths=[draw.integer(1, 2) for _ in range(3)],
        embedding_dynamic_padding=True, out_features=["stage1", "stage2", "stage3"])
    return chosen | dict(
        backbone_config=backbone, readout_type="project", reassemble_factors=[1, 1, 1, 0.5], neck_ignore_stages=[0, 1],
        neck_hidden_sizes=hidden[:2] + [draw.integer(3, 6) for _ in range(2)],
        backbone_featmap_shape=[1, hidden[2], 2, 2])


def network(chosen, draw):
    """The network with drawn weights; its last bias is large, so that the rectifier at the end leaves most of it."""
    own = dict(chosen)
    if chosen["is_hybrid"]:
        own["backbone_config"] = BitConfig(**{key: value for key, value in own["backbone_config"].items() if key != "model_type"})
    made = randomise(DPTForDepthEstimation(DPTConfig(**own)).eval(), draw)
    with torch.no_grad():
        made.head.head[4].bias.fill_(draw.real(1, 3))
    return made


def main():
    options = arguments(__doc__, cases=4)
    for index in range(options.cases):
        draw = Draw(options.seed, f"depth/{index}")
        chosen = settings(draw, is_hybrid=index % 2 == 0)
        size = chosen["image_size"]
        pictures = draw.normal(draw.integer(1, 2), 3, size, size, dtype=torch.float32)
        write_case(options, f"depth-{index}", network(chosen, draw), chosen,
                   lambda network, inputs: {"depth": network(inputs["pictures"]).predicted_depth}, {"pictures": pictures})


if __name__ == "__main__":
    main()
