"""What programs write into pictures: texts in PNG, JPEG and WebP as AUTOMATIC1111, ComfyUI and InvokeAI leave them.

    picture_texts.py --out FOLDER --seed N        writes small pictures by Pillow, and what they say
    picture_texts.py --program P --seed N         compares what `inspect` finds in drawn ones, and what Pillow finds in
                                                  pictures of `generate` (with the model that comes with the program)
"""
import argparse
import io
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

USER_COMMENT, EXIF_DIRECTORY, MAKE, MODEL = 0x9286, 0x8769, 0x10F, 0x110
WORDS = ["a cat", "rote Äpfel", "snow: deep, white", "猫", "(masterpiece:1.2)", "line\nbreak", "\"quoted\" words", "Steps: none"]
SAMPLERS = {"AUTOMATIC1111": ["DPM++ 2M", "Euler a", "DDIM"], "ComfyUI": ["dpmpp_2m", "euler_ancestral"],
            "InvokeAI": ["dpmpp_2m_k", "euler_a"]}


def settings(draw, program):
    words = [str(w) for w in draw.choice(WORDS, 4)]
    return {
        "program": program, "prompt": ", ".join(words[:2]), "negative_prompt": ", ".join(words[2:]) if draw.random() < 0.7 else "",
        "steps": int(draw.integers(1, 100)), "sampler": str(draw.choice(SAMPLERS[program])),
        "seed": int(draw.integers(0, 2**32)) if program != "ComfyUI" else int(draw.integers(2**63, 2**64, dtype=np.uint64)),
        "guidance": float(draw.choice([1.0, 4.5, 7.0, 12.25])), "model": str(draw.choice(["plain", "with, comma", "v1-5"])),
    }


def parameters(s):
    model = json.dumps(s["model"]) if "," in s["model"] else s["model"]
    lines = [s["prompt"]] + ([f"Negative prompt: {s['negative_prompt']}"] if s["negative_prompt"] else [])
    return "\n".join(lines + [
        f"Steps: {s['steps']}, Sampler: {s['sampler']}, Schedule type: Karras, CFG scale: {s['guidance']:g}, Seed: {s['seed']}, "
        f"Size: 8x6, Model hash: 6ce0161689, Model: {model}, Version: v1.9.4"])


