"""What a case of the campaign of badinput.py is: a folder with its files, a command, and what may become of it."""
import dataclasses
import os
import shutil

from starts import Manner


@dataclasses.dataclass
class Case:
    """A command in a folder. `codes` are the exit codes that keep the promises; `streams` are names of STREAMS; `output` is
    what a served command must have left; `twin` asks for a run with good streams to compare with; `measured` says whether
    a served command must keep to the limits of a refused one, too; `held` are mebibytes of a header, which is read whole
    and counts as the file's own."""
    words: list
    codes: tuple = (0, 2)
    environment: dict = dataclasses.field(default_factory=dict)
    streams: tuple = ("nothing", "file", "file")
    manner: Manner = dataclasses.field(default_factory=Manner)
    output: str | None = None
    twin: bool = False
    measured: bool = False
    held: float = 0

    @property
    def bytes(self):
        return [word if isinstance(word, bytes) else word.encode(errors="surrogatepass") for word in self.words]


class Room:
    """The folder of a case. Good files are linked into it; what is written replaces the link, never the good file."""

    def __init__(self, path):
        self.path, self.written = path, 0
        os.makedirs(path)

    def place(self, name):
        return os.path.join(self.path, name)

    def link(self, folder, under=""):
        """Links every file below a folder."""
        for path, folders, files in os.walk(folder):
            target = os.path.normpath(os.path.join(self.path, under, os.path.relpath(path, folder)))
            os.makedirs(target, exist_ok=True)
            for name in files:
                os.link(os.path.join(path, name), os.path.join(target, name))

    def read(self, name):
        with open(self.place(name), "rb") as file:
            return file.read()

    def write(self, name, content):
        self.remove(name)
        os.makedirs(os.path.dirname(self.place(name)), exist_ok=True)
        with open(self.place(name), "wb") as file:
            file.write(content)
        self.written += len(content)
        return name

    def remove(self, name):
        path = self.place(name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.remove(path)

    def listing(self):
        """What lies in the folder: kind, number, size and time of change of every path; of folders, kind and number."""
        found = {}
        for path, folders, files in os.walk(self.path):
            for name in folders + files:
                status = os.lstat(os.path.join(path, name))
                folder = os.path.isdir(os.path.join(path, name))
                found[os.path.relpath(os.path.join(path, name), self.path)] = (
                    status.st_mode, status.st_ino, *((0, 0) if folder else (status.st_size, status.st_mtime_ns)))
        return found

    def clear(self):
        shutil.rmtree(self.path, ignore_errors=True)


def chosen(random, **weights):
    """One of the names, as often as its weight says."""
    return random.choices(list(weights), list(weights.values()))[0]
