"""The worker under test: a configuration in a temporary folder, the process, and its log.

    worker = Worker(kafka, redis, "group-1", [PIPELINE], workers=2)  or checkpoint="off": plain
    worker.lines("unit", state="live")       [{"at": "unit", "state": "live", "position": "12", ...}]
    worker.drain()                           SIGTERM, exit code 0
    worker.get("/readyz")                    (status, body); Worker(..., http="127.0.0.1:0")
    worker.metrics()                         /metrics, read by prom.py

TIDEWHEEL_BIN names another build.
"""

import http.client
import json
import os
import re
import signal
import sys

import prom
from process import BUILD, TREE, Process, folder, until

FIELD = re.compile(r'([A-Za-z0-9_:]+)=("(?:[^"\\]|\\.)*"|\S*)')

# States of a unit that a worker has; in all others it has given it up, or is about to.
OWNED = {"silent", "live", "claiming", "loading", "resetting", "running", "resting"}

# What starts a program under what the systemd unit allows.
CONFINED = (sys.executable, str(TREE / "tests" / "kit" / "confined.py"))

CONFIG = """\
kafka:
  brokers: "{servers}"
  group_id: "{group}"
  librdkafka: {properties}
    session.timeout.ms: {session_ms}
    heartbeat.interval.ms: {heartbeat_ms}
    topic.metadata.refresh.interval.ms: {refresh_ms}
redis: {redis}
pipelines: [{pipelines}]
workers: {workers}
checkpoint: {{interval: {checkpoint}}}
http: {{listen: "{http}"}}
{extra}
"""


def binary():
    return os.environ.get("TIDEWHEEL_BIN") or str(BUILD / "tidewheel")


def lines(options):
    """A dict as lines of the mapping that is open."""
    return "".join(f'\n    {name}: "{value}"' for name, value in options.items())


def parse(line):
    """A line of logfmt as a dict; values without their quotes, whose escapes are those of JSON."""
    return {name: json.loads(value) if value.startswith('"') else value
            for name, value in FIELD.findall(line)}


def is_live(row):
    """Of a line at=unit: with a checkpoint a unit is live as soon as it runs."""
    return row["state"] == "live" or (row["state"] == "running" and row["was"] != "resetting")


class Worker(Process):
    def __init__(self, kafka, redis, group, pipelines, workers=2, session_ms=6000,
                 refresh_ms=300_000, checkpoint="1s", extra="", flags=(), env=None, name="worker", http="",
                 launcher=(), command="run", is_allowed=True):
        """is_allowed: its user may use the group."""
        self.folder = folder("worker")
        self.config = self.folder / "tidewheel.yaml"
        self.config.touch(0o600)  # it holds the password of Redis
        self.settings = {
            "servers": kafka.worker_servers, "group": group,
            "properties": lines(kafka.worker_properties),
            "redis": json.dumps(redis.worker_options, default=str), "workers": workers,
            "session_ms": session_ms, "heartbeat_ms": session_ms // 10, "refresh_ms": refresh_ms,
            "checkpoint": checkpoint, "extra": extra, "http": http}
        self.configure(pipelines)
        self.workers = workers
        if is_allowed:
            kafka.allow("group", group, "read")
        super().__init__([*launcher, binary(), command, "-c", self.config, *flags], name=name, env=env)

    def configure(self, pipelines, **settings):
        """Writes the configuration and the pipelines: what the next start, or reload, reads."""
        self.settings.update(settings)
        files = [self.folder / f"pipeline-{number}.yaml" for number in range(len(pipelines))]
        for file, text in zip(files, pipelines):
            file.write_text(text)
        self.config.write_text(CONFIG.format(
            pipelines=", ".join(f'"{file}"' for file in files), **self.settings))

    def reload(self, seconds=60):
        """SIGHUP; how it has ended: done, unchanged or refused."""
        def ends():
            return [row for row in self.lines("reload") if row.get("state", "begun") != "begun"]

        before = len(ends())
        self.signal(signal.SIGHUP)
        return until(lambda: ends()[before:], seconds, f"{self.name} has reloaded")[0]

    def lines(self, at, **fields):
        """The log lines with this at= and these fields, parsed, oldest first."""
        wanted = {"at": at, **{name: str(value) for name, value in fields.items()}}
        found = []
        for line in list(self.output):
            if f"at={at}" in line:
                row = parse(line)
                if all(row.get(name) == value for name, value in wanted.items()):
                    found.append(row)
        return found

    def units(self):
        """What the process has now: {"topic/partition": number of the worker}."""
        units = {}
        for row in self.lines("unit"):
            unit = f"{row['topic']}/{row['partition']}"
            if row["state"] in OWNED:
                units[unit] = row["worker"]
            elif units.get(unit) == row["worker"]:
                del units[unit]
        return units

    def is_settled(self, partitions):
        """Have all its workers joined, and share all of so many partitions?"""
        owned = {row["worker"]: int(row["partitions"]) for row in self.lines("owned")}
        return len(owned) == self.workers and sum(owned.values()) == partitions

    def live_units(self):
        """How many units have been read up to where they were at assignment, and are published."""
        live = {(row["worker"], row["topic"], row["partition"]): is_live(row)
                for row in self.lines("unit")}
        return sum(live.values())

    def address(self):
        """Where it really listens: host:port."""
        return until(lambda: self.lines("http"), 30, "the worker listens")[0]["listen"]

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection(self.address(), timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        status, text = self.get("/metrics")
        assert status == 200, text
        return prom.read(text)

    def counters(self):
        """What was printed at exit: {"records": 12, "future": 1}; those of several views added up."""
        counters = {}
        last = {row.get("view"): row for row in self.lines("events") + self.lines("exit")}
        for row in last.values():
            for name, value in row.items():
                if value.isdigit():
                    counters[name] = counters.get(name, 0) + int(value)
        return counters

    def has_said(self, text):
        return any(text in line for line in list(self.output))

    def drain(self):
        """SIGTERM; the exit code has to be 0."""
        code = self.terminate()
        if code != 0:
            raise AssertionError(f"{self.name} ended with {code} instead of 0\n{self.tail(30)}")
