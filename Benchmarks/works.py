"""The rows of the table: what each work is, in which types, and how it is measured."""
from dataclasses import dataclass, replace

BOTH = ("float32", "bfloat16")
# Ours in float32 with matrices multiplied as sums of bfloat16 numbers; theirs in float32.
SPLIT = "bf16x3"
# The ways of a peer among which the best counts.
EAGER = ("eager-nchw", "eager-channels-last")
SIDES = {"eager": EAGER, "compiled": ("compiled-channels-last", "frozen-channels-last"), "openvino": ("openvino",)}
TRAINING = SIDES | {"compiled": ("compiled-nchw", "compiled-channels-last"), "openvino": ()}
PIPELINE = SIDES | {"compiled": ("compiled-nchw",), "openvino": ()}
ONE_WAY = {"eager": ("eager-nchw",), "compiled": (), "openvino": ()}


@dataclass(frozen=True)
class Work:
    description: str
    dtypes: tuple = BOTH
    # Sides by peer.
    sides: dict = None
    # How it is measured: `turns` (processes that alternate), `start`, `start-sd15` (cold processes), `memory`.
    way: str = "turns"
    # The folder of weights and inputs by type, where it is not the work's own; None where there is none.
    folder: str | None = "own"
    # Whether ours reads the inputs that lie in the folder.
    takes_inputs: bool = True
    # The work that is done, where it has another row's name.
    of: str | None = None
    # How many processes beside it keep a processor busy each.
    busy: int = 0
    unit: str = "ms"
    has_ceiling: bool = True
    # Whether it is a row of `make bench`.
    is_usual: bool = True


def solver(name):
    return Work(f"100 steps of {name}, [64, 3, 32, 32], model at no cost; theirs: k-diffusion", ("float32",), ONE_WAY,
                folder=None, has_ceiling=False, is_usual=False)


WORKS = {
    "sd15-unet": Work("SD1.5 U-Net, batch 2, 64×64, 77 tokens", (*BOTH, SPLIT), SIDES),
    "dit-xl2": Work("DiT-XL/2, batch 2, 32×32", (*BOTH, SPLIT), SIDES),
    "sd-vae-decoder": Work("SD VAE decoder, 512×512", sides=SIDES),
    "ddpm-cifar-forward": Work("CIFAR U-Net, forward, batch 64", sides=SIDES),
    "ddpm-cifar-train": Work("CIFAR U-Net, training step, batch 32", sides=TRAINING),
    "tiny-1000": Work("tiny U-Net, 1,000 steps, batch 16", ("float32",), PIPELINE,
                      takes_inputs=False),
    "adm-64": Work("ADM-64, one step, batch 2", sides=SIDES),
    "glide-base": Work("U-Net of GLIDE's base, one step, batch 2, 128 tokens", sides=SIDES),
    "if-i-m": Work("DeepFloyd IF-I-M, one step, batch 2, 77 tokens", sides=SIDES),
    "start": Work("cold start to the first step, tiny model", ("float32",), ONE_WAY, "start", has_ceiling=False),
    "start-sd15": Work("cold start to the first step, Stable Diffusion 1.5", ("float16",), ONE_WAY, "start-sd15",
                       has_ceiling=False),
    "sd15-open": Work("opening the SD1.5 U-Net's checkpoint", ("bfloat16",), ONE_WAY, folder="sd15-unet-half",
                      takes_inputs=False, has_ceiling=False),
    "sd15-unet-memory": Work("SD1.5 U-Net, peak memory of a process", sides=SIDES, way="memory", of="sd15-unet",
                             unit="MiB", has_ceiling=False),
    "start-sd15-memory": Work("one picture of one step, Stable Diffusion 1.5, peak memory", ("float16",), ONE_WAY,
                              "memory-sd15", folder="start-sd15", unit="MiB", has_ceiling=False, is_usual=False),
} | {f"solver-{name}": solver(name) for name in ("euler", "heun", "lms", "dpmpp-2m", "euler-a")}


def beside(name):
    """A work beside one process that keeps a processor busy, and alone in the same rounds."""
    work = WORKS[name]
    dtypes = tuple(dtype for dtype in work.dtypes if dtype != SPLIT)
    sides = {peer: sides if peer == "eager" else () for peer, sides in work.sides.items()}
    return replace(work, description=f"{work.description}, beside one busy process", dtypes=dtypes, sides=sides, of=name,
                   busy=1, has_ceiling=False)


WORKS |= {f"{name}-busy": beside(name) for name in ("tiny-1000", "ddpm-cifar-train", "sd15-unet")}
# How far what a side leaves may be from diffusers' in eager float32, relative, in root mean squares.
LIMITS = {"float32": 1e-3, SPLIT: 1e-3, "bfloat16": 2e-2}


def element_type(dtype):
    """What numbers are on both sides of a row of a type."""
    return "float32" if dtype == SPLIT else dtype
