"""Bad models: configurations, tokenizers, weights, single files, analytic models, and prompts (see badinput_campaign.py)."""
import inspect
import json
import struct

import diffusers
import numpy

import headers as edge
import scheduler_draws
from badinput_cases import Case, chosen
from badinput_mutations import (FORGED, TEXT_WORDS, TEXTS, changed_bytes, changed_json, changed_text, changed_tree, dumped,
                                value)
from badinput_stock import FILES, PLAIN, PROMPTED, json_of
from common import Draw

SCHEDULERS = sorted(name for name in dir(diffusers) if name.endswith("Scheduler") and isinstance(getattr(diffusers, name), type)
                    and name != "ScoreSdeVpScheduler")
# The flags of each class with their defaults, and the words that some take.
FLAGS = {name: {key: parameter.default for key,
                parameter in inspect.signature(getattr(diffusers, name).__init__).parameters.items()
                if key not in ("self", "args", "kwargs")} for name in SCHEDULERS}
SCHEDULER_KEYS = sorted({key for flags in FLAGS.values() for key in flags})
WORDS = {
    "beta_schedule": ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace", "exp"],
    "prediction_type": ["epsilon", "sample", "v_prediction", "flow_prediction"],
    "timestep_spacing": ["leading", "trailing", "linspace"],
    "variance_type": ["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", "learned", "learned_range"],
    "solver_type": ["midpoint", "heun", "logrho", "bh1", "bh2"],
    "algorithm_type": ["dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++", "data_prediction"],
    "final_sigmas_type": ["zero", "sigma_min"], "time_shift_type": ["exponential", "linear"],
    "sigma_schedule": ["karras", "exponential"],
    "timestep_type": ["discrete", "continuous"], "interpolation_type": ["linear", "log_linear"]}
REALS = [0.0, 1e-6, 1e-3, 0.1, 0.5, 0.999, 0.9999, 1.0, 1.5, 3, 14.6, 80, 1e3, 1e6, -0.1, -1, 1e-20, 1e20, 5e-324, 1e300]
WHOLES = [0, 1, 2, 3, 4, 5, 7, 10, 24, 50, 100, 999, 1000, 1001, 2000, 10_000, 100_000, 1_000_000, -1, 2**31, 2**53]
SOLVERS = ["ddpm", "ddim", "plms", "euler", "heun", "dpm2", "lms", "unipc", "deis", "ipndm", "edm", "consistency", "lcm", "tcd",
           "dpm-single", "dpmpp-single", "euler-a", "dpm2-a", "dpmpp-2m", "dpmpp-2s-a", "dpmpp-sde", "dpmpp-2m-sde",
           "dpmpp-3m-sde", "sa-solver", "flow-euler", "flow-heun", "euler-maruyama", "predictor-corrector"]
GRIDS = ["leading", "trailing", "linspace", "karras", "exponential", "polyexponential", "beta", "sgm-uniform", "ays", "shifted"]
# What a part's weights are now and then in the wild: what was fetched in their place.
STRANGERS = [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n",
             b"<!DOCTYPE html><html></html>", b'{"error":"Repository not found"}', b"\x80\x02}q\x00.",
             b"PK\x05\x06" + b"\0" * 18, b"Entry not found", b"\0" * 100, b"../../blobs/abc"]


def served(random, base, room, output=None):
    """The base's own command, `inspect` or `convert` of its model."""
    kind = chosen(random, own=6, inspect=3, convert=1)
    if kind == "inspect":
        more = random.choice([[], ["--json"], ["--json"], ["--depth", "2"], ["--names", "original"]])
        return Case(["inspect", base.model, *more], measured=True)
    if kind == "convert":
        return Case(["convert", base.model, "converted", *random.choice([[], [], ["--dtype", "float16"]])], output="converted")
    output = output or random.choice(["out.png", "out.png", "out.safetensors", "out.webp"])
    return Case([*base.words, "-o", output], output=output)


def any_base(random, stock, kinds=PROMPTED + PLAIN):
    return stock.base(random.choice(kinds))


# --- configurations ------------------------------------------------------------------------------------------------


def configuration(random, room, stock):
    base = any_base(random, stock)
    room.link(base.folder)
    files = [name for name in base.files(".json") if "tokenizer" not in name]
    name = random.choice([file for file in files if "scheduler" in file] if random.random() < 0.4 else files)
    if "scheduler" in name:
        return scheduler(random, room, base, name)
    keys = list(json.loads(room.read(random.choice(files))))
    room.write(name, changed_json(random, room.read(name), keys))
    if random.random() < 0.15:
        for weights in base.files(".safetensors"):
            if weights.startswith(name.rsplit("/", 1)[0]):
                room.remove(weights)
    return served(random, base, room)


