"""EDM's networks: drawn weights, inputs and outputs of the published code, which stays outside this project.

    edm.py --edm FOLDER --seed 0 --out FOLDER

`--edm` is a checkout of NVlabs/edm, of which the networks are called and nothing is taken. Every tensor is drawn by a generator of
its own, seeded with the case's seed and its place among the names in alphabetic order, so that a file holds no weights.
"""
import os
import sys

import torch

from common import Draw, arguments, write

SONG = {"model_type": "SongUNet", "img_resolution": 8, "img_channels": 3, "model_channels": 8, "channel_mult": [1, 2],
        "num_blocks": 1, "attn_resolutions": [4], "dropout": 0.0}
CASES = {
    "ddpm": {**SONG, "embedding_type": "positional", "encoder_type": "standard", "channel_mult_noise": 1,
             "resample_filter": [1, 1], "label_dim": 0, "augment_dim": 9},
    "ncsn": {**SONG, "embedding_type": "fourier", "encoder_type": "residual", "channel_mult_noise": 2,
             "resample_filter": [1, 3, 3, 1], "label_dim": 3, "augment_dim": 0, "num_blocks": 2},
    "adm": {"model_type": "DhariwalUNet", "img_resolution": 8, "img_channels": 3, "model_channels": 64, "channel_mult": [1, 2],
            "num_blocks": 1, "attn_resolutions": [4], "dropout": 0.0, "label_dim": 4, "augment_dim": 0},
}
PUBLISHED = {
    55_732_739: {**CASES["ddpm"], "img_resolution": 32, "model_channels": 128, "channel_mult": [2, 2, 2], "num_blocks": 4,
                 "attn_resolutions": [16], "augment_dim": 0},
    56_395_523: {**CASES["ncsn"], "img_resolution": 32, "model_channels": 128, "channel_mult": [2, 2, 2], "num_blocks": 4,
                 "attn_resolutions": [16], "label_dim": 0},
    295_899_267: {**CASES["adm"], "img_resolution": 64, "model_channels": 192, "channel_mult": [1, 2, 3, 4], "num_blocks": 3,
                  "attn_resolutions": [32, 16, 8], "label_dim": 1000},
}


def built(settings):
    from training.networks import EDMPrecond

    return EDMPrecond(**settings).eval()


def main():
    options = arguments(__doc__, edm="")
    sys.path.insert(0, options.edm)
    for count, settings in PUBLISHED.items():
        with torch.device("meta"):
            assert sum(parameter.numel() for parameter in built(settings).parameters()) == count, settings
    for index, (name, settings) in enumerate(CASES.items()):
        draw, network = Draw(options.seed, f"edm/{name}"), built(settings)
        seed = 1000 * options.seed + 100_000 * index
        state = {key: value for key, value in network.state_dict().items() if not key.endswith("resample_filter")}
        with torch.no_grad():
            for place, key in enumerate(sorted(state)):
                values = torch.randn(state[key].shape, generator=torch.Generator().manual_seed(seed + place))
                if values.dim() > 1:
                    values *= 0.7 / values[0].numel() ** 0.5
                else:
                    values = values * 0.2 + (1 if "norm" in key and key.endswith("weight") else 0)
                state[key].copy_(values)
        x = draw.normal(2, 3, 8, 8, dtype=torch.float32)
        time = draw.normal(2, dtype=torch.float32)
        labels = torch.tensor([1, 2]) if settings["label_dim"] else None
        classes = torch.nn.functional.one_hot(labels, settings["label_dim"]).float() if labels is not None else None
        with torch.no_grad():
            output = network.model(x, time, classes)
        tensors = {"x": x, "time": time, "output": output} | ({"labels": labels} if labels is not None else {})
        write(options.out, name, tensors, {"seed": seed, "configuration": settings})


if __name__ == "__main__":
    main()
