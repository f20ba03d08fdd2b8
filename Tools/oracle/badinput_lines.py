"""Bad command lines, streams, environments and places to write to (see badinput_campaign.py)."""
import json
import os

from badinput_cases import Case, chosen
from badinput_models import prompt_text
from badinput_mutations import ESCAPE, FORGED, NUMBER_WORDS, TEXT_WORDS, changed_bytes
from badinput_stock import PLAIN, PROMPTED
from starts import Manner

PATHS = ["", ".", "..", "/", "absent", "absent/x", "model", "model/", "./model", "model/model_index.json", "model_index.json",
         "image.png", "mask.png", "initial.safetensors", "x" * 255, "x" * 256, "x" * 5000, "a/" * 250 + "x", "a/" * 2500 + "x",
         "/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/proc/self/mem", "/proc/self/maps", "/proc/version",
         "/sys/kernel", "~", "-", FORGED, ESCAPE, "\u202e", "é", "e\u0301", "a b", "%d", "loop", "dangling", "org/name",
         "https://example.com/x", "file:///etc/passwd", "analytic:", "analytic:absent", "analytic:model", "x:y", "*", "$HOME",
         b"\xff", b"a\xffb.safetensors"]
# Places for output that lie in the room, or where nothing can be written.
OUTPUTS = ["", ".", "..", "/", "x", "x.xyz", "x.PNG", "x.png", "x.jpg", "x.jpeg", "x.webp", "x.safetensors", ".png", "-.png",
           "--x.png", "a b.png", "%d.png", "x-%d.png", "%05d.png", "%d/x.png", "d%d/x.png", "%d%d.png", "%s.png", "%.png",
           "%%.png", "%n.png", "%99999999d.png", "%0d.png", "%-5d.png", "x-%d.safetensors", "%d", "50%off/x.png", "50%",
           "absent/x.png", "absent/absent/x", "model", "model/x.png", "model/model_index.json", "model/model_index.json/x.png",
           "image.png", "mask.png", "x" * 251 + ".png", "x" * 252 + ".png", "x" * 300 + ".png", "é" * 130 + ".png",
           "a/" * 250 + "x.png", "a/" * 2500 + "x.png", "/dev/full", "/dev/null", "/dev/stdout", "/proc/x.png", "/proc/self/x",
           "/sys/x.png", "/dev/full/x.png", "loop", "loop/x.png", "dangling", "dangling.png", FORGED + ".png", ESCAPE + ".png",
           "\u202e.png", "folder", "folder/", "folder.png", "folder.png/", "x.png/", "./x.png", "folder/../x.png", "~",
           "~/x.png", b"\xff.png", b"a\xed\xa0\x80.png", "x.png ", " x.png", "nul\t.png"]
SHORT = {"generate": ["--steps", "2"], "sample": ["--steps", "2"]}


def options(stock):
    """The options of each command, as the program itself lists them: (name, takes a value, its values)."""
    def read():
        found = {}
        for command in json.loads(stock.help())["command"]["subcommands"]:
            found[command["commandName"]] = [
                (("--" if name["kind"] == "long" else "-") + name["name"], option["kind"] == "option",
                 option.get("allValues") or [])
                for option in command.get("arguments", []) for name in option.get("names", [])]
        return found
    return stock.once("options", read)


def furnished(room, base):
    """The base's files and a few places that lead nowhere."""
    room.link(base.folder)
    os.makedirs(room.place("folder"), exist_ok=True)
    os.makedirs(room.place("folder.png"), exist_ok=True)
    for name, target in {"loop": "loop", "dangling": "nowhere/x", "dangling.png": "nowhere.png"}.items():
        os.symlink(target, room.place(name))


def word_for(random, name, values):
    """A value for an option: mostly of the form that it takes, of which there are few that work."""
    kind = random.random()
    if name in ("-o", "--output", "--out", "--trajectory", "--preview", "--mask-out"):
        return random.choice(OUTPUTS)
    if values and kind < 0.35:
        return random.choice(values)
    if name in ("--model", "--refiner", "--config", "--initial", "--image", "--mask", "--preview-model", "--weights", "--inputs",
                "--against") and kind < 0.8:
        return random.choice(PATHS)
    if name in ("--negative-prompt", "--entry", "--variant") and kind < 0.8:
        return prompt_text(random)
    return random.choice(NUMBER_WORDS) if kind < 0.75 else random.choice(TEXT_WORDS)


def joined(name, value):
    return name.encode() + b"=" + (value if isinstance(value, bytes) else value.encode(errors="surrogatepass"))