def scheduler(random, room, base, name):
    """Another class, other flags, or both; half of the time any solver and grid over them."""
    tree = changed_scheduler(random, json.loads(room.read(name)))
    room.write(name, dumped(tree))
    case = served(random, base, room)
    if case.words[0] in ("sample", "generate") and "--solver" not in case.words and random.random() < 0.4:
        case.words += ["--solver", random.choice(SOLVERS)]
        case.words += ["--grid", random.choice(GRIDS)] if random.random() < 0.5 else []
    return case


def changed_scheduler(random, tree):
    """Another class, flags of the class with values of their types, or any change."""
    kinds = [name for name in scheduler_draws.DRAWN if name in FLAGS]
    if "_class_name" in tree and random.random() < 0.35:
        tree["_class_name"] = random.choice(kinds if random.random() < 0.9 else SCHEDULERS)
    own = FLAGS.get(tree.get("_class_name"), {key: value for key, value in tree.items() if key != "kind"})
    kind = random.random()
    if kind < 0.8 and own:
        for _ in range(random.choice([1, 1, 2, 3])):
            key = random.choice(sorted(own))
            tree[key] = flag(random, key, own[key], tree.get(key))
    return changed_tree(random, tree, sorted(own)) if kind > 0.7 else tree


def flag(random, key, default, now):
    """A value of the type that a flag has, nearly always."""
    if random.random() < 0.04:
        return value(random)
    if key in WORDS:
        return random.choice(WORDS[key])
    if key == "trained_betas":
        return [random.choice([0.01, 0.02, 0.1, 0.999, 0.0, 1e-9])] * random.choice([1, 4, 50, 1000])
    kind = type(default if default is not None and default is not inspect.Parameter.empty else now)
    if kind is bool:
        return not now if random.random() < 0.7 else random.random() < 0.5
    if kind is float or key.startswith(("sigma", "beta", "rho", "lambda")):
        return random.choice(REALS)
    return random.choice(WHOLES if kind is int else REALS + WHOLES)


def analytic(random, room, stock):
    tree = stock.analytic(Draw(stock.seed, f"analytic/{random.getrandbits(40)}"))
    if random.random() < 0.65:
        tree["schedule"] = changed_scheduler(random, tree["schedule"])
        content = dumped(tree)
    else:
        content = changed_json(random, json_of(tree))
    room.write("model.json", content)
    if random.random() < 0.15:
        return Case(["inspect", "analytic:model.json", *random.choice([[], ["--json"]])], measured=True)
    words = ["sample", "analytic:model.json", "--steps", random.choice(["1", "4", "9"]), "--count", "3", "-o", "out.safetensors"]
    words += ["--solver", random.choice(SOLVERS)] if random.random() < 0.4 else []
    words += ["--grid", random.choice(GRIDS)] if random.random() < 0.3 else []
    words += ["--dtype", "float64"] if random.random() < 0.5 else []
    return Case(words, output="out.safetensors")


# --- tokenizers and prompts ----------------------------------------------------------------------------------------


def tokenizer(random, room, stock):
    base = any_base(random, stock, PROMPTED)
    room.link(base.folder)
    name = random.choice([file for file in base.files("") if "tokenizer" in file])
    content = room.read(name)
    if name.endswith(".json"):
        other = json.loads(content)
        content = changed_json(random, content, list(other)[:50] if isinstance(other, dict) else ())
    elif random.random() < 0.1:
        content = random.choice(STRANGERS)
    else:
        content = changed_text(random, content) if name.endswith(".txt") else changed_bytes(random, content)
    room.remove(name) if random.random() < 0.03 else room.write(name, content)
    output = random.choice(["out.png", "out.safetensors"])
    case = Case([*base.words, "-o", output], output=output)
    if random.random() < 0.4:
        case.words[1] = prompt_text(random)
    return case


def prompt_text(random):
    """A word of a command line: from the list, or of letters from anywhere in Unicode."""
    if random.random() < 0.3:
        word = random.choice(TEXT_WORDS)
        return word.replace(b"\0", b" ") if isinstance(word, bytes) else word.replace("\0", " ")
    letters = []
    for _ in range(random.choice([1, 3, 10, 40, 200])):
        kind = random.random()
        high = 0x7F if kind < 0.3 else 0x3FF if kind < 0.5 else 0xFFFF if kind < 0.8 else 0x10FFFF
        code = random.randint(1, high)
        letters.append(" " if 0xD800 <= code < 0xE000 else chr(code))
        if random.random() < 0.2:
            letters.append(random.choice(["(", ")", "[", "]", ":1.1", ":", " ", "<", ">", "\u0301", "\u200d", "\\", "AND", "|"]))
    return "".join(letters) * random.choice([1, 1, 1, 1, 30])


