#!/usr/bin/env python3
"""What it costs: one line each, with its goal (design.md, section 10) where there is one.

    make bench                     about 12 minutes; EVENTS=2000000 KEYS=1000000
    make bench ONLY=state,decode   of: decode state recover sink latency restart

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

os.environ["SECURE"] = "0"  # what TLS costs is no part of the figures
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
KEYS = int(os.environ.get("KEYS", "1000000"))
STEADY_S = 10  # as long as a checkpoint interval: one falls into it, wherever it begins
STEADY_ROUNDS = 2
PROBES = 48
SESSION_MS = 6000
PIPELINE = TREE / "pipelines" / "user_activity.yaml"

CONFIG = """\
kafka: {{brokers: "{servers}", group_id: "{group}"}}
redis: {{url: "{redis}"}}
pipelines: ["{pipeline}"]
workers: {workers}
checkpoint: {{interval: {interval}}}
"""
FORMS = {"plain": "off", "fenced": "1h", "checkpointed": "10s"}


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
    for name, text in (("update_ns", "update"), ("kept_ns", "update, checkpointed form"),
                       ("blob_ns", "writing of a blob"), ("read_ns", "reading of 17 fields"),
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


# ---- with Redis, Kafka being played


class Play:
    """A Redis, and a configuration for each form of the worker."""

    def __init__(self):
        self.redis = redis_server.Server(unix=True)
        self.path = folder("bench")

    def run(self, interval, *args):
        file = self.path / "config.yaml"
        file.write_text(CONFIG.format(servers="127.0.0.1:1", group="bench", redis=self.redis.url,
                                      pipeline=PIPELINE, workers=1, interval=interval),
                        encoding="utf-8")
        self.redis.call("FLUSHALL")
        return run("recover", file, *args, seconds=900)


def bench_steady(play, rate, text):
    """Round by round, so that what else the machine does is the same for all; noise only adds."""
    best = {form: {} for form in FORMS}
    for _ in range(STEADY_ROUNDS):
        for form, interval in FORMS.items():
            found = play.run(interval, "steady", STEADY_S, rate)
            for name, value in found.items():
                pick = max if name == "events_s" else min
                best[form][name] = pick(value, best[form].get(name, value))
    plain, fenced, full = (best[form] for form in FORMS)
    line(f"worker, plain form, {text}", plain["cpu_ns"], "ns/event")
    line("  events a second", plain["events_s"], "events/s")
    line("  Redis", plain["redis_ns"], "ns/event")
    line(f"the fence, {text}: worker beside the plain form", fenced["cpu_ns"] / plain["cpu_ns"],
         "ratio", None if rate else 1.03)
    line("  Redis beside the plain form", fenced["redis_ns"] / plain["redis_ns"], "ratio")
    line(f"checkpoints every 10 s, {text}: share of the worker's CPU",
         100 * (1 - fenced["cpu_ns"] / full["cpu_ns"]), "%")
    line("  share of Redis's CPU", 100 * (1 - fenced["redis_ns"] / full["redis_ns"]), "%")
    line("  longest turn, CPU", full["steady_turn_cpu_max_ms"], "ms", 10)
    line("  p99.9 of turns, wall", full["steady_turn_p999_ms"], "ms", 10)
    line("  longest turn, wall", full["steady_turn_max_ms"], "ms")


def bench_recover():
    play = Play()
    bench_steady(play, 0, "full load")
    bench_steady(play, RATE, f"{RATE:,} events/s")
    for rate, keys in ((1, KEYS // 10), (100, KEYS // 10), (10, KEYS)):
        found = play.run("10s", "restart", keys, rate)
        line(f"blob of an entity, {rate} events a week", found["blob_bytes"], "bytes")
        line("  in Redis, MEMORY USAGE", found["redis_bytes"], "bytes")
        line("  in the worker's memory", found["memory_bytes"], "bytes")
    line(f"load of {found['loaded']:,.0f} entities, from start to live", found["load_s"], "s", 5)
    line("  entities a second", found["loaded"] / found["load_s"], "entities/s")
    line("  worker", found["load_cpu_ns"], "ns/entity")
    line("  Redis", found["load_redis_ns"], "ns/entity")
    for phase, text in (("build", "checkpoints of all of them"), ("load", "their load")):
        line(f"longest turn in {text}, CPU", found[f"{phase}_turn_cpu_max_ms"], "ms", 10)
        line("  p99.9, wall", found[f"{phase}_turn_p999_ms"], "ms", 10)
        line("  longest, wall", found[f"{phase}_turn_max_ms"], "ms")


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

    def config(self, topic, workers, form="checkpointed"):
        self.groups += 1
        file = self.path / f"config-{self.groups}.yaml"
        file.write_text(CONFIG.format(
            servers=self.kafka.servers, group=f"bench-{os.getpid()}-{self.groups}",
            redis=f"unix://{self.redis.socket}", pipeline=self.path / f"{topic}.yaml",
            workers=workers, interval=FORMS[form]), encoding="utf-8")
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


def bench_on(stage, topic, form):
    stage.redis.call("FLUSHALL")
    before_s = cpu_s(stage.redis.process.pid)
    on = run("worker", stage.config(topic, 2, form), EVENTS, "on")
    redis_ns = (cpu_s(stage.redis.process.pid) - before_s) * 1e9
    line(f"2 workers, sink on, {form} form", on["events_s"], "events/s")
    line("  worker", on["cpu_ns"], "ns/event")
    line("  Redis", redis_ns / on["records"], "ns/event")
    line("  key writes for an event", on["writes"] / on["records"], "writes")


def bench_writes(stage):
    """So many users that nearly every event is a key write of its own, and Redis is the wall."""
    topic, dump, events = stage.topic("wide"), stage.path / "dump", EVENTS // 4
    stage.fill(topic, events, lambda dice: dice.randrange(EVENTS))
    run("worker", stage.config(topic, 1), events, "off", dump)

    def measure(program, *args):
        stage.redis.call("FLUSHALL")
        before_s = cpu_s(stage.redis.process.pid)
        found = run(program, *args)
        used_s = cpu_s(stage.redis.process.pid) - before_s
        return found["writes_s"], used_s * 1e9 / found["writes"]

    bare_s, bare_ns = measure("writer", stage.redis.socket, dump, 2)
    line("bare pipelined writer, 2 connections", bare_s, "writes/s")
    line("  Redis for a key write", bare_ns, "ns/write")
    for form in ("plain", "checkpointed"):
        on_s, on_ns = measure("worker", stage.config(topic, 2, form), events, "on")
        line(f"2 workers, nearly each event another user, {form} form", on_s, "writes/s")
        line("  beside the bare writer of the same bytes", on_s / bare_s, "ratio", 0.9, False)
        line("  Redis for a key write", on_ns, "ns/write")
        line("    beside the bare writer", on_ns / bare_ns, "ratio")


def bench_latency(stage, form):
    topic = stage.topic(f"latency-{form}")
    stage.redis.call("FLUSHALL")
    alone = run("probe", stage.redis.socket, 3)
    pipeline = (stage.path / f"{topic}.yaml").read_text(encoding="utf-8")
    worker = Worker(stage.kafka, stage.redis, f"latency-{form}-{os.getpid()}", [pipeline],
                    checkpoint=FORMS[form])
    until(lambda: worker.live_units() == PARTITIONS, 60, "the workers are live")
    crowd = Process([BUILD / "tidewheel-generate", "-b", stage.kafka.servers, "-t", topic, "--rate",
                     RATE, "--users", USERS, "--seconds", LATENCY_S + 4], name="generate")
    until(lambda: stage.redis.call("DBSIZE") > RATE, 30, "the features of the crowd are there")
    beside = run("probe", stage.redis.socket, LATENCY_S, stage.kafka.servers, topic)
    crowd.wait(60)
    worker.drain()
    rate = f"{RATE:,} events/s, {form} form"
    line(f"from produce to visible at {rate}, p50", beside["visible_p50_ms"], "ms")
    line(f"from produce to visible at {rate}, p99", beside["visible_p99_ms"], "ms", 25)
    line("a reader alone, p99", alone["reader_p99_us"] / 1000, "ms")
    line(f"a reader beside the worker at {rate}, p50", beside["reader_p50_us"] / 1000, "ms")
    line(f"a reader beside the worker at {rate}, p99", beside["reader_p99_us"] / 1000, "ms", 1)


# ---- a restart of real processes


class Restart:
    """Workers with the state of many users, that are ended, and begun again."""

    def __init__(self, stage):
        self.stage = stage
        self.topic = stage.topic("restart")
        self.group = f"restart-{os.getpid()}"
        self.rounds = 0
        stage.redis.call("FLUSHALL")
        users = iter(range(KEYS))
        stage.fill(self.topic, KEYS, lambda dice: next(users))
        self.start()

    def start(self):
        pipeline = (self.stage.path / f"{self.topic}.yaml").read_text(encoding="utf-8")
        self.worker = Worker(self.stage.kafka, self.stage.redis, self.group, [pipeline],
                             session_ms=SESSION_MS, checkpoint=FORMS["checkpointed"])

    def progress(self):
        """The records that the units' checkpoints hold, once all of them are live."""
        keys = [f"{{tw:{self.group}:{self.topic}:{p}}}:m" for p in range(PARTITIONS)]
        with self.stage.redis.client() as client:
            rows = client.pipeline([("HMGET", key, "user_activity:prog", "user_activity:said")
                                    for key in keys])
        return sum(int(row[0]) for row in rows) if all(row[1] for row in rows) else -1

    def is_saved(self, records):
        until(lambda: self.progress() >= records, 400, "all of it is in a checkpoint")

    def produce(self, users):
        """The first event of users that are new: only a worker that is live shows them."""
        now_ms = time.time_ns() // 1_000_000
        lines = "".join(f'{user}\t\t{now_ms}\t{{"user_id":"{user}","event_type":"page_view",'
                        f'"page":"/","ts":{now_ms}}}\n' for user in users)
        subprocess.run([BUILD / "tidewheel-produce", "-b", self.stage.kafka.servers, "-t",
                        self.topic], input=lines, text=True, check=True, stdout=subprocess.DEVNULL)

    def measure(self, end):
        """Seconds until the first of the probes is visible, and until all are."""
        self.rounds += 1
        users = [f"probe-{self.rounds}-{number}" for number in range(PROBES)]
        begun = time.monotonic()
        end()
        ended = time.monotonic()
        self.start()
        self.produce(users)
        first = None
        with self.stage.redis.client() as client:
            while True:
                seen = client.call("EXISTS", *(f"features:user:{user}" for user in users))
                if seen and first is None:
                    first = time.monotonic()
                if seen == PROBES:
                    return first - begun, time.monotonic() - begun, ended - begun
                if time.monotonic() - begun > 120 or not self.worker.is_running():
                    raise SystemExit(f"{seen} of {PROBES} probes are seen\n{self.worker.tail(30)}")
                time.sleep(0.005)


