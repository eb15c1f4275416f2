"""What an integration test works with: topics, a Redis of its own, workers, and the oracle.

    @test
    def an_event_reaches_redis(scene):
        topic = scene.topic(partitions=2)
        redis, worker = scene.redis(), scene.worker([shop(topic)])
        scene.produce(topic, [event(user=1, amount=5)])
        scene.until_right(redis, [shop(topic)])

A test is a function whose name is the sentence that it proves. All share one broker; topics, groups
and Redis are its own. When it fails, the tails of its processes' output are shown.
"""

import functools
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
for place in ("kit", "model"):
    sys.path.insert(0, str(HERE.parent / place))

import process  # noqa: E402
import prometheus  # noqa: E402
import published  # noqa: E402
import redis as redis_server  # noqa: E402
import worker as worker_process  # noqa: E402
import yaml_text  # noqa: E402
from process import BUILD, until  # noqa: E402,F401

TESTS = []



@functools.cache
def can_confine():
    """Linux 6.3, libseccomp, systemd-analyze, and no sanitizer, which needs more rights."""
    program = pathlib.Path(worker_process.binary()).read_bytes()
    done = subprocess.run([*worker_process.CONFINED, "/bin/true"], capture_output=True, timeout=60, check=False)
    return done.returncode == 0 and not any(name in program for name in (b"__asan_init", b"__tsan_init"))


@functools.cache
def can_unshare():
    """A mount namespace of one's own, and port 53 of a loopback address."""
    done = subprocess.run([*OWN_MOUNTS, "/dev/null", "true"], capture_output=True, timeout=60, check=False)
    return done.returncode == 0 and os.geteuid() == 0


