"""Starts of the program: how each run ended and what it cost (see forkserver.c)."""
import array
import dataclasses
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ORDER, NUMBER, OUTCOME = struct.Struct("=8I"), struct.Struct("=i"), struct.Struct("=2i3q")
LOOK_EVERY = 0.02  # seconds between looks at what a running process holds


@dataclasses.dataclass
class Manner:
    """How a process is started. `whole` lets it end with the destructors of its libraries; `stranger` makes it nobody's
    where root starts it; limits that are 0 are none."""
    whole: bool = False
    stranger: bool = False
    most_file_bytes: int = 0
    most_descriptors: int = 0


@dataclasses.dataclass
class Run:
    """How a run ended. `code` is negative where a signal ended it; `stopped` says which limit the watch enforced."""
    code: int
    seconds: float
    processor: float
    mebibytes: float
    survivors: bool
    stopped: str | None = None


def compiled(source, target, *flags):
    subprocess.run(["cc", "-O1", "-o", target, source, *flags], check=True)
    return target


def resident(number):
    """Mebibytes that a process holds now; 0 where the system does not say."""
    try:
        with open(f"/proc/{number}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError, ValueError):
        return 0


class Starts:
    """Runs one process after another; `plain` executes the program anew each time instead of forking a loaded one."""

    def __init__(self, program, plain=False):
        self.program, self.plain = os.path.abspath(program), plain or not sys.platform.startswith("linux")
        self.folder = tempfile.TemporaryDirectory()
        self.begin()

    def begin(self):
        source, environment = os.path.join(HERE, "forkserver.c"), dict(os.environ)
        if self.plain:
            words = [compiled(source, os.path.join(self.folder.name, "starts"), "-DPLAIN"), self.program]
        else:
            words = [self.program]
            library = os.path.join(self.folder.name, "forkserver.so")
            environment["LD_PRELOAD"] = compiled(source, library, "-shared", "-fPIC", "-ldl", "-pthread")
        self.orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment,
            preexec_fn=lambda: os.dup2(theirs.fileno(), 3), pass_fds=(3,))
        theirs.close()

    def close(self):
        self.orders.close()
        self.server.wait()
        self.folder.cleanup()

    def run(self, words, folder, environment, streams, limit, most, manner=Manner()):
        """One run with `words` (bytes, the program's name not among them) in `folder`; `streams` are three descriptors, None
        where one is closed. It is killed after `limit` seconds or beyond `most` mebibytes."""
        strings = [os.fsencode(folder), os.fsencode(self.program), *words,
                   *(os.fsencode(key) + b"=" + os.fsencode(value) for key, value in environment.items())]
        payload = b"\0".join(strings) + b"\0"
        given = [stream for stream in streams if stream is not None]
        mask = sum(1 << index for index, stream in enumerate(streams) if stream is not None)
        order = ORDER.pack(len(payload), 1 + len(words), len(environment), mask, *map(int, dataclasses.astuple(manner)))
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))] if given else []
        begun = time.monotonic()
        self.orders.sendmsg([order], beside)
        self.orders.sendall(payload)
        number, = NUMBER.unpack(self.received(NUMBER.size))
        stopped = self.watch(number, begun + limit, most)
        status, survivors, user, system, kibibytes = OUTCOME.unpack(self.received(OUTCOME.size))
        return Run(os.waitstatus_to_exitcode(status), time.monotonic() - begun, (user + system) / 1e6, kibibytes / 1024,
                   bool(survivors), stopped)

    def watch(self, number, end, most):
        """Waits until the process has ended and kills it where it passes a limit, which it names."""
        stopped = None
        while not select.select([self.orders], [], [], LOOK_EVERY)[0]:
            reason = "time" if time.monotonic() > end else "memory" if resident(number) > most else None
            if reason and not stopped:
                stopped = reason
                os.killpg(number, signal.SIGKILL)
        return stopped

    def received(self, count):
        parts = []
        while count:
            part = self.orders.recv(count)
            if not part:
                raise RuntimeError(f"what starts {self.program} has ended with {self.server.wait()}")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class Streams:
    """The three descriptors of a case, open while it runs, and what came through those that are pipes."""

    def __init__(self, kinds, kept):
        self.kinds, self.kept = kinds, kept
        self.opened, self.readers, self.read = [], [], {}

    def __enter__(self):
        self.descriptors = [self.descriptor(index, kind) for index, kind in enumerate(self.kinds)]
        return self

    def __exit__(self, *_):
        for descriptor in self.opened:
            os.close(descriptor)
        for reader in self.readers:
            reader.join()

    def said(self, index):
        """What came through a pipe; None where the stream is none that is read."""
        return self.read.get(index)

    def descriptor(self, index, kind):
        if kind == "closed":
            return None
        if kind == "file":
            return self.kept[index - 1]
        mine = self.pipe(index, kind) if kind in ("cut", "no reader", "short reader", "pipe") else os.open(*{
            "nothing": (os.devnull, os.O_RDWR), "full": ("/dev/full", os.O_RDWR), "read-only": (os.devnull, os.O_RDONLY),
            "write-only": (os.devnull, os.O_WRONLY), "folder": ("/", os.O_RDONLY), "endless": ("/dev/zero", os.O_RDONLY)}[kind])
        self.opened.append(mine)
        return mine

    def pipe(self, index, kind):
        reader, writer = os.pipe()
        if kind == "cut":
            os.close(writer)
            return reader
        if kind == "no reader":
            os.close(reader)
            return writer

        def collect():
            with os.fdopen(reader, "rb") as file:
                self.read[index] = file.read(10 if kind == "short reader" else -1)
            if kind == "short reader":
                del self.read[index]
        self.readers.append(threading.Thread(target=collect))
        self.readers[-1].start()
        return writer