def base_words(random, room, stock):
    """(command, words of a command that is served, and what it writes) with its files in the room."""
    kind = chosen(random, generate=10, sample=6, inspect=3, convert=3, train=2, evaluate=0.2, order=0.7, bench=0.05)
    if kind in ("generate", "sample"):
        base = stock.base(random.choice(PROMPTED if kind == "generate" else PLAIN))
        furnished(room, base)
        return kind, [*base.words, "-o", "out.png"]
    if kind in ("inspect", "convert"):
        base = stock.base(random.choice(PROMPTED + PLAIN))
        furnished(room, base)
        return kind, ["inspect", base.model] if kind == "inspect" else ["convert", base.model, "converted"]
    base = stock.run()
    furnished(room, base)
    if kind == "train":
        room.remove("run")
        return kind, ["train", "recipe.yaml", "--out", "made"]
    if kind == "evaluate":
        return kind, ["evaluate", "run", "--count", "10", "--steps", "2"]
    return kind, ["order", "--solver", "euler", "--schedule", "vp", "--prediction", "noise"] if kind == "order" else [
        "bench", "solver-euler", "--rounds", "1", "--threads", "1"]


def command_line(random, room, stock):
    kind, words = base_words(random, room, stock)
    words, known, value = list(words), options(stock)[kind], ""
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        name, takes, values = random.choice(known)
        if name in ("--serve", "--schedule", "--prediction") or (kind == "order" and name == "--solver"):
            continue
        if len(words) < 2:
            break
        value, change = word_for(random, name, values), random.randrange(12)
        at = words.index(name) if name in words else None
        if takes and change <= 7:
            if at is not None and random.random() < 0.9:
                del words[at:at + 2]
            words += [name, value] if random.random() < 0.7 else [joined(name, value)]
        elif change == 8:
            words.insert(random.randrange(1, len(words) + 1), name)
        elif change == 9:
            words[random.randrange(1, len(words))] = random.choice([value, random.choice(TEXT_WORDS), random.choice(PATHS)])
        elif change == 10:
            words.insert(random.randrange(0, len(words) + 1),
                         random.choice([name[:-1], name + "x", name.upper(), "--", "-" + name, name.lstrip("-"),
                                        joined(name, value), *map(str, TEXT_WORDS[:6])]))
        elif kind not in ("order", "bench", "evaluate"):
            del words[random.randrange(len(words))]
        else:
            words.append(name)
    if random.random() < 0.04:
        words = random.choice([[], ["--help"], ["help"], ["help", kind], [kind, "--help"], ["help", value], [value],
                               [changed_bytes(random, kind.encode(), count=1).replace(b"\0", b"") or b"x"],
                               ["--version", kind],
                               ["--generate-completion-script", random.choice(["bash", "zsh", "fish", "tcsh", ""])],
                               [kind, "--version"], ["-" * 5000], [FORGED], [ESCAPE]])
        return Case([without_zero(word) for word in words])
    return Case([without_zero(word) for word in words])


def without_zero(word):
    return word.replace(b"\0", b"") if isinstance(word, bytes) else word.replace("\0", "")


# --- streams -------------------------------------------------------------------------------------------------------


def good_command(random, room, stock):
    """A command whose work is done, or that is refused, and what it writes."""
    kind = chosen(random, generate=4, sample=4, inspect=3, convert=2, train=2, order=0.5, refused=2, help=1)
    if kind in ("generate", "sample"):
        base = stock.base(random.choice(("sd1", "xl", "sd3", "sd-inpaint9") if kind == "generate" else PLAIN))
        room.link(base.folder)
        output = random.choice(["out.png", "out.png", "out.safetensors", "made-%d.webp"])
        return [*base.words, "-o", output, *random.choice([[], ["--json"], ["--json"]]),
                *(["--trajectory", "way.png"] if kind == "sample" and random.random() < 0.3 else [])]
    if kind in ("inspect", "convert"):
        base = stock.base(random.choice(PROMPTED + PLAIN))
        room.link(base.folder)
        return [kind, base.model, *random.choice([[], ["--json"]])] if kind == "inspect" else [kind, base.model, "converted"]
    if kind == "train":
        room.link(stock.run().folder)
        room.remove("run")
        return ["train", "recipe.yaml", *random.choice([[], ["--json"], ["--set", "training.sample_every=1"]])]
    return random.choice({"order": [["order", "--solver", "euler", "--schedule", "vp", "--prediction", "noise",
                                     *random.choice([[], ["--json"], ["-o", "order.png"]])]],
                          "refused": [["inspect", "absent"], ["sample", "absent", "-o", "x.png"], ["generate"], ["--nonsense"],
                                      ["train", "absent.yaml"]],
                          "help": [["--help"], ["--version"], ["generate", "--help"], ["--experimental-dump-help"],
                                   ["help", "sample"], []]}[kind])


