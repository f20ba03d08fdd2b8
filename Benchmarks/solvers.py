"""k-diffusion's solvers, for the works `solver-*`."""
import importlib.util
import os
import sys
import types

import torch

FUNCTIONS = {"solver-euler": "sample_euler", "solver-heun": "sample_heun", "solver-lms": "sample_lms",
             "solver-dpmpp-2m": "sample_dpmpp_2m", "solver-euler-a": "sample_euler_ancestral"}


def k_diffusion():
    """k_diffusion/sampling.py alone; what it imports beside torch is not needed by the samplers here."""
    path = os.environ.get("LANGEVIN_K_DIFFUSION")
    if not path:
        raise SystemExit("peers: set LANGEVIN_K_DIFFUSION to k-diffusion's k_diffusion/sampling.py")
    package = types.ModuleType("k_diffusion")
    package.__path__ = []
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, rank: x[(...,) + (None,) * (rank - x.ndim)]
    package.utils = utils
    for name in ("torchdiffeq", "torchsde", "tqdm", "tqdm.auto", "scipy"):
        if importlib.util.find_spec(name.split(".")[0]) is None:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].odeint = None
            sys.modules[name].trange = lambda *bounds, **_: range(*bounds)
            sys.modules[name].tqdm = lambda x, **_: x
    sys.modules.update({"k_diffusion": package, "k_diffusion.utils": utils})
    spec = importlib.util.spec_from_file_location("k_diffusion.sampling", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["k_diffusion.sampling"] = module
    spec.loader.exec_module(module)
    return module


def solver(work):
    """One hundred steps on a [64, 3, 32, 32] sample; the model hands out a tensor that it has at hand."""
    sampling = k_diffusion()
    sigmas = sampling.get_sigmas_karras(100, 0.01, 80.0)
    start, data = torch.randn(64, 3, 32, 32) * 80, torch.randn(64, 3, 32, 32)
    sampler = getattr(sampling, FUNCTIONS[work])

    def run():
        with torch.no_grad():
            sampler(lambda x, sigma, **_: data, start, sigmas, disable=True)
    return run
