"""Bad recipes, overrides and run folders (see badinput_campaign.py)."""
import json
import re
import shutil

import yaml

from badinput_cases import Case, chosen
from badinput_models import REALS, WHOLES, changed_file
from badinput_mutations import ESCAPE, FORGED, NUMBERS, TEXTS, changed_json, changed_text, changed_tree
from badinput_stock import RECIPE

# Keeps a served run short, whatever the recipe asks for.
SHORT = [word for change in ("training.steps=2", "training.batch_size=4", "training.gradient_accumulation=1",
                             "evaluation.steps=2", "evaluation.count=10", "diffusion.train_steps=50", "training.sample_every=0",
                             "training.threads=1")
         for word in ("--set", change)]
# YAML that few write by hand: anchors, merges, tags, documents, keys of any kind, numbers in other bases.
PIECES = ["a: &a [1]\nb: *a\n", "x: &x\n  <<: *x\n", "<<: {seed: 1}\n", "seed: &s 1\nmodel:\n  in_channels: *s\n",
          "? [a, b]\n: 1\n", "? {a: 1}\n: 2\n", "!!python/object:os.system x\n", "seed: !!int '1'\n", "seed: !!float 1\n",
          "seed: !!binary aGVsbG8=\n", "seed: !x 1\n", "seed: 0o17\n", "seed: 0x1F\n", "seed: 1_000\n", "seed: 1:30:00\n",
          "seed: 1e3\n", "seed: .inf\n", "seed: -.INF\n", "seed: .NaN\n", "seed: 2001-12-14t21:59:43.10-05:00\n", "seed: ~\n",
          "seed:\n", "seed: yes\n", "seed: |\n  1\n", "seed: >-\n  1\n", "seed: \"\\x1b[2J\"\n", "seed: \"\\ud800\"\n",
          "seed: \"\\U0001F600\"\n", "seed: '\n'\n", "---\nseed: 1\n---\nseed: 2\n", "%YAML 1.2\n---\nseed: 1\n",
          "%YAML 9.9\n---\nseed: 1\n", "%TAG ! tag:x,2000:\n---\nseed: 1\n", "seed: 1 # \x1b[2J\n", "seed: 1\n...\n",
          "\ufeffseed: 1\n", "seed: 1\r\n", "seed:\t1\n", "\tseed: 1\n", "seed: [1, 2\n", "seed: {a: 1\n", "seed: \"1\n",
          "- seed\n", "seed: 1\nseed: 2\n", "seed : 1\n", "\x1b[2J: 1\n", "\"a\\nerror: lost\": 1\n", "\"\\0\": 1\n", "1: 1\n",
          "null: 1\n", "true: 1\n", "'': 1\n", "seed: 99999999999999999999999\n", "seed: -1\n", "seed: 1e400\n",
          "seed: 0.1e-999\n", "model: &m {kind: unet2d}\ndata: *m\n", "training: *unknown\n", "&a &b seed: 1\n", "seed: *\n",
          "!<tag:yaml.org,2002:map> {seed: 1}\n", "seed: @x\n", "seed: `x`\n", "seed: %x\n", "[" * 400, "{a: " * 400, "- " * 400,
          "a: " * 200, "&a [" * 100 + "*a" + "]" * 100]


def laughs(random):
    """Aliases of aliases: few bytes that stand for many values, in a place that is read or in one that is not."""
    depth, width = random.choice([(3, 2), (9, 9), (30, 2), (60, 2), (7, 30)])
    head = random.choice(["lol", "seed", "model", "data", FORGED.split("\n")[0]])
    flow = random.random() < 0.5
    lines = ["a0: &a0 [x]" if flow else "a0: &a0 {x: 1}"]
    for level in range(1, depth):
        inner = ", ".join(f"*a{level - 1}" if flow else f"k{number}: *a{level - 1}" for number in range(width))
        lines.append(f"a{level}: &a{level} " + (f"[{inner}]" if flow else f"{{{inner}}}"))
    return "\n".join(lines) + f"\n{head}: *a{depth - 1}\n"