def graph(s, draw):
    """A graph with the texts one node away, or two; by KSampler, or by SamplerCustomAdvanced."""
    nodes = {
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": s["model"]}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 8, "height": 6, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": s["prompt"], "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": s["negative_prompt"], "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}, "is_changed": [float("nan")]},
    }
    if draw.random() < 0.5:
        nodes["20"] = {"class_type": "PrimitiveString", "inputs": {"value": s["prompt"]}}
        nodes["6"]["inputs"]["text"] = ["20", 0]
    if draw.random() < 0.5:
        nodes["3"] = {"class_type": "KSampler", "inputs": {
            "seed": s["seed"], "steps": s["steps"], "cfg": s["guidance"], "sampler_name": s["sampler"], "scheduler": "karras",
            "denoise": 1, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}}
        # A second pass at another size.
        nodes["2"] = {"class_type": "KSampler", "inputs": {**nodes["3"]["inputs"], "steps": 7, "latent_image": ["3", 0]}}
    else:
        nodes["9"] = {"class_type": "RandomNoise", "inputs": {"noise_seed": s["seed"]}}
        nodes["10"] = {"class_type": "CFGGuider", "inputs": {"cfg": s["guidance"], "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0]}}
        nodes["11"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": s["sampler"]}}
        nodes["12"] = {"class_type": "BasicScheduler", "inputs": {"steps": s["steps"], "scheduler": "simple", "model": ["4", 0]}}
        nodes["3"] = {"class_type": "SamplerCustomAdvanced", "inputs": {
            "noise": ["9", 0], "guider": ["10", 0], "sampler": ["11", 0], "sigmas": ["12", 0], "latent_image": ["5", 0]}}
    return json.dumps(nodes)


def invoke(s):
    return json.dumps({
        "positive_prompt": s["prompt"], "negative_prompt": s["negative_prompt"], "width": 8, "height": 6, "seed": s["seed"],
        "cfg_scale": s["guidance"], "steps": s["steps"], "scheduler": s["sampler"], "model": {"name": s["model"], "hash": "blake3:00"}})


def picture(draw, program, form):
    s = settings(draw, program)
    image = Image.fromarray(draw.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    out = io.BytesIO()
    keyword, text = {"AUTOMATIC1111": lambda: ("parameters", parameters(s)), "ComfyUI": lambda: ("prompt", graph(s, draw)),
                     "InvokeAI": lambda: ("invokeai_metadata", invoke(s))}[program]()
    if form == "png":
        info = PngInfo()
        (info.add_itxt if draw.random() < 0.5 else info.add_text)(keyword, text)
        image.save(out, form, pnginfo=info)
    else:
        exif = Image.Exif()
        if program == "AUTOMATIC1111":
            exif.get_ifd(EXIF_DIRECTORY)[USER_COMMENT] = b"UNICODE\0" + text.encode("utf-16-be")
        else:
            exif[MODEL] = f"prompt:{text}"
            exif[MAKE] = "workflow:{}"
        image.save(out, form, exif=exif)
    return out.getvalue(), s


FORMS = [("AUTOMATIC1111", "png"), ("AUTOMATIC1111", "jpeg"), ("AUTOMATIC1111", "webp"), ("ComfyUI", "png"), ("ComfyUI", "webp"),
         ("InvokeAI", "png")]


def inspect(program, path):
    return json.loads(subprocess.run([program, "inspect", path, "--json"], check=True, capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    parser.add_argument("--program")
    parser.add_argument("--cases", type=int, default=30)
    options = parser.parse_args()
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        for index, (program, form) in enumerate(FORMS * 2):
            data, found = picture(np.random.default_rng([options.seed, index]), program, form)
            name = os.path.join(options.out, f"{index:02d}.{form}")
            with open(name, "wb") as file:
                file.write(data)
            with open(os.path.join(options.out, f"{index:02d}.json"), "w", encoding="utf-8") as file:
                json.dump(found, file, ensure_ascii=False)
    if not options.program:
        return
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in range(options.cases):
            program, form = FORMS[case % len(FORMS)]
            data, expected = picture(np.random.default_rng([options.seed, case]), program, form)
            path = os.path.join(folder, f"case.{form}")
            with open(path, "wb") as file:
                file.write(data)
            found = inspect(options.program, path)
            bad = [key for key, value in expected.items() if found.get(key) != value]
            wrong += bool(bad)
            for key in bad:
                print(f"case {case}, {program} in {form}: {key} is {found.get(key)!r}, not {expected[key]!r}")
        for form in ("png", "jpg", "webp"):
            path = os.path.join(folder, f"made.{form}")
            prompt = "red apple, äpfel 猫"
            subprocess.run([options.program, "generate", prompt, "--steps", "2", "--seed", str(options.seed), "-o", path],
                           check=True, capture_output=True)
            image = Image.open(path)
            image.load()
            if form == "png":
                texts = image.text
            else:
                exif = image.getexif()
                comment = exif.get_ifd(EXIF_DIRECTORY)[USER_COMMENT]
                texts = {"parameters": comment[8:].decode("utf-16-be"), "langevin": exif[0x10E].split(":", 1)[1]}
            receipt = json.loads(texts["langevin"].encode("latin-1", "ignore").decode("utf-8", "ignore") if form != "png" else texts["langevin"])
            bad = not texts["parameters"].startswith(prompt) or receipt["seed"] != options.seed
            wrong += bad
            if bad:
                print(f"{form} by this program: Pillow finds {texts}")
    print(f"{options.cases + 3 - wrong} of {options.cases + 3} agree")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
