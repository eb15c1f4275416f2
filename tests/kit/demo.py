"""The demo: a shop's events go in, and the users' features can be watched as their windows slide.

    make demo                      30 s, on a broker of its own (librdkafka's mock cluster)
    DEMO_SECONDS=120 make demo
    KAFKA_BROKERS=host:9092 make demo

Redis, the broker, a generator and the worker are started for it, on loopback, and end with it. Four
users have a script each, so that every kind of change is seen; the generator makes the crowd.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import resp
from process import BUILD, TREE, Process, Timeout, folder, free_port, until

SECONDS = float(os.environ.get("DEMO_SECONDS", "30"))
RATE = float(os.environ.get("DEMO_RATE", "500"))
BROKERS = os.environ.get("KAFKA_BROKERS", "")
TOPIC = "tidewheel_demo" if BROKERS else "user_events"
PARTITIONS = 4
CROWD = 500
VIEW = "shop_seconds"
PIPELINE = TREE / "pipelines" / "demo" / f"{VIEW}.yaml"
WINDOWS = ["5s", "10s", "20s"]
SECONDS_SHORT = 5

# What the four do: page views and purchases a second, as a function of the second of the demo.
CYCLE_S = 40
USERS = {
    "anna": ("always there", lambda t: (4, 1)),
    "ben": ("falls silent after 3 s", lambda t: (6, 2) if t % CYCLE_S < 3 else (0, 0)),
    "cleo": ("comes and goes", lambda t: (5, 1) if t % 10 < 3 else (0, 0)),
    "dora": ("buys once, at 2 s", lambda t: (0, 1) if 2 <= t % CYCLE_S < 3 else (0, 0)),
}
ROWS = [("page views", "page_view_{}_count"), ("purchases", "purchase_{}_count"),
        ("spent", "purchase_{}_sum"), ("largest", "purchase_{}_max")]

CONFIG = """\
kafka:
  brokers: {brokers}
  group_id: tidewheel-demo
  librdkafka: {{session.timeout.ms: 6000}}
redis:
  url: redis://127.0.0.1:{port}/0
pipelines: ["{pipeline}"]
http: {{listen: 127.0.0.1:0}}
"""


def say(text):
    print(f"demo: {text}", file=sys.stderr, flush=True)


def spawn(name, argv, env=None):
    """A child that Ctrl-C does not reach, so that we end it in order, and that dies with us."""
    return Process(["setsid", "setpriv", "--pdeathsig", "KILL", *argv], name, env=env)


class Script(threading.Thread):
    """Writes the events of the four users, each a little apart, into tidewheel-produce's FIFO."""

    def __init__(self, fifo):
        super().__init__(daemon=True)
        self.fifo = fifo
        self.begun = None  # until then only anna is there
        self.is_stopped = threading.Event()

    def run(self):
        owed, last = {user: [0.0, 0.0] for user in USERS}, time.monotonic()
        with open(self.fifo, "w", encoding="utf-8") as out:
            while not self.is_stopped.wait(0.1):
                now = time.monotonic()
                out.write("".join(self.due(owed, now, now - last)))
                last = now
                try:
                    out.flush()
                except BrokenPipeError:
                    return

    def due(self, owed, now, passed_s):
        for user, (_, rates) in USERS.items():
            if self.begun is None and user != "anna":
                continue
            for index, rate in enumerate(rates(now - (self.begun or now))):
                owed[user][index] += rate * passed_s
                while owed[user][index] > 0.999:
                    owed[user][index] -= 1
                    yield self.event(user, is_purchase=index == 1)

    @staticmethod
    def event(user, is_purchase):
        now_ms = time.time_ns() // 1_000_000
        event = {"user_id": user, "event_type": "purchase" if is_purchase else "page_view",
                 "ts": now_ms}
        if is_purchase:
            event["amount"] = round(random.uniform(5, 50), 2)
        return f"{user}\t\t\t{json.dumps(event)}\n"