def recipe(random, room, stock):
    base = stock.run()
    room.link(base.folder)
    room.remove("run")
    kind = chosen(random, plausible=8, tree=6, text=5, piece=4, laughs=1)
    if kind in ("tree", "plausible"):
        tree = yaml.safe_load(RECIPE)
        keys = [*tree, *(key for section in tree.values() if isinstance(section, dict) for key in section), "attention_slicing",
                "act_fn", "dropout",
                "class_embed_type", "num_class_embeds", "time_embedding_type", "resnet_time_scale_shift", "add_attention",
                "flip", "size", "channels",
                "ema_decay", "precision", "memory_format", "device", "threads", "prefetch", "gradient_clip", "beta_start",
                "beta_end", "zero_terminal_snr"]
        tree = plain(changed_tree(random, tree, keys)) if kind == "tree" else plausible(random, tree)
        text = yaml.dump(tree, allow_unicode=random.random() < 0.5, default_flow_style=random.choice([None, False, True]),
                         sort_keys=False)
        content = text.replace("\\x02twice", "").encode(errors="surrogatepass")
    elif kind == "text":
        content = changed_text(random, RECIPE.encode())
    elif kind == "piece":
        piece = random.choice(PIECES) * random.choice([1, 1, 1, 1, 2, 30])
        lines = RECIPE.splitlines(keepends=True)
        at = random.choice([0, len(lines), random.randrange(len(lines))])
        content = random.choice([piece, "".join([*lines[:at], piece, *lines[at:]])]).encode(errors="surrogatepass")
    else:
        content = random.choice([laughs(random), RECIPE + laughs(random)]).encode()
    if is_large(content):
        # An empty section would stand twice.
        content = re.sub(rb"(?m)^model:[^\n]*$", b"", content)
        content += b"\nmodel: {block_out_channels: [4, 8], layers_per_block: 1, norm_num_groups: 2}\n"
    room.write("recipe.yaml", content)
    return Case(["train", "recipe.yaml", "--out", "made", *SHORT, *random.choice([[], [], ["--json"]])], output="made")


def is_large(content):
    """Whether a recipe names no sizes of its network: the usual one has 274 million parameters, which is served, slowly."""
    try:
        tree = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeDecodeError):
        return False
    return isinstance(tree, dict) and tree.get("model") is None and "data" in tree


MORE = {"training": {"ema_decay": 0.9, "precision": "float32", "memory_format": "contiguous", "prefetch": 2,
                     "gradient_clip": 1.0, "weight_decay": 0.1, "beta1": 0.9, "beta2": 0.9, "epsilon": 1e-8,
                     "checkpoint_activations": False},
        "diffusion": {"beta_start": 1e-4, "beta_end": 0.02, "zero_terminal_snr": False},
        "data": {"flip": False, "size": 8, "channels": 1}, "evaluation": {},
        "model": {"act_fn": "silu", "dropout": 0.1, "norm_eps": 1e-5, "resnet_time_scale_shift": "default",
                  "time_embedding_type": "positional", "downsample_padding": 1, "sample_size": 8}}


NAMES = ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "cosine", "v_prediction", "sample", "v", "score", "bfloat16",
         "channels_last", "scale_shift", "fourier", "gelu", "euler", "dpmpp-2m", "lms", "ddpm", "train", "all", "annotated",
         "unet2d", "idx",
         "folder", "digits.csv", "absent"]


def plausible(random, tree):
    """Values of the types that the keys have, some beyond what any of them may be."""
    for _ in range(random.choice([1, 1, 2, 3])):
        section, key, value = another(random, tree)
        tree[section][key] = value
    return tree


def another(random, tree):
    """A section, a key of it, and another value of the key's type."""
    section = random.choice(sorted(MORE))
    known = {**MORE[section], **tree[section]}
    key = random.choice(sorted(known))
    # Sides that are served, slowly, are not asked for.
    sides = [0, 1, 2, 3, 7, 8, 10, 16, -1, 9000, 2**31, 2**62]
    return section, key, random.choice(sides) if key in ("size", "sample_size") else like(random, known[key])


def like(random, now):
    """Another value of the type of this one."""
    if isinstance(now, bool):
        return not now
    if isinstance(now, list):
        return [random.choice(now)] * random.choice([0, 1, 2, 3])
    return random.choice(WHOLES[:16] + [-1, 2**31, 2**62] if isinstance(now, int) else REALS if isinstance(now, float) else NAMES)


def plain(node):
    """What YAML can write of a changed tree: literals become texts."""
    if isinstance(node, dict):
        return {key: plain(inner) for key, inner in node.items()}
    if isinstance(node, list):
        return [plain(inner) for inner in node]
    return getattr(node, "text", node)


VALUES = ["", " ", "x", "-1", "0", "1", "1.5", "nan", ".nan", "inf", ".inf", "-.inf", "1e400", "1e-400", "99999999999999999999",
          "2147483648", "1000000000000", "null", "~", "true", "yes", "[", "]", "{", "[1]", "[1,2]", "[4,8,16]", "[]", "{}",
          "{a: 1}", "[[1]]", "&a 1", "*a", "&a [*a]", "!!int 1", "!!binary eA==", "'", "\"", "\"\\x1b[2J\"", "# x", "|", ">",
          "-", "- 1", "?", "a: 1", "a\nb", FORGED, ESCAPE, "\u202e", "é" * 500, "x" * 5000, "%x", "@", "`", "\t", "1\n2", "0x1F",
          "0o7", "1_0", "1:2:3", "=", "a=b", "[" * 3000, "{" * 500, "[*a]" * 50, "cuda", "cuda:99", "cuda:x", "mps", "float16",
          "bfloat16", "float64", "/absent", "/dev/zero", "/dev/null", ".", "..", "\u2028", "٣", "1 2"]
