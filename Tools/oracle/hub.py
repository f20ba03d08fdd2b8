"""Models of a misbehaving hub through the program, and the cache shared with Python's huggingface_hub.

    hub.py --program .build/release/langevin --seed 3 [--kills 100] [--only faults|kills|python]

A server on the loopback address (hub_server.py) has the model that comes with the project as a folder in the diffusers
layout, among files that are not needed to open it. Shown are: every fault ends in the picture that the folder gives, or in one
sentence with the right exit code and a cache without damage; `kill -9` at random times leaves no damage and no download that
starts from zero; two processes at once fetch each file once; Python's library opens, offline, what the program fetched, and
the program what Python's library fetched. Prints a line a case; exit code 1 where one failed.
"""
import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from hub_server import Fault, HubServer

# What heals, and what ends in a sentence: the fault, where, how often, the exit codes that are right.
HEALING = [
    ("cut", ".safetensors", 3), ("cut", "/resolve/", 4), ("503", "", 3), ("500", "/api/", 2), ("429", "", 3), ("408", "", 2),
    ("no heads", "", 1 << 60), ("weak tag", "", 1 << 60), ("bare tag", "", 1 << 60), ("slow", "", 1 << 60),
    ("wrong length", "config.json", 1), ("resumed, no ranges", "", 1), ("resumed, 416", "", 1), ("resumed, wrong range", "", 1),
    ("resumed, wrong bytes", "", 1),
]
ENDING = [
    ("500", "", (1,)), ("cut", "TAG", (1,)), ("wrong bytes", "TAG", (1,)), ("longer", "TAG", (1,)), ("404", "/api/", (2,)),
    ("404", "TAG", (2,)), ("page", "/api/", (1,)), ("page", "TAG", (1,)), ("gated", "/api/", (1, 2)), ("401", "", (1, 2)),
    ("elsewhere", "config.json", (1,)), ("circle", "config.json", (1,)), ("418", "", (1,)),
]
TOKEN = "hf_abcdefghijklmnopqrstuvwxyz0123"