class Demo:
    def __init__(self):
        self.path = folder("demo")
        self.config = self.path / "tidewheel.yaml"
        self.before = {}

    def start(self):
        self.start_redis()
        brokers = self.start_broker()
        self.config.write_text(CONFIG.format(brokers=brokers, port=self.port, pipeline=PIPELINE))
        say("starting the worker")
        self.worker = spawn("worker", [BUILD / "tidewheel", "run", "-c", self.config],
                            env={"DEMO_TOPIC": TOPIC})
        say(f"starting the shop: {RATE:.0f} events/s")
        self.crowd = spawn("generator", [
            BUILD / "tidewheel-generate", "-b", brokers, "-t", TOPIC, "--users", CROWD,
            "--rate", RATE])
        fifo = self.path / "events"
        os.mkfifo(fifo)
        self.producer = spawn("producer", [
            "sh", "-c", 'exec "$0" -b "$1" -t "$2" <"$3"', BUILD / "tidewheel-produce", brokers,
            TOPIC, fifo])
        self.script = Script(fifo)
        self.script.start()
        say("waiting until the worker has its partitions (the mock cluster takes its time: 3 s)")
        until(self.is_visible, 60, "the first features are in Redis", every=0.1)

    def start_redis(self):
        self.port = free_port()
        say(f"starting Redis on port {self.port}")
        self.redis_server = spawn("redis", [
            "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", self.path])
        self.redis = until(self.connect, 10, "Redis answers")

    def connect(self):
        if not self.redis_server.is_running():
            raise Timeout(f"Redis has ended\n{self.redis_server.tail()}")
        try:
            redis = resp.Redis(f"127.0.0.1:{self.port}")
            return redis if redis.call("PING") == b"PONG" else None
        except (OSError, resp.RespError):
            return None

    def start_broker(self):
        topic = f"{TOPIC}:{PARTITIONS}"
        if BROKERS:
            say(f"using the broker at {BROKERS}, topic {TOPIC}, group tidewheel-demo")
            subprocess.run([BUILD / "tidewheel-topics", "-b", BROKERS, "create", topic],
                           check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return BROKERS
        say("starting a broker (librdkafka's mock cluster; KAFKA_BROKERS=host:9092 uses a real one)")
        self.broker = spawn("broker", [BUILD / "mock-broker", topic])

        def address():
            if not self.broker.is_running():
                raise Timeout(f"the broker has ended\n{self.broker.tail()}")
            return next((line.partition("=")[2] for line in list(self.broker.output)
                         if line.startswith("brokers=")), None)

        return until(address, 20, "the broker says where it listens")

    def is_visible(self):
        if not self.worker.is_running():
            raise Timeout(f"the worker has ended\n{self.worker.tail()}")
        return self.redis.call("EXISTS", "features:user:anna") == 1

    def stop(self):
        """In order, so that the worker drains while Kafka and Redis are still there."""
        self.script.is_stopped.set()
        self.crowd.signal(signal.SIGTERM)
        self.producer.kill()
        self.worker.terminate(15)

    def hints(self):
        build = os.path.relpath(BUILD)
        topic = f"DEMO_TOPIC={TOPIC} " if BROKERS else ""
        return [f"redis-cli -p {self.port} hgetall features:user:anna",
                f"redis-cli -p {self.port} hmget features:user:ben "
                "page_view_5s_count purchase_20s_sum",
                f"{topic}{build}/tidewheel get -c {self.config} {VIEW} user_id=anna"]

    # What the table shows.

    def lag(self):
        """Records between the workers' positions and the ends of the log, as they last logged it."""
        newest = {}
        for line in self.worker.output[-200:]:
            if " at=stats " in line:
                pairs = dict(word.partition("=")[::2] for word in line.split() if "=" in word)
                newest[pairs["worker"]] = int(pairs["lag"])
        return str(sum(newest.values())) if newest else "-"

    def look(self):
        """The four users' hashes, and of everybody: events a second and the age of the newest."""
        names = [*USERS, *range(1, CROWD + 1)]
        counts = [f"{feature}_{WINDOWS[0]}_count" for feature in ("page_view", "purchase")]
        replies = self.redis.pipeline(
            [("HGETALL", f"features:user:{name}") for name in USERS] +
            [("HMGET", f"features:user:{name}", *counts) for name in names] +
            [("HMGET", f"freshness:user:{name}", VIEW, f"{VIEW}:event") for name in names])
        now_ms = time.time_ns() / 1e6
        hashes, replies = replies[:len(USERS)], replies[len(USERS):]
        seen = sum(int(count or 0) for reply in replies[:len(names)] for count in reply)
        fresh = [[now_ms - int(ms) if ms else None for ms in reply]
                 for reply in replies[len(names):]]
        users = {user: (resp.pairs(flat), *ages)
                 for user, flat, ages in zip(USERS, hashes, fresh)}
        behind_ms = min((ages[1] for ages in fresh if ages[1] is not None), default=None)
        return users, seen / SECONDS_SHORT, behind_ms


def age(ms):
    if ms is None:
        return "-"
    return f"{max(0.0, ms):.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def number(text):
    if text is None:
        return "-"
    value = float(text)
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


class Table:
    """Drawn in place, some times a second."""

    period_s = 0.2
    rising, falling, dim, bold, plain = "\033[32m", "\033[33m", "\033[2m", "\033[1m", "\033[0m"

    def __init__(self, demo):
        self.demo = demo
        self.before = {}
        self.height = 0
        if os.environ.get("NO_COLOR"):
            self.rising = self.falling = self.dim = self.bold = self.plain = ""

    def cell(self, user, field, features):
        """Green while it rises, yellow while it falls, and for a moment after."""
        text = features.get(field.encode())
        value = float(text) if text is not None else 0.0
        old, tint, until_s = self.before.get((user, field), (value, "", 0.0))
        if value != old:
            tint, until_s = (self.rising if value > old else self.falling), time.monotonic() + 1
        self.before[user, field] = (value, tint, until_s)
        color = tint if time.monotonic() < until_s else (self.dim if value == 0 else "")
        return f"{color}{number(text):>10}{self.plain}"

    def lines(self, passed_s):
        users, rate, behind_ms = self.demo.look()
        yield (f"{self.bold}tidewheel demo{self.plain}   {passed_s:.0f} of {SECONDS:.0f} s   "
               f"events/s {rate:.0f}   lag {self.demo.lag()} records   "
               f"newest event seen {age(behind_ms)} ago")
        yield ""
        yield (f"{'user':<8}{'':<12}" + "".join(f"{'last ' + name:>10}" for name in WINDOWS) +
               f"{'written':>12}{'last event':>12}")
        for user, (features, written, event) in users.items():
            for index, (label, field) in enumerate(ROWS):
                cells = "".join(self.cell(user, field.format(name), features)
                                for name in WINDOWS)
                head = user if index == 0 else ""
                tail = (f"{age(written):>12}{age(event):>12}" if index == 0 else
                        f"    {self.dim}{USERS[user][0]}{self.plain}" if index == 1 else "")
                yield f"{head:<8}{label:<12}{cells}{tail}"
            yield ""

    def show(self, passed_s):
        lines = list(self.lines(passed_s))[:shutil.get_terminal_size().lines - 1]
        up = f"\033[{self.height}A" if self.height else ""
        frame = "".join(f"\033[2K{line}\n" for line in lines)
        sys.stdout.write(f"\033[?7l{up}{frame}\033[?7h")  # long lines are cut, not wrapped
        sys.stdout.flush()
        self.height = len(lines)


class Lines:
    """Without a terminal: a line a second."""

    period_s = 1.0

    def __init__(self, demo):
        self.demo = demo

    def show(self, passed_s):
        users, rate, _ = self.demo.look()
        parts = [f"t={passed_s:.0f}s events_s={rate:.0f} lag={self.demo.lag()}"]
        for user, (features, written, _) in users.items():
            views, spent = ("/".join(number(features.get(field.format(name).encode()))
                                     for name in WINDOWS)
                            for field in ("page_view_{}_count", "purchase_{}_sum"))
            parts.append(f"{user}: views {views} spent {spent} written {age(written)}")
        print(" | ".join(parts), flush=True)


def watch(demo):
    view = (Table if sys.stdout.isatty() else Lines)(demo)
    demo.script.begun = begun = time.monotonic()
    while (passed_s := time.monotonic() - begun) < SECONDS:
        if not demo.worker.is_running():
            raise Timeout(f"the worker has ended\n{demo.worker.tail()}")
        view.show(passed_s)
        time.sleep(min(view.period_s, max(0.0, begun + SECONDS - time.monotonic())))


def print_hints(demo, when):
    print(f"{when}:")
    for line in demo.hints():
        print(f"    {line}")
    print(flush=True)


def leave(number, frame):
    raise SystemExit(128 + number)


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    for program in ("redis-server", "setsid", "setpriv"):
        if shutil.which(program) is None:
            say(f"{program} is not installed; `make setup` installs what is missing")
            return 69
    demo = Demo()
    try:
        demo.start()
        print_hints(demo, "While it runs, in another terminal")
        watch(demo)
        say("stopping: the worker drains, commits and leaves the group")
        demo.stop()
    except Timeout as timeout:
        say(str(timeout))
        return 70
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    print_hints(demo, "\nThat was it; everything has been stopped. The features were read with")
    print("Next: README.md, a pipeline of your own in five minutes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