MORE_KEYS = ["data.kind", "data.path", "data.size", "data.channels", "data.flip", "data.split", "model.kind", "model.act_fn",
             "model.norm_eps", "model.dropout", "model.sample_size", "model.time_embedding_type",
             "model.resnet_time_scale_shift", "model.mid_block_scale_factor", "training.device", "training.threads",
             "training.precision", "training.ema_decay", "training.gradient_clip", "training.prefetch", "diffusion.beta_start",
             "diffusion.beta_end", "diffusion.zero_terminal_snr", "seed.x", "seed", "data", "model", "", ".", "..", "a.b.c.d",
             "training.", ".steps", "training.steps.x", "Training.steps", "training steps", FORGED, ESCAPE, "é", "x" * 2000,
             "model.dim", "model.channels"]


def override(random, room, stock):
    base = stock.run()
    room.link(base.folder)
    room.remove("run")
    tree, changes = yaml.safe_load(RECIPE), []
    keys = MORE_KEYS + [f"{name}.{key}" for name, section in tree.items() if isinstance(section, dict) for key in section]
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        if random.random() < 0.45:
            section, key, value = another(random, tree)
            word = f"{section}.{key}={json.dumps(value)}"
        else:
            text = random.choice(VALUES) if random.random() < 0.8 else str(random.choice(NUMBERS))
            word = random.choice(keys) + random.choice(["="] * 20 + ["", " = ", "==", ":"]) + text
        changes += ["--set", word] if random.random() < 0.8 else ["--set=" + word]
    # What decides how long a run takes comes again, with a value of before, unless it was what was changed.
    changed = " ".join(changes)
    short = [word for at in range(0, len(SHORT), 2) for word in SHORT[at:at + 2]
             if heavy(changed) or SHORT[at + 1].split("=")[0] not in changed]
    whole = not heavy(changed) and random.random() < 0.1
    words = [word.replace("\0", " ") for word in [*changes, *([] if whole else short)]]
    return Case(["train", "recipe.yaml", "--out", "made", "--set", "training.steps=2", *words], output="made")


def heavy(text):
    """Whether a value is a size that would be served, slowly."""
    return any(f"={number}" in text for number in ("999", "1000", "1001", "2000", "65535", "65536", "1000000", "1000000000",
                                                   "2147483647", "2147483648"))


def run_folder(random, room, stock):
    """A run whose files are damaged: to go on with, to sample from, to look at."""
    base = stock.run()
    room.link(base.folder)
    # A run is appended to, which must not reach the good one.
    shutil.rmtree(room.place("run"))
    shutil.copytree(base.folder + "/run", room.place("run"))
    files = [name for name in base.files("") if name.startswith("run/") and not name.endswith(".png")]
    for name in random.sample(files, random.choice([1, 1, 1, 2, 3])):
        damage(random, room, name)
    use = chosen(random, resume=5, sample=3, inspect=2, convert=1, begin=1)
    if use in ("resume", "begin"):
        steps = random.choice([[], ["--set", "training.steps=3"], ["--set", "training.steps=3"],
                               ["--set", "training.batch_size=3"]])
        return Case(["train", "recipe.yaml", *(["--resume"] if use == "resume" else []), *steps], codes=(0, 2))
    if use == "sample":
        return Case(["sample", "run", "--steps", "2", "--class", "3", "-o", "out.png"], output="out.png")
    return Case(["inspect", "run", *random.choice([[], ["--json"]])] if use == "inspect" else ["convert", "run", "converted"],
                measured=use == "inspect")


def keys_of(content):
    """The keys of a JSON object; none where it is damaged already."""
    try:
        found = json.loads(content)
    except ValueError:
        return ()
    return list(found) if isinstance(found, dict) else ()


def damage(random, room, name):
    content, kind = room.read(name), random.random()
    if kind < 0.1:
        room.remove(name)
    elif kind < 0.15:
        room.remove(name)
        room.write(name + "/x", b"")
    elif kind < 0.2:
        room.write(name, random.choice([b"", b"\0" * 50, FORGED.encode(), random.choice(TEXTS).encode(errors="surrogatepass")]))
    elif name.endswith(".safetensors"):
        room.write(name, changed_file(random, content))
    elif name.endswith(".json"):
        room.write(name, changed_json(random, content, keys_of(content)))
    else:
        room.write(name, changed_text(random, content))
