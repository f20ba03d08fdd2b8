"""Proves that the campaign of badinput.py sees faults: a program that has them all, one for each first word."""
import os
import tempfile

from badinput_cases import Case, Room
from badinput_verdicts import Limits, Said, problems, twin_problems
from starts import Manner, Starts, compiled

# The first word decides what happens; `good` and `refuse` keep every promise.
FAULTY = r"""
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
static void file(const char *name) { FILE *f = fopen(name, "w"); if (f) { fputs("x", f); fclose(f); } }
static void hold(size_t mebibytes) {
    volatile char *bytes = malloc(mebibytes << 20);
    for (size_t at = 0; at < mebibytes << 20; at += 4096) bytes[at] = 1;
}
static int refuse(const char *text) { fputs(text, stderr); return 2; }
int main(int count, char **words) {
    const char *word = count > 1 ? words[1] : "";
    const char *sentence = "error: the file x is damaged: fetch it again\n";
#define IS(name) (strcmp(word, name) == 0)
    if (IS("--version") || IS("good")) { file("out"); puts("served"); return 0; }
    if (IS("refuse")) return refuse(sentence);
    if (IS("trap")) __builtin_trap();
    if (IS("abort")) abort();
    if (IS("segment")) raise(SIGSEGV);
    if (IS("pipe")) raise(SIGPIPE);
    if (IS("code 3")) { refuse(sentence); return 3; }
    if (IS("code 132")) { refuse(sentence); return 132; }
    if (IS("code 1")) { refuse(sentence); return 1; }
    if (IS("silent")) return 2;
    if (IS("two lines")) { refuse(sentence); return refuse(sentence); }
    if (IS("progress")) { fputs("  0% 0/2\n100% 2/2\n", stderr); return refuse(sentence); }
    if (IS("note")) { fputs("note: a key is not known\n", stderr); return refuse(sentence); }
    if (IS("control")) return refuse("error: the key \x1b[2J is not known\n");
    if (IS("forged")) return refuse("error: the key 'a\nerror: everything is lost' is not known\n");
    if (IS("not UTF-8")) return refuse("error: the key \xff\xfe is not known\n");
    if (IS("raw")) return refuse("error: Optional<Variance> will not do: fetch it again\n");
    if (IS("open")) return refuse("error: the file x is damaged: fetch it again");
    if (IS("no error")) return refuse("Usage: something something something\n");
    if (IS("long")) { fputs("error: ", stderr); for (int i = 0; i < 2000; i++) fputc('x', stderr); return refuse("\n"); }
    if (IS("output")) { puts("x"); fflush(stdout); return refuse(sentence); }
    if (IS("writes")) { file("y"); return refuse(sentence); }
    if (IS("changes")) { file("kept"); return refuse(sentence); }
    if (IS("in place")) { file("kept"); return 0; }
    if (IS("removes")) { unlink("kept"); return refuse(sentence); }
    if (IS("makes a folder")) { mkdir("z", 0755); return refuse(sentence); }
    if (IS("unfinished")) { file(".langevin.tmp-1"); file("out"); return 0; }
    if (IS("temporary")) { char p[999]; snprintf(p, 999, "%s/x", getenv("TMPDIR")); file(p); file("out"); return 0; }
    if (IS("home")) { char p[999]; snprintf(p, 999, "%s/x", getenv("HOME")); file(p); return refuse(sentence); }
    if (IS("nothing made")) return 0;
    if (IS("inspect")) { file("out"); puts("{"); return 0; }
    if (IS("sleeps")) { sleep(60); return 0; }
    if (IS("burns")) { while (clock() < 2.5 * CLOCKS_PER_SEC) {} return refuse(sentence); }
    if (IS("holds")) { hold(400); return refuse(sentence); }
    if (IS("takes all")) for (;;) hold(64);
    if (IS("stays")) { if (fork() == 0) sleep(60); file("out"); return 0; }
    if (IS("best effort")) {
        file("out");
        printf("served\n");
        return fflush(stdout) == 0 ? 0 : refuse("error: standard output cannot be written to\n") - 1;
    }
    if (IS("careless")) { file("out"); printf("served\n"); fflush(stdout); return 0; }
    if (IS("into the file")) {
        int f = open("out", O_RDWR | O_CREAT, 0644);
        fprintf(stderr, "a message\n");
        (void)!write(f, "x", 1);
        puts("served");
        return fflush(stdout), 0;
    }
    if (IS("half")) {
        signal(SIGXFSZ, SIG_IGN);
        FILE *f = fopen("out", "w");
        for (int i = 0; i < 9999; i++) fputs("xxxxxxxxxx", f);
        return fclose(f) == 0 ? 0 : refuse(sentence) - 1;
    }
    return 1;
}
"""
FULL, SHUT = ("nothing", "full", "file"), ("nothing", "file", "closed")
# The word, the label that must come (None: no problem at all), and what is special about the case.
EXPECTED = [
    ("good", None, {"output": "out"}), ("refuse", None, {}), ("trap", "signal 4", {}), ("abort", "signal 6", {}),
    ("segment", "signal 11", {}), ("pipe", "signal 13", {}),
    ("code 3", "exit code 3", {}), ("code 132", "signal 4", {}), ("code 1", "exit code 1", {}), ("silent", "no message", {}),
    ("two lines", "several lines", {}),
    ("progress", "refused after", {}), ("note", "notes before", {}), ("control", "control characters", {}),
    ("forged", "several lines", {}), ("not UTF-8", "standard error is not", {}),
    ("raw", "raw text", {}), ("open", "a message without", {}), ("no error", "a message that is", {}),
    ("long", "a long message", {}), ("output", "standard output with", {}),
    ("writes", "written with", {}), ("in place", "a file that was written in place", {}), ("changes", "written with", {}),
    ("removes", "written with", {}),
    ("makes a folder", "written with", {}), ("unfinished", "an unfinished", {}),
    ("temporary", "an unfinished", {}), ("home", "written to the home", {}),
    ("nothing made", "served without", {"output": "out"}),
    ("inspect", "standard output is no JSON", {"words": ["inspect", "--json"]}),
    ("sleeps", "stopped: time", {"wall": 3}), ("burns", "processor time", {}), ("holds", "memory", {}),
    ("takes all", "stopped: memory", {}), ("stays", "a process that", {}),
    ("best effort", None, {"streams": FULL, "codes": (0, 1)}), ("careless", "exit code 0 in place", {"streams": FULL}),
    ("into the file", "an output differs", {"streams": SHUT}),
    ("half", "an output differs", {"manner": Manner(most_file_bytes=5000), "codes": (0, 1)})]


