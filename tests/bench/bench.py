#!/usr/bin/env python3
"""What it costs: one line each, with its goal (design.md, section 10) where there is one.

    make bench                     about 5 minutes; EVENTS=2000000
    make bench ONLY=state,decode   of: decode state sink latency

A cost is CPU time, and a ratio is of two figures of the same run: what else the machine does
matters less for these than for seconds. Events a second and latencies are of the wall, and of this
machine.
"""

import os
import pathlib
import random
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "kit"))

if len(sys.argv) > 1:
    os.environ["BUILD"] = str(pathlib.Path(sys.argv[1]).resolve())

import kafka as kafka_broker  # noqa: E402
import redis as redis_server  # noqa: E402
from process import BUILD, TREE, Process, folder, until  # noqa: E402
from worker import Worker  # noqa: E402

EVENTS = int(os.environ.get("EVENTS", "2000000"))
PARTITIONS = 12
USERS = 100_000
DAY_MS = 86_400_000
LATENCY_S = 12
RATE = 10_000
PIPELINE = TREE / "pipelines" / "user_activity.yaml"

CONFIG = """\
kafka: {{brokers: "{servers}", group_id: "{group}"}}
redis: {{url: "{redis}"}}
pipelines: ["{pipeline}"]
workers: {workers}
checkpoint: {{interval: off}}
"""


def line(name, value, unit, goal=None, at_most=True):
    """value: the figure; goal: what it is held against. The last column: figure by goal."""
    figure = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    text = f"{name:<64} {figure:>12} {unit:<10}"
    if goal is not None:
        sign, ratio = ("<=", value / goal) if at_most else (">=", goal / max(value, 1e-9))
        text += f" {sign} {goal:<6g} {ratio:5.2f} {'met' if ratio <= 1 else 'MISSED'}"
    print(text.rstrip(), flush=True)


def run(program, *args, seconds=400):
    """The figures that a program of this folder prints."""
    argv = [str(BUILD / "bench" / program), *map(str, args)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)}: {done.stderr.strip()[-2000:]}")
    return {name: float(value) for name, value in
            (text.split("=", 1) for text in done.stdout.splitlines() if "=" in text)}