# Runs the command with the file as its resolv.conf: "sh" FILE COMMAND...
OWN_MOUNTS = ("unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"', "sh")

# What a machine may lack, as a broker may.
MACHINE = {"prometheus": prometheus.is_installed, "confinement": can_confine, "mounts": can_unshare}


def lacks(name):
    return name in MACHINE and not MACHINE[name]()


# What a broken promise, or a sanitizer, says.
CRASH = re.compile(r"Sanitizer|runtime error:|at=bug")


FORMS = {"checkpointed": "1s", "plain": "off"}  # checkpoint.interval
BOTH = tuple(FORMS)
PLAIN = ("plain",)


class Skip(Exception):
    """Raised by a test: what it needs is not here. It is said, and counted."""


class Test:
    def __init__(self, function, needs, alone, form):
        self.function, self.needs, self.alone, self.form = function, set(needs), alone, form
        self.name = function.__name__ + ("_(plain)" if form == "plain" else "")


def test(function=None, *, needs=(), alone=False, forms=("checkpointed",)):
    """needs: what the broker must be able to do (kafka.py: lacks). alone: nothing runs beside it.
    forms: which of FORMS the workers have; it runs once for each."""
    def add(chosen):
        TESTS.extend(Test(chosen, needs, alone, form) for form in forms)
        return chosen
    return add(function) if function else add


def now_ms():
    return time.time_ns() // 1_000_000


class Record:
    """What goes into a partition; None is no key, no value."""

    def __init__(self, value, key=None, partition=None, timestamp_ms=None, headers=()):
        self.value = json.dumps(value).encode() if isinstance(value, dict) else value
        self.key = str(key).encode() if isinstance(key, (int, str)) else key
        self.partition = partition
        self.timestamp_ms = timestamp_ms
        self.headers = headers  # pairs of texts


def event(user, type="purchase", ts=None, partition=None, record_ms=None, **more):
    """A shop event, keyed by its user."""
    ts = now_ms() if ts is None else ts
    return Record({"user_id": str(user), "event_type": type, "ts": ts, **more}, key=user,
                  partition=partition, timestamp_ms=record_ms)


def shop(topic, windows="[1h, 24h]", view="shop", more=""):
    """A view of shop events."""
    return f"""\
view: {view}
source:
  topic: {topic}
  timestamp: {{field: ts, unit: ms}}
entity:
  type: user
  keys: [{{field: user_id, type: string}}]
features:
  - name: {view}_purchase
    where: {{event_type: purchase}}
    value: amount
    aggregates: [count, sum, min, max, avg]
    windows: {windows}
  - name: {view}_page_view
    where: {{event_type: page_view}}
    aggregates: [count]
    windows: {windows}
{more}"""


class Letter:
    """A record as tidewheel-topics prints it; None is no key, no value."""

    def __init__(self, _partition, _offset, timestamp_ms, key, value, *headers):
        self.timestamp_ms = int(timestamp_ms)
        self.key, self.value = (None if text == "-" else bytes.fromhex(text) for text in (key, value))
        self.headers = {}
        for header in headers:
            name, _, text = header.partition("=")
            self.headers[name] = bytes.fromhex(text).decode()

    def at(self):
        """Where its record lies: (partition, offset)."""
        return int(self.headers["tidewheel.partition"]), int(self.headers["tidewheel.offset"])

    def reason(self):
        return self.headers["tidewheel.reason"]


class Scene:
    numbers = itertools.count(1)

    def __init__(self, kafka, form):
        self.kafka = kafka
        self.form = form
        self.number = next(Scene.numbers)
        self.group = f"group-{self.number}"
        self.records = []  # (topic, value, record ms, partition): what the oracle is told
        self.partitions = {}
        self.processes = []
        self.redises = []

    # ---- the world

    def topic(self, partitions=1, name="events", right="read"):
        """right: what the worker may do with it, "read" or "write"; None: nothing."""
        topic = f"{name}-{self.number}"
        if name + "-" in "".join(f"{known}-" for known in self.partitions):
            topic += f"-{len(self.partitions)}"
        self.kafka.create(topic, partitions)
        if right:
            self.kafka.allow("topic", topic, right)
        self.partitions[topic] = partitions
        return topic

    def redis(self, **options):
        server = redis_server.Server(**options)
        self.redises.append(server)
        return server

    def worker(self, redis, pipelines, **options):
        options.setdefault("name", f"worker-{len(self.processes) + 1}")
        options.setdefault("session_ms", self.kafka.session_ms)
        options.setdefault("checkpoint", FORMS[self.form])
        worker = worker_process.Worker(self.kafka, redis, options.pop("group", self.group), pipelines,
                                       **options)
        self.processes.append(worker)
        return worker

    def check_processes(self):
        """No worker has crashed, also where the test would not have noticed."""
        for one in self.processes:
            for line in list(one.output):
                assert not CRASH.search(line), f"{one.name}: {line}"

    def check_rights(self):
        """Nothing was asked of Redis that its user may not, also where it was put up with."""
        for server in self.redises:
            if server.process.is_running():
                assert server.call("ACL", "LOG") == [], server.call("ACL", "LOG")

    def close(self):
        for one in self.processes:
            one.kill()
        for server in self.redises:
            server.kill()
        if self.kafka.fresh() is not self.kafka:
            self.kafka.stop()

    def tails(self):
        return "\n".join(one.tail(int(os.environ.get("TAIL", "25"))) for one in self.processes)

    # ---- producing

    def produce(self, topic, records, rate=None, is_told=True):
        """Writes the records and waits until the broker has them all."""
        self.finish(self.begin(topic, records, rate, is_told))

    def begin(self, topic, records, rate=None, is_told=True):
        """Begins to write the records; finish() waits. is_told: the oracle is told of them."""
        lines = b"".join(self.line(topic, record, is_told) for record in records)
        return self.feed(topic, lines, *(["-r", str(rate)] if rate else []))

    def line(self, topic, record, is_told):
        key = record.key or b""
        if record.partition is None:
            record.partition = zlib.crc32(key) % self.partitions[topic]
        if record.timestamp_ms is None:
            record.timestamp_ms = now_ms()
        if is_told:
            self.records.append((topic, record.value or b"", record.timestamp_ms, record.partition))
        lengths = [-1 if text is None else len(text) for text in (record.key, record.value)]
        head = f"!raw {record.partition} {record.timestamp_ms} {lengths[0]} {lengths[1]}\n".encode()
        headers = "".join(f"!header {name} {value}\n" for name, value in record.headers).encode()
        return headers + head + key + (record.value or b"") + b"\n"

    def feed(self, topic, lines, *flags):
        file = process.folder("produce") / "lines"
        file.write_bytes(lines)
        with file.open("rb") as stdin:
            return subprocess.Popen(
                [BUILD / "tidewheel-produce", "-b", self.kafka.servers, "-t", topic, *flags],
                stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @staticmethod
    def finish(child):
        output, _ = child.communicate(timeout=300)
        assert child.returncode == 0, f"producing failed: {output}"

    # ---- looking

    def committed(self, topic, group=None):
        """{partition: (offset or -1, metadata)}"""
        return {int(row[1]): (int(row[2]), " ".join(row[3:]))
                for row in self.kafka.topics("committed", group or self.group, topic)}

    def ends(self, topic):
        """{partition: (begin, end)}"""
        return {int(row[1]): (int(row[2]), int(row[3])) for row in self.kafka.topics("ends", topic)}

    def letters(self, topic):
        """What the topic holds, in order of its partitions."""
        return [Letter(*row) for row in self.kafka.topics("dump", topic)]

    def is_committed(self, topic, group=None):
        ends, committed = self.ends(topic), self.committed(topic, group)
        return all(committed[partition][0] >= end or begin == end
                   for partition, (begin, end) in ends.items())

    def until_committed(self, topic, seconds=120, group=None):
        until(lambda: self.is_committed(topic, group), seconds, f"all of {topic} is committed",
              every=0.2)

    def expected(self, pipelines, records=None):
        return published.Published([yaml_text.load(text) for text in pipelines],
                                   self.records if records is None else records, now_ms())

    def problems(self, redis, pipelines, expected=None, **limits):
        """How Redis differs from the oracle; limits as check_redis() has them."""
        expected = expected or self.expected(pipelines)
        with redis.client() as client:
            return expected.check_redis(client, **limits)

    def until_right(self, redis, pipelines, seconds=90, expected=None, **limits):
        """Waits until every field, TTL and freshness entry equals the oracle's, and none is too many."""
        expected = expected or self.expected(pipelines)
        assert expected.entities, "the oracle knows of no entity: nothing would be proved"
        problems = [None]

        def is_right():
            problems[0] = self.problems(redis, pipelines, expected, **limits)
            return not problems[0]

        try:
            until(is_right, seconds, "Redis holds what the oracle says", every=0.25)
        except process.Timeout as timeout:
            raise process.Timeout("\n  ".join([str(timeout), *problems[0][:8]])) from None


def field(redis, user, name):
    """A field of a user's hash as a float; None if it does not exist."""
    text = redis.call("HGET", f"features:user:{user}", name)
    return None if text is None else float(text)
