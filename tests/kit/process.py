"""Waiting and processes for the tests: nothing sleeps blindly, and whatever is started is stopped.

    until(lambda: worker.lines("live"), 30, "the worker goes live")
    server = Process(["redis-server", ...], name="redis")

A Process keeps every line that it printed, is ended by its own id (never by name), and is ended when
Python leaves, also when a test has failed.
"""

import atexit
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = TREE / os.environ.get("BUILD", "build")


class Timeout(AssertionError):
    pass


def until(condition, seconds, what, every=0.02):
    """Waits until condition() is true and returns what it gave; Timeout, which says what, past it."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Timeout(f"waited {seconds} s in vain: {what}")
        time.sleep(every)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def folder(prefix):
    """A temporary folder that is gone when Python leaves (KEEP=1 keeps it)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"tidewheel-{prefix}-"))
    if os.environ.get("KEEP") != "1":
        atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


class Process:
    """A child process and every line that it prints."""

    def __init__(self, argv, name, env=None, cwd=None, stdin=subprocess.DEVNULL):
        self.name = name
        self.output = []
        self.child = subprocess.Popen(
            [str(arg) for arg in argv], stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, cwd=cwd)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        atexit.register(self.kill)

    def _read(self):
        for line in self.child.stdout:
            self.output.append(line.decode("utf-8", "replace").rstrip("\n"))

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.is_running():
            os.kill(self.pid, number)

    def wait(self, seconds):
        """The exit code; minus the signal's number if one ended it."""
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self.name} has not ended within {seconds} s\n{self.tail()}") from None
        self.reader.join(5)
        return code

    def terminate(self, seconds=40):
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait(10)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def tail(self, count=15):
        lines = self.output[-count:]
        if not self.is_running():
            lines.append(f"(ended with {self.child.returncode})")
        return "\n".join(f"{self.name}| {line}" for line in lines)