def stream(random, room, stock):
    """Streams that are closed, full, of another kind or without a reader; what is written is compared with a good run's."""
    words = good_command(random, room, stock)
    inputs = ["nothing", "closed", "full", "cut", "write-only", "folder", "endless"]
    outputs = ["file", "file", "closed", "full", "no reader", "read-only", "nothing", "short reader"]
    streams = (random.choice(inputs) if random.random() < 0.4 else "nothing", random.choice(outputs), random.choice(outputs))
    return Case(words, codes=(0, 1, 2), streams=streams, twin=True)


# --- environments and places ---------------------------------------------------------------------------------------


VARIABLES = {
    "HOME": ["", "/absent", "/dev/null", "relative", "x" * 5000, None, ESCAPE],
    "TMPDIR": ["", "/absent", "/dev/null", None, "relative"],
    "XDG_CACHE_HOME": ["", "/absent", "/dev/null", "/proc", "relative", "x" * 5000, ESCAPE],
    "LANG": ["", "C", "de_DE.UTF-8", "tr_TR.UTF-8", "xx_YY", "x" * 3000],
    "LC_ALL": ["C", "POSIX", "ar_EG.UTF-8", "fa_IR", "tr_TR.UTF-8", "\x1b[2J"], "TZ": ["", ":/etc/passwd", "XXX-99", "x" * 3000],
    "NO_COLOR": ["", "1"], "TERM": ["", "dumb", "x" * 300, "xterm"],
    "COLUMNS": ["0", "-1", "1", "99999999999", "x", "", "3"], "LINES": ["0", "-1"], "PATH": ["", None],
    "RANK": ["0", "1", "-1", "x", ""], "WORLD_SIZE": ["0", "1", "2", "x", "99999999999999999999", ESCAPE],
    "LOCAL_RANK": ["0", "5", "x"], "MASTER_ADDR": ["", "localhost"], "MASTER_PORT": ["0", "70000", "x", "29500"],
    "OMP_NUM_THREADS": ["0", "-1", "x", "1"], "MKL_NUM_THREADS": ["x"], "HF_HOME": ["/absent", ESCAPE],
    "HF_HUB_OFFLINE": ["1", "x"], "CUDA_VISIBLE_DEVICES": ["", "-1", "x"], "SWIFT_BACKTRACE": ["enable=no"], "USER": [None, ""],
    "PWD": ["/absent", ""], "CFFIXED_USER_HOME": ["/absent", "/dev/null"], "NSUnbufferedIO": ["YES"], "x": [b"\xff\xfe"],
    "": ["x"]}


def surroundings(random, room, stock):
    """Other variables, other rights, a full disk, few descriptors, or a name that is taken."""
    words, kind = good_command(random, room, stock), chosen(random, variables=5, stranger=2, disk=3, descriptors=1, taken=4)
    if kind == "variables":
        names = random.sample(sorted(VARIABLES), random.choice([1, 1, 2, 5]))
        environment = {name: random.choice(VARIABLES[name]) for name in names}
        return Case(words, codes=(0, 2), environment=environment)
    if kind == "stranger":
        # Nothing in the folder is this user's: no file can be made there.
        return Case(words, codes=(0, 1, 2), manner=Manner(stranger=True))
    if kind == "disk":
        # Pipes are not files, so that messages come through.
        return Case(words, codes=(0, 1, 2), streams=("nothing", "pipe", "pipe"),
                    manner=Manner(most_file_bytes=random.choice([1, 8, 100, 500, 1000, 4096, 20_000, 100_000])), twin=True)
    if kind == "descriptors":
        # With fewer than three that are free, libdispatch itself traps.
        return Case(words, codes=(0, 1, 2), manner=Manner(most_descriptors=random.choice([6, 7, 8, 9, 10, 12, 16, 20])))
    for name in ("out.png", "out.safetensors", "made-0.webp", "converted", "run", "order.png", "way.png"):
        if os.path.exists(room.place(name)) or random.random() < 0.2:
            continue
        form = random.randrange(7)
        if form == 0:
            os.makedirs(room.place(name))
        elif form == 1:
            room.write(name + "/x", b"kept")
        elif form == 2:
            os.symlink(random.choice(["absent", "absent/x", name, "/dev/full", "/proc/x", "elsewhere"]), room.place(name))
        elif form == 3:
            room.write(name, b"kept")
            os.chmod(room.place(name), 0)
        elif form == 4:
            room.write("elsewhere", b"kept")
            os.symlink("elsewhere", room.place(name))
        else:
            room.write(name, b"kept")
    return Case(words, codes=(0, 1, 2))