def prompt(random, room, stock):
    base = any_base(random, stock, PROMPTED)
    room.link(base.folder)
    words = list(base.words)
    words[1] = prompt_text(random)
    if random.random() < 0.5:
        if "--negative-prompt" in words:
            at = words.index("--negative-prompt")
            del words[at:at + 2]
        words += ["--negative-prompt",
                  prompt_text(random)] if random.random() < 0.5 else [b"--negative-prompt=" + as_bytes(prompt_text(random))]
    words += ["--prompt-weights"] if random.random() < 0.5 else []
    if words[1][:1] in ("-", b"-") and random.random() < 0.7:
        words = [words[0], *words[2:], "--", words[1]]
        return Case([*words[:-2], "-o", "out.png", *words[-2:]], output="out.png")
    return Case([*words, "-o", "out.png"], output="out.png")


def as_bytes(word):
    return word if isinstance(word, bytes) else word.encode(errors="surrogatepass")


# --- weights -------------------------------------------------------------------------------------------------------


def split(content):
    """The header of a safetensors file as a tree, and its data."""
    length, = struct.unpack_from("<Q", content)
    return json.loads(content[8:8 + length]), content[8 + length:]


def changed_file(random, content, names=()):
    """A safetensors file with a change of its header, of one tensor's facts, of its data or of its bytes."""
    kind = chosen(random, header=4, fact=6, data=2, bytes=3, stranger=1)
    if kind == "stranger":
        return random.choice(STRANGERS)
    if kind == "bytes":
        return changed_bytes(random, content)
    header, data = split(content)
    if kind == "header":
        return edge.file(dumped(changed_tree(random, header)), data)
    if kind == "data":
        values = numpy.frombuffer(data[:len(data) // 4 * 4], "<f4").copy()
        infinity = float("inf")
        for _ in range(random.choice([1, 10, 1000])):
            values[random.randrange(len(values))] = random.choice([float("nan"), infinity, -infinity, 3e38, -3e38, 1e20, 1e-45,
                                                                   65520])
        return edge.file(header, values.tobytes() + data[len(values) * 4:])
    for _ in range(random.choice([1, 1, 1, 3])):
        header, data = changed_fact(random, header, data, names)
    return edge.file(dumped(header), data)


def changed_fact(random, header, data, names):
    """Consistent files: a tensor has another name, shape or type, is missing, or there is one more."""
    header = {key: dict(fact) if isinstance(fact, dict) else fact for key, fact in header.items()}
    keys = [key for key in header if key != "__metadata__" and "data_offsets" in header[key]]
    if not keys:
        return header, data
    key, kind = random.choice(keys), random.randrange(8)
    fact, size = header[key], header[key]["data_offsets"][1] - header[key]["data_offsets"][0]
    if kind == 0:
        name = random.choice([key + "x", key[1:], "model." + key, key.replace(".", "_"), random.choice(TEXTS), *names])
        header = {name if own == key else own: value for own, value in header.items()}
    elif kind == 1:
        fact["shape"] = random.choice([fact["shape"][::-1], [int(numpy.prod(fact["shape"]))], [1, *fact["shape"]],
                                       [*fact["shape"], 1]])
    elif kind == 2:
        other, width = random.choice([("F16", 2), ("BF16", 2), ("F64", 8), ("I32", 4), ("U8", 1), ("I8", 1), ("F8_E4M3", 1),
                                      ("F8_E5M2", 1),
                                      ("BOOL", 1), ("I64", 8), ("F32", 4), ("C64", 8), ("F8_E8M0", 1), ("F4", 1)])
        header, data = retyped(header, data, key, other, [size // width])
    elif kind == 3:
        header, data = without(header, data, key)
    elif kind <= 5:
        name = random.choice([*names, "extra.weight", random.choice(TEXTS), key + ".scale_weight",
                              FORGED]) if random.random() < 0.9 else ""
        shape = random.choice([[], [1], [0], [2, 3], [0, 10**9]])
        count = int(numpy.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * count]}
        data += struct.pack("<f", random.choice([0.0, 1.0, float("nan")])) * count
    elif kind == 6:
        header["__metadata__"] = random.choice([{"format": random.choice(["tf", "pt", "mlx", FORGED])},
                                                {random.choice(TEXTS): "x"}, {}, value(random)])
    else:
        other = header[random.choice(keys)]
        fact["shape"], other["shape"] = other["shape"], fact["shape"]
    return header, data


def without(header, data, key):
    begin, end = header[key]["data_offsets"]
    data = data[:begin] + data[end:]
    moved = {own: {**fact, "data_offsets": [place - (end - begin) if place >= end else place for place in fact["data_offsets"]]}
             if own != "__metadata__" else fact for own, fact in header.items() if own != key}
    return moved, data


def retyped(header, data, key, name, shape):
    """The tensor at the end of the file, with as many bytes as its new type needs."""
    begin, end = header[key]["data_offsets"]
    kept = data[begin:end]
    header, data = without(header, data, key)
    header[key] = {"dtype": name, "shape": shape, "data_offsets": [len(data), len(data) + len(kept)]}
    return header, data + kept


def weights(random, room, stock):
    """A part's weights are damaged, other ones, missing, in shards, or of a variant."""
    base = any_base(random, stock)
    room.link(base.folder)
    files = [name for name in base.files(".safetensors") if "/" in name and not name.startswith("config")]
    name = random.choice(files)
    kind = chosen(random, change=8, remove=1, exchange=1, shards=3, variant=1)
    case = served(random, base, room)
    if kind == "change":
        room.write(name, changed_file(random, room.read(name)))
    elif kind == "remove":
        room.remove(name)
    elif kind == "exchange":
        room.write(name, room.read(random.choice(files)))
    elif kind == "shards":
        shards(random, room, name)
    else:
        head, tail = name.rsplit(".", 1)
        room.write(f"{head}.fp16.{tail}", changed_file(random, room.read(name)))
        if case.words[0] in ("generate", "convert"):
            case.words += ["--variant", random.choice(["fp16", "fp16", "ema", *TEXTS[:6]]).replace("\0", " ")]
    return case


def shards(random, room, name):
    """Two shards and an index of which something is changed."""
    header, data = split(room.read(name))
    keys = [key for key in header if key != "__metadata__"]
    head = name.removesuffix(".safetensors")
    short = head.rsplit("/", 1)[1]
    halves, index = (keys[::2], keys[1::2]), {"metadata": {"total_size": len(data)}, "weight_map": {}}
    for number, half in enumerate(halves, 1):
        part, content = {}, b""
        for key in half:
            begin, end = header[key]["data_offsets"]
            part[key] = {**header[key], "data_offsets": [len(content), len(content) + end - begin]}
            content += data[begin:end]
            index["weight_map"][key] = f"{short}-{number:05d}-of-00002.safetensors"
        content = edge.file(part, content)
        room.write(f"{head}-{number:05d}-of-00002.safetensors",
                   changed_file(random, content) if random.random() < 0.2 else content)
    room.remove(name)
    content = json_of(index)
    if random.random() < 0.3:
        places = ["../x", "/etc/passwd", "absent.safetensors", FORGED, short + "-00001-of-00002.safetensors", ""]
        index["weight_map"][random.choice(keys)] = random.choice(places)
        content = json_of(index)
    elif random.random() < 0.6:
        content = changed_json(random, content)
    room.write(f"{head}.safetensors.index.json", content)


# --- single files --------------------------------------------------------------------------------------------------


MARKS = ["v_pred", "ztsnr", "edm_mean", "edm_std", "edm_vpred.sigma_max", "global_step", "epoch",
         "embedding_manager.embedder.position_ids", "betas", "alphas_cumprod", "model_ema.decay", "model_ema.num_updates",
         "logit_scale", "cond_stage_model.transformer.text_model.embeddings.position_ids", "first_stage_model.loss.logvar",
         "model.diffusion_model.extra", "lora_unet_x.alpha", "scale_factor", "spatial_conv.weight", "scaled_fp8"]


def checkpoint(random, room, stock):
    base = any_base(random, stock, FILES)
    room.link(base.folder)
    if random.random() < 0.75:
        room.write("model.safetensors", changed_file(random, room.read("model.safetensors"), MARKS))
    else:
        files = [name for name in base.files(".json", ".txt", ".model") if name.startswith("config")]
        name = random.choice(files)
        room.write(name, changed_json(random, room.read(name), SCHEDULER_KEYS if "scheduler" in name else ()))
    kind = chosen(random, own=5, convert=4, inspect=3)
    if kind == "own":
        words = [*base.words, "-o", "out.png"]
        if random.random() < 0.1:
            at = words.index("--config")
            del words[at:at + 2]
        return Case(words, output="out.png")
    if kind == "convert":
        more = random.choice([[], [], ["--allow-strays"], ["--ema"], ["--dtype", "float16"], ["--dtype", "float64"]])
        config = ["--config", "config"] if random.random() < 0.85 else []
        output = random.choice(["converted", "converted", "converted.safetensors"])
        return Case(["convert", "model.safetensors", output, *config, *more], output=output)
    return Case(["inspect", "model.safetensors", *random.choice([[], ["--json"], ["--depth", "3"], ["--names", "original"]])],
                measured=True)