class Campaign:
    def __init__(self, program, seed, work):
        self.program, self.random, self.work = os.path.abspath(program), random.Random(seed), work
        self.failures = 0
        self.model = os.path.join(work, "model")
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.check(self.run("convert", os.path.join(root, "models/emoji.safetensors"), self.model), 0)
        self.folder = os.path.join(work, "repository")
        shutil.copytree(self.model, self.folder)
        self.add_what_is_not_needed()
        self.want = self.picture(self.model)

    def add_what_is_not_needed(self):
        """Other variants, other frameworks' weights, and what people keep beside models."""
        for part in os.listdir(self.folder):
            for name in os.listdir(os.path.join(self.folder, part)) if "." not in part else ():
                stem, ending = os.path.splitext(name)
                if ending == ".safetensors":
                    for other in (f"{stem}.ema.safetensors", f"{stem}.bin", f"{stem}.msgpack"):
                        self.write(os.path.join(part, other), self.random.randbytes(5000))
        for name in ("README.md", ".gitattributes", "v1.ckpt", "v1.safetensors", "safety_checker/model.safetensors"):
            self.write(name, self.random.randbytes(6000))
        self.unneeded = [name for name in self.names() if not os.path.exists(os.path.join(self.model, name))]

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def names(self):
        return [os.path.relpath(os.path.join(root, name), self.folder)
                for root, _, names in os.walk(self.folder) for name in names]

    # --- the program -------------------------------------------------------------------------------------------------

    def environment(self, hub, cache, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return {**kept, "HF_ENDPOINT": hub.address if hub else "http://127.0.0.1:1", "HF_HOME": cache,
                "HF_HUB_DOWNLOAD_TIMEOUT": "2", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", **more}

    def run(self, *arguments, env=None):
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, env=env)

    def generate(self, model, out, *more):
        return ["generate", "red apple", "--model", model, "--steps", "2", "--seed", "7", "--threads", "1", "-o", out, *more]

    def picture(self, model, env=None, *more):
        out = tempfile.mktemp(suffix=".png", dir=self.work)
        self.last = self.run(*self.generate(model, out, *more), env=env)
        if self.last.returncode:
            return None
        with open(out, "rb") as file:
            data = file.read()
        # The receipt names the model, so that pixels alone are compared.
        return b"".join(re.findall(rb"IDAT.*?(?=....IEND|....IDAT)", data, re.S))

    def check(self, done, *codes):
        if done.returncode not in codes:
            raise AssertionError(f"exit code {done.returncode}: {done.stderr[-500:]}")

    def case(self, name, body):
        cache = tempfile.mkdtemp(dir=self.work)
        try:
            note = body(cache)
            print(f"hub: {name}: right{f' ({note})' if note else ''}", flush=True)
        except AssertionError as error:
            self.failures += 1
            print(f"hub: {name}: WRONG: {error}", flush=True)
        shutil.rmtree(cache, ignore_errors=True)

    # --- what a cache must be ------------------------------------------------------------------------------------------

    def repository(self, cache):
        return os.path.join(cache, "hub", "models--org--name")

    def check_sound(self, cache, hub, is_whole=False):
        """No file with a final name is damaged, no link leads nowhere, and no reference to what is not whole."""
        there = self.repository(cache)
        tags = {file.tag: file for file in hub.repositories["org/name"].files.values()}
        blobs = os.listdir(f"{there}/blobs") if os.path.isdir(f"{there}/blobs") else []
        for blob in blobs:
            if blob.endswith(".incomplete"):
                assert not is_whole, f"{blob} is left"
                continue
            with open(f"{there}/blobs/{blob}", "rb") as file:
                assert blob in tags and file.read() == tags[blob].data, f"the blob {blob} is damaged"
        linked = set()
        for root, _, names in os.walk(f"{there}/snapshots"):
            for name in names:
                path = os.path.join(root, name)
                assert os.path.islink(path) and os.path.isfile(path), f"{path} leads nowhere"
                linked.add(os.path.relpath(path, f"{there}/snapshots/{hub.repositories['org/name'].commit}"))
        assert not linked & set(self.unneeded), f"not needed: {sorted(linked & set(self.unneeded))}"
        if is_whole:
            assert set(blobs) == {hub.repositories["org/name"].files[name].tag for name in linked}, "more blobs than files"
            with open(f"{there}/refs/main") as file:
                assert file.read() == hub.repositories["org/name"].commit, "refs/main"
            assert sorted(os.listdir(f"{cache}/hub")) == [".locks", "models--org--name"], os.listdir(f"{cache}/hub")
            assert set(os.listdir(there)) <= {"blobs", "refs", "snapshots", ".no_exist"}, os.listdir(there)

    def check_picture(self, picture):
        assert picture is not None, self.last.stderr[-500:]
        assert picture == self.want, "another picture than the folder's"

    # --- cases ---------------------------------------------------------------------------------------------------------

    def largest(self, hub):
        return max((file for name, file in hub.repositories["org/name"].files.items() if name not in self.unneeded),
                   key=lambda file: len(file.data))

    def fault(self, hub, kind, match, count):
        match = self.largest(hub).tag if match == "TAG" else match
        return Fault(kind, match, count, at=self.random.uniform(0.05, 0.95))

    def heals(self, kind, match, count):
        def body(cache):
            with HubServer({"org/name": self.folder}) as hub:
                env = self.environment(hub, cache)
                name = kind.removeprefix("resumed, ")
                if name != kind:
                    tag = self.largest(hub).tag
                    hub.reset(Fault("cut", tag, 1, at=self.random.uniform(0.2, 0.8)), Fault("cut", tag, at=0))
                    assert self.picture("org/name", env) is None, "a cut is not seen"
                    hub.reset(Fault(name, tag, count))
                else:
                    hub.reset(self.fault(hub, name, match, count))
                self.check_picture(self.picture("org/name", env))
                self.check_sound(cache, hub, is_whole=True)
                hub.reset()
                self.check_picture(self.picture("org/name", env))
                assert len(hub.requests) == 1, "more than one request for a model that is there"
        self.case(f"{kind} at '{match}'", body)

    def ends(self, kind, match, codes):
        def body(cache):
            with HubServer({"org/name": self.folder}) as hub:
                env = self.environment(hub, cache, HF_TOKEN=TOKEN)
                hub.reset(self.fault(hub, kind, match, 1 << 60))
                assert self.picture("org/name", env) is None, "a picture all the same"
                assert self.last.returncode in codes, f"exit code {self.last.returncode}: {self.last.stderr[-300:]}"
                errors = [line for line in self.last.stderr.splitlines() if line.startswith("error: ")]
                assert len(errors) == 1 and "Fatal" not in self.last.stderr, self.last.stderr[-500:]
                assert TOKEN not in self.last.stderr + self.last.stdout, "the token is in a message"
                self.check_sound(cache, hub)
                assert all("Authorization" not in headers for _, _, headers, is_content in hub.requests if is_content)
                hub.reset()
                self.check_picture(self.picture("org/name", env))
                self.check_sound(cache, hub, is_whole=True)
                return errors[0]
        self.case(f"{kind} at '{match}' for ever", body)

    def gated(self):
        def body(cache):
            with HubServer({"org/name": self.folder}, token=TOKEN) as hub:
                assert self.picture("org/name", self.environment(hub, cache)) is None
                assert self.last.returncode in (1, 2) and "gated" in self.last.stderr, self.last.stderr
                out = os.path.join(self.work, "gated.png")
                done = self.run(*self.generate("org/name", out, "--json"), env=self.environment(hub, cache, HF_TOKEN=TOKEN))
                self.check(done, 0)
                with open(out, "rb") as file:
                    assert TOKEN.encode() not in file.read() + done.stdout.encode() + done.stderr.encode()
                found = subprocess.run(["grep", "-r", TOKEN, cache], capture_output=True, text=True)
                assert not found.stdout, f"the token is in {found.stdout}"
                self.check_sound(cache, hub, is_whole=True)
        self.case("gated", body)

    def without_hub(self):
        def body(cache):
            with HubServer({"org/name": self.folder}) as hub:
                self.check_picture(self.picture("org/name", self.environment(hub, cache)))
            self.check_picture(self.picture("org/name", self.environment(hub, cache)))
            self.check_picture(self.picture("org/name", self.environment(hub, cache, HF_HUB_OFFLINE="1")))
            self.check_picture(self.picture("org/name", self.environment(hub, cache), "--offline"))
            shutil.rmtree(os.path.join(cache, "hub"))
            assert self.picture("org/name", self.environment(None, cache, HF_HUB_OFFLINE="1")) is None
            assert self.last.returncode in (1, 2), self.last.stderr
            assert self.picture("org/name", self.environment(None, cache)) is None
            assert self.last.returncode == 1, self.last.stderr
        self.case("a hub that is down, and offline", body)

    def two_at_once(self):
        def body(cache):
            with HubServer({"org/name": self.folder}, rate=20e6) as hub:
                env = self.environment(hub, cache)
                outs = [os.path.join(self.work, f"both-{index}.png") for index in range(2)]
                both = [subprocess.Popen([self.program, *self.generate("org/name", out)], env=env, stderr=subprocess.PIPE)
                        for out in outs]
                for process in both:
                    _, messages = process.communicate()
                    assert process.returncode == 0, messages.decode()[-500:]
                self.check_sound(cache, hub, is_whole=True)
                fetched = [path for method, path, _, is_content in hub.requests if is_content and method == "GET"]
                assert len(fetched) == len(set(fetched)), "a file was fetched twice"
        self.case("two processes at once", body)

    def kills(self, count):
        def body(cache):
            # Slow enough that a download takes some seconds.
            size = sum(len(file.data) for name, file in self.needed())
            killed, sent = 0, 0
            with HubServer({"org/name": self.folder}, rate=size / 2) as hub:
                env = self.environment(hub, cache)
                start = time.monotonic()
                self.check_picture(self.picture("org/name", env))
                longest = time.monotonic() - start
                shutil.rmtree(os.path.join(cache, "hub"))
                hub.reset()
                while killed < count:
                    out = os.path.join(self.work, "killed.png")
                    process = subprocess.Popen(
                        [self.program, *self.generate("org/name", out)], env=env, stderr=subprocess.DEVNULL)
                    time.sleep(self.random.uniform(0, longest))
                    process.send_signal(signal.SIGKILL)
                    ended = process.wait()
                    killed += ended == -signal.SIGKILL
                    self.check_sound(cache, hub)
                    if ended == 0 or os.path.exists(os.path.join(self.repository(cache), "refs", "main")):
                        # It was whole; what was sent is a little more than it has, never twice as much.
                        sent = max(sent, hub.sent / size)
                        shutil.rmtree(os.path.join(cache, "hub"))
                        hub.reset()
                hub.rate = None
                self.check_picture(self.picture("org/name", env))
                self.check_sound(cache, hub, is_whole=True)
            return f"{killed} kills; at most {sent:.2f} times the model's bytes were sent"
        self.case("kills at random times", body)

    def needed(self):
        with HubServer({"org/name": self.folder}) as hub:
            return [(name, file) for name, file in hub.repositories["org/name"].files.items() if name not in self.unneeded]

    # --- Python's library ------------------------------------------------------------------------------------------------

    PYTHON_READS = """
import os, sys
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download
folder = snapshot_download("org/name", local_files_only=True)
print(folder)
for root, _, names in os.walk(folder):
    for name in names:
        own = os.path.relpath(os.path.join(root, name), folder)
        assert os.path.samefile(hf_hub_download("org/name", own, local_files_only=True), os.path.join(root, name))
info = scan_cache_dir()
assert not info.warnings, info.warnings
(repository,) = info.repos
(revision,) = repository.revisions
assert repository.repo_id == "org/name" and revision.refs == {"main"}, repository
"""
    PYTHON_FETCHES = """
import sys
from huggingface_hub import snapshot_download
print(snapshot_download("org/name", ignore_patterns=["*.bin", "*.msgpack", "v1.*", "*.ema.*", "safety_checker/*"]))
"""

    def python(self):
        def reads(cache):
            with HubServer({"org/name": self.folder}) as hub:
                self.check_picture(self.picture("org/name", self.environment(hub, cache)))
            env = self.environment(None, cache, HF_HUB_OFFLINE="1")
            done = subprocess.run([sys.executable, "-c", self.PYTHON_READS], capture_output=True, text=True, env=env)
            self.check(done, 0)
            self.check_picture(self.picture(done.stdout.strip()))

        def fetches(cache):
            with HubServer({"org/name": self.folder}) as hub:
                env = self.environment(hub, cache)
                done = subprocess.run([sys.executable, "-c", self.PYTHON_FETCHES], capture_output=True, text=True, env=env)
                self.check(done, 0)
                hub.reset()
                self.check_picture(self.picture("org/name", env))
                assert len(hub.requests) == 1, hub.requests
            self.check_picture(self.picture("org/name", self.environment(None, cache, HF_HUB_OFFLINE="1")))

        def goes_on(cache):
            """What one of them has begun, the other one ends."""
            with HubServer({"org/name": self.folder}) as hub:
                env = self.environment(hub, cache)
                hub.reset(Fault("cut", self.largest(hub).tag, at=0.5, count=1), Fault("cut", self.largest(hub).tag, at=0))
                assert self.picture("org/name", env) is None
                hub.reset()
                done = subprocess.run([sys.executable, "-c", self.PYTHON_FETCHES], capture_output=True, text=True, env=env)
                self.check(done, 0)
                self.check_picture(self.picture("org/name", env))

        self.case("Python's library reads what was fetched", reads)
        self.case("what Python's library fetched is read", fetches)
        self.case("Python's library ends what was begun", goes_on)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--only", choices=["faults", "kills", "python"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        campaign = Campaign(options.program, options.seed, work)
        if options.only in (None, "faults"):
            for row in HEALING:
                campaign.heals(*row)
            for row in ENDING:
                campaign.ends(*row)
            campaign.gated()
            campaign.without_hub()
            campaign.two_at_once()
        if options.only in (None, "python"):
            campaign.python()
        if options.only in (None, "kills"):
            campaign.kills(options.kills)
    print(f"hub: {campaign.failures} cases are wrong" if campaign.failures else "hub: every case is right")
    sys.exit(1 if campaign.failures else 0)


if __name__ == "__main__":
    main()