def bench_restart(stage):
    restart = Restart(stage)
    restart.is_saved(KEYS)
    first, last, ended = restart.measure(lambda: restart.worker.drain())
    line(f"SIGTERM, {KEYS:,} entities: until it has ended", ended, "s")
    line("  until the first fresh value, the process being begun at once", first, "s")
    line("  until fresh values of all units", last, "s", 5)
    restart.is_saved(KEYS + PROBES)
    first, last, _ = restart.measure(lambda: restart.worker.kill())
    line(f"kill -9, {KEYS:,} entities: until the first fresh value", first, "s")
    line("  until fresh values of all units", last, "s")
    line(f"  without the session timeout, {SESSION_MS / 1000:.0f} s", last - SESSION_MS / 1000, "s",
         5)
    loads = [int(row["blobs"]) for row in restart.worker.lines("loaded")]
    if sum(loads) < KEYS * 9 // 10:
        raise SystemExit(f"only {sum(loads)} entities were loaded")
    restart.worker.drain()


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
        bench_on(stage, topic, "plain")
        bench_on(stage, topic, "checkpointed")
        bench_writes(stage)
    if "latency" in only:
        bench_latency(stage, "plain")
        bench_latency(stage, "checkpointed")
    if "restart" in only:
        bench_restart(stage)


def main():
    only = os.environ.get("ONLY", "decode,state,recover,sink,latency,restart").split(",")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    print(f"{EVENTS:,} events, {USERS:,} users, {PARTITIONS} partitions, {os.cpu_count()} cores, "
          f"{memory:.0f} GiB", flush=True)
    if "decode" in only:
        bench_decode()
    costs = bench_state() if "state" in only else None
    if "recover" in only:
        bench_recover()
    if {"sink", "latency", "restart"} & set(only):
        bench_kafka(only, costs)


main()
