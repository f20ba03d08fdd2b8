"""Processes: those that live through a work and take turns, and those that are timed as a whole."""
import os
import signal
import subprocess
import sys
import time

PAUSE = 0.3      # lets the threads of the side that just ran go to sleep


class Missing(Exception):
    """A side that cannot do a work, and why."""


class Worker:
    """A process that says `ready`, and then answers each line with the milliseconds of one repetition."""

    def __init__(self, command, environment, log):
        self.log = open(log, "w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env=environment)
        try:
            self.answer(lambda line: line.strip() == "ready")
        except Missing:
            self.end()
            raise

    def answer(self, wanted):
        for line in self.process.stdout:
            if wanted(line):
                return line
        raise Missing(f"ended with code {self.process.wait()}: {last_line(self.log)}")

    def repetition(self):
        time.sleep(PAUSE)
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Missing(f"ended with code {self.process.wait()}: {last_line(self.log)}")
        return float(self.answer(is_number))

    def end(self):
        """Lets the process leave; ends it where it does not."""
        try:
            self.process.stdin.close()
            self.process.wait(timeout=20)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.log.close()


class Busy:
    """Processes that keep a processor busy each while they are let; at first they are not."""

    def __init__(self, count):
        # Not longer than the process that started it.
        loop = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
        self.processes = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(count)]
        self.send(signal.SIGSTOP)

    def send(self, number):
        for process in self.processes:
            process.send_signal(number)

    def __enter__(self):
        self.send(signal.SIGCONT)

    def __exit__(self, *_):
        self.send(signal.SIGSTOP)

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


def is_number(line):
    try:
        float(line)
        return True
    except ValueError:
        return False


def last_line(log):
    log.seek(0)
    return next((line.strip() for line in reversed(log.readlines()) if line.strip()), "and said nothing")


def whole(command, environment):
    """Milliseconds of a process from exec to its end."""
    time.sleep(PAUSE)
    begun = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - begun) * 1e3


def until(command, environment, mark):
    """Milliseconds from exec until a line of a process, on either stream, holds a mark; the process is ended then."""
    time.sleep(PAUSE)
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen = next((time.perf_counter() for line in process.stdout if mark in line), None)
    process.kill()
    process.wait()
    if seen is None:
        raise SystemExit(f"bench: {command[0]} never said '{mark}'")
    return (seen - begun) * 1e3


def peak(command, environment, log):
    """MiB that a process held at most, mapped pages of files included; its standard input is empty."""
    with open(log, "w+") as messages:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=messages)
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            raise Missing(f"ended with code {os.waitstatus_to_exitcode(status)}: {last_line(messages)}")
    return usage.ru_maxrss / 1024
