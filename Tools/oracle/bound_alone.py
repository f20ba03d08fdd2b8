"""Whether a combination that this project's program does not learn in 700 steps is learnt by OpenAI's own loss.

The bound alone (`objective.kind: bound`, a learned variance, times by the second moment of their losses) is minimised on the
digits by the loss and the sampler of times of guided-diffusion, around a network of diffusers: 700 steps of 64, AdamW, moving
average, a tenth of the classes left out. The network that comes out is judged by `langevin evaluate`, as the program's own is.

    Tools/oracle/bound_alone.py --program .build/release/langevin --guided-diffusion CHECKOUT --prediction data --seed 0
"""
import argparse
import gzip
import json
import os
import sys
import tempfile

import numpy as np
import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file

from program import ROOT, Program

# The checkout is of a time when NumPy still had this name.
np.int = int

NETWORK = {"kind": "unet2d", "conditioning": "class", "block_out_channels": [32, 64], "layers_per_block": 1,
           "norm_num_groups": 8, "attention_head_dim": 16, "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
           "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]}
CLASSES = 10


def recipe(options):
    """One step of the program, which writes the network's configuration and the folder that is judged."""
    return {
        "seed": options.seed, "data": {"kind": "digits"}, "model": NETWORK,
        "diffusion": {"process": "betas", "schedule": options.schedule, "prediction": options.prediction},
        "objective": {"kind": "bound"}, "training": {"steps": 1, "batch_size": 64},
        "evaluation": {"guidance": 1.5, "count": 10},
    }


def digits():
    """The pictures, and their classes."""
    with gzip.open(f"{ROOT}/data/digits/digits.csv.gz", "rt") as file:
        rows = torch.tensor([[int(field) for field in line.split(",")] for line in file])
    return (rows[:, :64].float() / 8 - 1).reshape(-1, 1, 8, 8), rows[:, 64]


def trained(options, network, data, labels):
    """The moving average of the parameters after the training by OpenAI's code."""
    sys.path.insert(0, options.guided_diffusion)
    from guided_diffusion import gaussian_diffusion as gd
    from guided_diffusion.resample import LossSecondMomentResampler
    name = {"linear": "linear", "squaredcos_cap_v2": "cosine"}[options.schedule]
    means = {"data": gd.ModelMeanType.START_X, "noise": gd.ModelMeanType.EPSILON}
    diffusion = gd.GaussianDiffusion(
        betas=gd.get_named_beta_schedule(name, 1000), model_mean_type=means[options.prediction],
        model_var_type=gd.ModelVarType.LEARNED_RANGE, loss_type=gd.LossType.RESCALED_KL)
    sampler = LossSecondMomentResampler(diffusion)
    # Its own update needs a process group; one process needs none.
    sampler.update_with_local_losses = lambda t, losses: sampler.update_with_all_losses(t.tolist(), losses.tolist())
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=0)
    average = {key: value.detach().clone() for key, value in network.named_parameters()}
    for step in range(options.steps):
        picked = torch.randint(len(data), (64,))
        shown = labels[picked].clone()
        shown[torch.rand(64) < 0.1] = CLASSES
        t, weights = sampler.sample(64, "cpu")
        call = lambda x, t, **_: network(x, t, class_labels=shown).sample
        losses = diffusion.training_losses(call, data[picked], t, model_kwargs={})["loss"]
        sampler.update_with_local_losses(t, losses.detach())
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min(1, (step + 1) / 50)
        optimizer.zero_grad()
        (losses * weights).mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        decay = min(0.99, (1 + step) / (10 + step))
        for key, value in network.named_parameters():
            average[key].lerp_(value.detach(), 1 - decay)
        if step % 100 == 99:
            print(f"  step {step + 1}: {float(losses.detach().mean()):.4f}", flush=True)
    return average


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--guided-diffusion", required=True)
    parser.add_argument("--prediction", choices=["data", "noise"], default="data")
    parser.add_argument("--schedule", choices=["linear", "squaredcos_cap_v2"], default="squaredcos_cap_v2")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))

    program = Program(options.program)
    with tempfile.TemporaryDirectory() as folder:
        path, out = f"{folder}/recipe.yaml", f"{folder}/run"
        with open(path, "w") as file:
            json.dump(recipe(options), file)
        program.train(path, out)
        with open(f"{out}/model/unet/config.json") as file:
            config = {key: value for key, value in json.load(file).items() if not key.startswith("_")}
        data, labels = digits()
        network = UNet2DModel.from_config(config)
        weights = trained(options, network, data, labels)
        [file] = [name for name in os.listdir(f"{out}/model/unet") if name.endswith(".safetensors")]
        save_file({key: value.contiguous() for key, value in weights.items()}, f"{out}/model/unet/{file}")
        report, _ = program.evaluate(f"{out}/model", "--guidance", 1.5)
    print(f"guided-diffusion, the bound alone, {options.prediction}, {options.schedule}, seed {options.seed}: accuracy "
          f"{report['accuracy']:.3f}, distance {report['frechet_distance']:.0f} of "
          f"{report['frechet_distance_of_noise']:.0f}")


if __name__ == "__main__":
    main()
