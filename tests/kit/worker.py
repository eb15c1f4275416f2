"""The worker under test: a configuration in a temporary folder, the process, and its log.

    worker = Worker(kafka, redis, "group-1", [PIPELINE], workers=2)  or checkpoint="off": plain
    worker.lines("unit", state="live")       [{"at": "unit", "state": "live", "position": "12", ...}]
    worker.drain()                           SIGTERM, exit code 0

TIDEWHEEL_BIN names another build.
"""

import json
import os
import re
import sys

from process import BUILD, TREE, Process, folder

FIELD = re.compile(r'([A-Za-z0-9_:]+)=("(?:[^"\\]|\\.)*"|\S*)')

# States of a unit that a worker has; in all others it has given it up, or is about to.
OWNED = {"silent", "live", "claiming", "loading", "resetting", "running", "resting"}

# What starts a program under what the systemd unit allows.
CONFINED = (sys.executable, str(TREE / "tests" / "kit" / "confined.py"))

CONFIG = """\
kafka:
  brokers: "{servers}"
  group_id: "{group}"
  librdkafka:
    session.timeout.ms: {session_ms}
    heartbeat.interval.ms: {heartbeat_ms}
    topic.metadata.refresh.interval.ms: {refresh_ms}
redis:
  url: "{redis}"
pipelines: [{pipelines}]
workers: {workers}
checkpoint: {{interval: {checkpoint}}}
http: {{listen: "{http}"}}
{extra}
"""


def binary():
    return os.environ.get("TIDEWHEEL_BIN") or str(BUILD / "tidewheel")


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
                 launcher=()):
        self.folder = folder("worker")
        files = []
        for number, text in enumerate(pipelines):
            file = self.folder / f"pipeline-{number}.yaml"
            file.write_text(text)
            files.append(f'"{file}"')
        self.config = self.folder / "tidewheel.yaml"
        self.config.write_text(CONFIG.format(
            servers=kafka.servers, group=group, redis=redis.url, pipelines=", ".join(files),
            workers=workers, session_ms=session_ms, heartbeat_ms=session_ms // 10, refresh_ms=refresh_ms,
            checkpoint=checkpoint, extra=extra, http=http))
        self.workers = workers
        super().__init__([*launcher, binary(), "run", "-c", self.config, *flags], name=name, env=env)

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
