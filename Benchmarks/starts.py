"""A user's script that opens a pipeline and begins, timed from exec: it imports no more than such a script would.

    python starts.py start FOLDER        opens a DDPMPipeline, takes one denoising step and leaves
    python starts.py start-sd15 FOLDER   opens a Stable Diffusion 1.5 in float16 and makes a picture of one step; prints
                                         `stepping` when the network is called for the first time
"""
import os
import sys

THREADS = int(os.environ.get("LANGEVIN_THREADS", "2"))
SIZE = int(os.environ.get("LANGEVIN_SD15_SIZE", "512"))


def start(folder):
    import torch
    from diffusers import DDPMPipeline
    torch.set_num_threads(THREADS)
    pipeline = DDPMPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    pipeline(batch_size=1, generator=torch.Generator().manual_seed(0), num_inference_steps=1, output_type="np")


def start_sd15(folder):
    import torch
    from diffusers import StableDiffusionPipeline
    torch.set_num_threads(THREADS)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float16)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet.register_forward_pre_hook(lambda *_: print("stepping", flush=True))
    pipeline("a photo of a cat", num_inference_steps=1, generator=torch.Generator().manual_seed(0), height=SIZE,
             width=SIZE, output_type="np")


if __name__ == "__main__":
    {"start": start, "start-sd15": start_sd15}[sys.argv[1]](sys.argv[2])
    os._exit(0)