def cpu_s(pid):
    """The CPU time of a process and all its threads so far."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- without a broker


def bench_decode():
    found = run("decode", PIPELINE)
    line("yajl with empty callbacks", found["yajl_ns"], "ns/event")
    line("decode", found["decode_ns"], "ns/event")
    line("  beside yajl", found["decode_ns"] / found["yajl_ns"], "ratio")
    line("time, key and where, for one view", found["route_ns"], "ns/event")


def bench_state():
    for rate, keys in ((1, 1_000_000), (10, 1_000_000), (100, 100_000)):
        found = run("state", "bytes", keys, rate)
        line(f"memory of {keys:,} keys, {rate} events a week, user_activity",
             found["bytes_per_key"], "bytes/key", 300 if rate == 10 else None)
    line("memory of 100,000 keys, 10 events a week, all values in 1h 24h 7d",
         run("state", "value-bytes", 100_000, 10)["bytes_per_key"], "bytes/key")
    costs = {keys: run("state", "cost", keys) for keys in (10_000, 1_000_000, 10_000_000)}
    for name, text in (("update_ns", "update"), ("read_ns", "reading of 17 fields"),
                       ("event_ns", "from JSON to bucket")):
        for keys, found in costs.items():
            line(f"{text}, {keys:,} keys", found[name], "ns")
    found = run("state", "windows")
    line("update, 3 windows beside 1", found["update_3_ns"] / found["update_1_ns"], "ratio")
    line("reading, 3 windows beside 1", found["read_3_ns"] / found["read_1_ns"], "ratio")
    line("update and reading, 3 windows beside 1",
         (found["update_3_ns"] + found["read_3_ns"]) / (found["update_1_ns"] + found["read_1_ns"]),
         "ratio", 1.1)
    return costs


# ---- with Kafka and Redis


class Stage:
    """A broker and a Redis, and topics of purchases and page views of the last day."""

    def __init__(self):
        self.kafka = kafka_broker.start()
        if self.kafka.kind == kafka_broker.Mock.kind:
            raise SystemExit("the mock cluster keeps too little for this: a real broker is needed")
        self.redis = redis_server.Server()
        self.path = folder("bench")
        self.groups = 0
        self.begun_ms = time.time_ns() // 1_000_000 - DAY_MS

    def topic(self, name):
        """A new topic, and the example's view of it."""
        topic = f"{name}-{os.getpid()}"
        self.kafka.create(topic, PARTITIONS)
        text = PIPELINE.read_text(encoding="utf-8").replace("topic: user_events", f"topic: {topic}")
        (self.path / f"{topic}.yaml").write_text(text, encoding="utf-8")
        return topic

    def fill(self, topic, events, pick_user):
        produce = subprocess.Popen(
            [BUILD / "tidewheel-produce", "-b", self.kafka.servers, "-t", topic],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        dice = random.Random(42)
        for number in range(events):
            user, ts = pick_user(dice), self.begun_ms + number * DAY_MS // events
            if dice.random() < 0.25:
                what = f'purchase","amount":{dice.randrange(100, 9000) / 100},"currency":"EUR"'
            else:
                what = f'page_view","page":"/item/{dice.randrange(1000)}"'
            produce.stdin.write(
                f'{user}\t\t{ts}\t{{"user_id":"{user}","event_type":"{what},"ts":{ts}}}\n')
        produce.stdin.close()
        if produce.wait(300) != 0:
            raise SystemExit("the events could not be produced")

    def config(self, topic, workers):
        self.groups += 1
        file = self.path / f"config-{self.groups}.yaml"
        file.write_text(CONFIG.format(
            servers=self.kafka.servers, group=f"bench-{os.getpid()}-{self.groups}",
            redis=f"unix://{self.redis.socket}", pipeline=self.path / f"{topic}.yaml",
            workers=workers), encoding="utf-8")
        return file


def bench_off(stage, topic):
    bare = run("consumer", stage.config(topic, 1), topic, PARTITIONS, EVENTS)
    none = run("worker", stage.config(topic, 1), EVENTS, "none")
    off = run("worker", stage.config(topic, 1), EVENTS, "off")
    line("bare librdkafka consumer, same flags", bare["cpu_ns"], "ns/event")
    line("worker from Kafka to buckets, nothing written", none["cpu_ns"], "ns/event")
    line("  beside the bare consumer", none["cpu_ns"] / bare["cpu_ns"], "ratio")
    line("worker, sink off: batches made and answered at once", off["cpu_ns"], "ns/event")
    line("  key writes for an event", off["writes"] / off["records"], "writes")
    line("  beside the bare consumer", off["cpu_ns"] / bare["cpu_ns"], "ratio", 5)
    line("worker, sink off", off["events_s"], "events/s")
    return bare


def bench_on(stage, topic):
    before_s = cpu_s(stage.redis.process.pid)
    on = run("worker", stage.config(topic, 2), EVENTS, "on")
    redis_ns = (cpu_s(stage.redis.process.pid) - before_s) * 1e9
    line("2 workers, sink on", on["events_s"], "events/s")
    line("2 workers, sink on", on["cpu_ns"], "ns/event")
    line("  Redis", redis_ns / on["records"], "ns/event")
    line("  key writes for an event", on["writes"] / on["records"], "writes")


def bench_writes(stage):
    """So many users that nearly every event is a key write of its own, and Redis is the wall."""
    topic, dump, events = stage.topic("wide"), stage.path / "dump", EVENTS // 4
    stage.fill(topic, events, lambda dice: dice.randrange(EVENTS))
    run("worker", stage.config(topic, 1), events, "off", dump)
    stage.redis.call("FLUSHALL")
    before_s = cpu_s(stage.redis.process.pid)
    on = run("worker", stage.config(topic, 2), events, "on")
    redis_ns = (cpu_s(stage.redis.process.pid) - before_s) * 1e9 / on["writes"]
    stage.redis.call("FLUSHALL")
    before_s = cpu_s(stage.redis.process.pid)
    bare = run("writer", stage.redis.socket, dump, 2)
    bare_ns = (cpu_s(stage.redis.process.pid) - before_s) * 1e9 / bare["writes"]
    line("bare pipelined writer, 2 connections", bare["writes_s"], "writes/s")
    line("2 workers, nearly each event another user", on["writes_s"], "writes/s")
    line("  beside the bare writer of the same bytes", on["writes_s"] / bare["writes_s"], "ratio",
         0.9, False)
    line("Redis for a key write of the bare writer", bare_ns, "ns/write")
    line("Redis for a key write of the workers", redis_ns, "ns/write")
    line("  beside the bare writer", redis_ns / bare_ns, "ratio")


def bench_latency(stage):
    topic = stage.topic("latency")
    stage.redis.call("FLUSHALL")
    alone = run("probe", stage.redis.socket, 3)
    pipeline = (stage.path / f"{topic}.yaml").read_text(encoding="utf-8")
    worker = Worker(stage.kafka, stage.redis, f"latency-{os.getpid()}", [pipeline],
                    checkpoint="10s")
    until(lambda: worker.live_units() == PARTITIONS, 60, "the workers are live")
    crowd = Process([BUILD / "tidewheel-generate", "-b", stage.kafka.servers, "-t", topic, "--rate",
                     RATE, "--users", USERS, "--seconds", LATENCY_S + 4], name="generate")
    until(lambda: stage.redis.call("DBSIZE") > RATE, 30, "the features of the crowd are there")
    beside = run("probe", stage.redis.socket, LATENCY_S, stage.kafka.servers, topic)
    crowd.wait(60)
    worker.drain()
    rate = f"{RATE:,} events/s"
    line(f"from produce to visible at {rate}, p50", beside["visible_p50_ms"], "ms")
    line(f"from produce to visible at {rate}, p99", beside["visible_p99_ms"], "ms", 25)
    line("a reader alone, p99", alone["reader_p99_us"] / 1000, "ms")
    line(f"a reader beside the worker at {rate}, p50", beside["reader_p50_us"] / 1000, "ms")
    line(f"a reader beside the worker at {rate}, p99", beside["reader_p99_us"] / 1000, "ms", 1)


def bench_kafka(only, costs):
    stage = Stage()
    if "sink" in only:
        topic = stage.topic("bench")
        stage.fill(topic, EVENTS, lambda dice: 1 + int(dice.random() ** 2 * USERS))
        bare = bench_off(stage, topic)
        if costs:
            few, many = (bare["cpu_ns"] + costs[keys]["event_ns"] for keys in (10_000, 10_000_000))
            line("an event, Kafka's share with it, 10,000,000 keys beside 10,000", many / few,
                 "ratio", 2)
        bench_on(stage, topic)
        bench_writes(stage)
    if "latency" in only:
        bench_latency(stage)


def main():
    only = os.environ.get("ONLY", "decode,state,sink,latency").split(",")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    print(f"{EVENTS:,} events, {USERS:,} users, {PARTITIONS} partitions, {os.cpu_count()} cores, "
          f"{memory:.0f} GiB", flush=True)
    if "decode" in only:
        bench_decode()
    costs = bench_state() if "state" in only else None
    if "sink" in only or "latency" in only:
        bench_kafka(only, costs)


main()
