"""The peers' side of the benchmarks: one work in one way, in one process that is told when to run.

    python peers.py WORK SIDE [--dtype float32|bfloat16] [--folder FOLDER] [--output FILE]

SIDE is `eager`, `compiled` or `frozen` (torch.compile, and the same with constant weights folded in) followed by
`-nchw` or `-channels-last`, or `openvino`. FOLDER is what `prepare.py` wrote. The work is done once, what it leaves goes
to FILE; then the process prints `ready`, and for each line on standard input does the work again and prints its
milliseconds. It ends with code 3 and a sentence where a peer is not installed or cannot do the work.
"""
import argparse
import contextlib
import os
import sys
import time

THREADS = int(os.environ.get("LANGEVIN_THREADS", "2"))
os.environ["OMP_NUM_THREADS"] = str(THREADS)
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import load_file, save_file

from networks import NETWORKS, laid_out


class Unable(Exception):
    pass


def given(spec, folder):
    """The inputs of a work, in the order of its call."""
    tensors = load_file(os.path.join(folder, "inputs.safetensors"))
    return tuple(tensors[name] for name in spec.inputs())


def compiled(module, way):
    if way == "eager":
        return module
    import torch._inductor.config as inductor
    inductor.freezing = way == "frozen"
    return torch.compile(module, dynamic=False)


def forward(work, way, layout, dtype, folder):
    spec = NETWORKS[work]
    module = compiled(spec.module(laid_out(spec.loaded(os.path.join(folder, "weights"), dtype), layout)), way)
    inputs = [laid_out(value.to(dtype) if value.is_floating_point() else value, layout) for value in given(spec, folder)]

    def run():
        with torch.no_grad():
            return module(*inputs)
    return run


def train(work, way, layout, dtype, folder):
    """Weights and optimizer in float32; with bfloat16 the arithmetic is cast, as PyTorch's users do."""
    spec = NETWORKS[work]
    if way == "frozen":
        raise Unable("what is trained is not constant")
    network = laid_out(spec.loaded(os.path.join(folder, "weights")), layout).train()
    module = compiled(spec.module(network).train(), way)
    inputs = [laid_out(value, layout) for value in given(spec, folder)]
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    cast = contextlib.nullcontext if dtype == torch.float32 else lambda: torch.autocast("cpu", dtype)

    def run():
        optimizer.zero_grad(set_to_none=True)
        with cast():
            loss = spec.loss(module, *inputs)
        loss.backward()
        optimizer.step()
        return spec.gradient(network)
    return run


def thousand(work, way, layout, dtype, folder):
    spec = NETWORKS[work]
    if way == "frozen" or dtype != torch.float32:
        raise Unable("the pipeline is run in float32, not frozen")
    network = laid_out(spec.loaded(os.path.join(folder, "weights")), layout)
    pipeline = spec.pipeline(network)
    if way == "compiled":
        network.compile(dynamic=False)
    left = []

    def run():
        # The first pictures are drawn as ours are, to be compared; the timed ones as users draw them.
        if not left:
            left.append(spec.pictures(pipeline))
            return left[0]
        pipeline(batch_size=16, generator=torch.Generator().manual_seed(0), num_inference_steps=1000, output_type="np")
    return run


def openvino(work, dtype, folder):
    try:
        import openvino
    except ImportError:
        raise Unable("openvino is not installed")
    if work in ("ddpm-cifar-train", "tiny-1000"):
        raise Unable("OpenVINO is given networks alone")
    spec, path = NETWORKS[work], os.path.join(folder, f"openvino-{openvino.__version__[:8]}.xml")
    inputs = given(spec, folder)
    if not os.path.exists(path):
        with torch.no_grad():
            model = openvino.convert_model(spec.module(spec.loaded(os.path.join(folder, "weights"))),
                                           example_input=inputs, input=[tuple(value.shape) for value in inputs])
        part = os.path.join(folder, "openvino-part.xml")
        openvino.save_model(model, part, compress_to_fp16=False)
        os.replace(part[:-4] + ".bin", path[:-4] + ".bin")
        os.replace(part, path)
    model = openvino.Core().compile_model(path, "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": THREADS,
        "INFERENCE_PRECISION_HINT": {torch.float32: "f32", torch.bfloat16: "bf16"}[dtype]})
    request, arrays = model.create_infer_request(), [value.numpy() for value in inputs]
    return lambda: torch.from_numpy(request.infer(arrays)[0])


def opening(work, way, layout, dtype, folder):
    if way != "eager":
        raise Unable("a folder is opened once, not compiled")
    from diffusers import UNet2DConditionModel

    def run():
        UNet2DConditionModel.from_pretrained(os.path.join(folder, "weights"), torch_dtype=dtype)
    return run


def prepared(work, side, dtype, folder):
    if work.startswith("solver-"):
        from solvers import solver
        return solver(work)
    if side == "openvino":
        return openvino(work, dtype, folder)
    way, _, layout = side.partition("-")
    works = {"ddpm-cifar-train": train, "tiny-1000": thousand, "sd15-open": opening}
    return works.get(work, forward)(work, way, layout, dtype, folder)


def serve(options):
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    run = prepared(options.work, options.side, getattr(torch, options.dtype), options.folder)
    left = run()
    if options.output and left is not None:
        save_file({"output": left.detach().float().contiguous()}, options.output)
    del left
    print("ready", flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        run()
        print(f"{(time.perf_counter() - begun) * 1e3:.3f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work")
    parser.add_argument("side")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--folder")
    parser.add_argument("--output")
    try:
        serve(parser.parse_args())
    except Unable as reason:
        print(f"peers: {reason}", file=sys.stderr)
        sys.exit(3)