def check(campaign):
    """Lines about the planted faults that were not seen, for both ways of starting a program."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "faulty.c"), os.path.join(folder, "faulty")
        with open(source, "w") as file:
            file.write(FAULTY)
        compiled(source, program, "-w")
        for plain in (True, False):
            own, campaign.starts = campaign.starts, Starts(program, plain)
            limits, campaign.limits = campaign.limits, Limits(campaign.limits.processor, campaign.limits.mebibytes, stop=1024)
            try:
                yield from (f"{'plain' if plain else 'forked'}: {line}" for line in unseen(campaign))
            finally:
                campaign.starts.close()
                campaign.starts, campaign.limits = own, limits


def unseen(campaign):
    idle, _, _ = campaign.run(Case(["--version"]), os.path.join(campaign.place, "tmp"))
    os.remove(os.path.join(campaign.place, "tmp", "out"))
    campaign.empty_home()
    for word, label, special in EXPECTED:
        campaign.limits.wall = special.get("wall", 20)
        case = Case(**{"words": [word], **{key: value for key, value in special.items() if key != "wall"}})
        found = judged(campaign, case, idle)
        labels = [name for name, _ in found]
        if labels if label is None else not any(name.startswith(label) for name in labels):
            yield f"'{word}' gave {labels or 'nothing'}, expected {label or 'nothing'}"


def judged(campaign, case, idle):
    path = os.path.join(campaign.place, "planted")
    twin, good, files = any(stream != "file" for stream in case.streams[1:]) or case.manner.most_file_bytes, None, []
    for each in ([Case(case.words), case] if twin else [case]):
        room = Room(path)
        room.write("kept", b"kept")
        before, home = room.listing(), campaign.home_names()
        run, output, errors = campaign.run(each, path)
        said = Said(output, errors, before, room.listing(), sorted(campaign.home_names() - home), campaign.temporary_names())
        files.append(campaign.contents(room, said))
        campaign.tidy(room)
        campaign.empty_home()
        if each is not case:
            good = run, output
    found = list(problems(case, run, said, campaign.limits, idle))
    return found + (list(twin_problems(case, run, good[0], files[1], files[0], good[1])) if good else [])
