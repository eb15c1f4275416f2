#!/usr/bin/env python3
"""What a reload costs: how long units of a changed topic stand still, and whether others do.

    python3 tests/bench/reload.py [ENTITIES] [--form plain]     1,000,000 of them in the changed view's topic

Three reloads over a state of that size, while both topics are written to: a view is added, one is changed,
one is removed. standstill_ms: how long a unit of the changed topic was parked, at most. others_ms: the
longest time between two writes of an entity of the other topic that gets an event every 10 ms.
"""

import argparse
import datetime
import pathlib
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import scene as stage  # noqa: E402  (puts the kit on the path)
import kafka  # noqa: E402
from process import until  # noqa: E402


def milliseconds(row):
    return datetime.datetime.fromisoformat(row[:24].replace("Z", "+00:00")).timestamp() * 1000


def standstill_ms(lines, topic):
    """The longest time for which a unit of the topic was parked."""
    stopped, longest = {}, 0
    for line in lines:
        if "at=unit" not in line or f"topic={topic} " not in line:
            continue
        unit = line.split("partition=")[1].split()[0]
        if "state=parked" in line or "state=dropped" in line:
            stopped[unit] = milliseconds(line)
        elif unit in stopped and ("state=running" in line or "state=live" in line):
            longest = max(longest, milliseconds(line) - stopped.pop(unit))
    return longest


class Watch(threading.Thread):
    """The longest time between two writes of an entity that gets an event every 10 ms."""

    def __init__(self, redis):
        super().__init__(daemon=True)
        self.client = redis.client()
        self.is_over = False
        self.gap_ms = 0

    def run(self):
        last, changed = None, time.monotonic()
        while not self.is_over:
            now = self.client.call("HGET", "freshness:user:calm", "mall")
            if now != last:
                self.gap_ms = max(self.gap_ms, (time.monotonic() - changed) * 1000 if last else 0)
                last, changed = now, time.monotonic()
            time.sleep(0.001)

    def end(self):
        self.is_over = True
        self.join()
        return self.gap_ms


class Bench:
    def __init__(self, broker, form, entities):
        self.scene = stage.Scene(broker, form)
        self.topic, self.calm = self.scene.topic(4), self.scene.topic(4, name="calm")
        self.redis = self.scene.redis()
        self.mall = stage.shop(self.calm, view="mall")
        self.shop = stage.shop(self.topic)
        self.worker = self.scene.worker(self.redis, [self.shop, self.mall],
                                        checkpoint="off" if form == "plain" else "10s")
        for first in range(0, entities, 100_000):
            self.scene.produce(self.topic, [stage.event(number, amount=1)
                                            for number in range(first, min(first + 100_000, entities))],
                               is_told=False)
        self.scene.until_committed(self.topic, 600)

    def measure(self, name, views=None):
        """views: of the changed topic; None: no reload, which tells what the machine does by itself."""
        before = self.redis.call("HGET", "freshness:user:calm", "mall")
        flows = [self.scene.begin(self.calm, [stage.event("calm", amount=1) for _ in range(600)], rate=100),
                 self.scene.begin(self.topic, [stage.event(user, amount=1) for user in range(6000)], rate=1000)]
        until(lambda: self.redis.call("HGET", "freshness:user:calm", "mall") != before, 30, "it flows")
        watch, begun, row = Watch(self.redis), len(self.worker.output), {"took_ms": "-"}
        watch.start()
        if views:
            self.worker.configure([*views, self.mall])
            row = self.worker.reload()
        for flow in flows:
            self.scene.finish(flow)
        gap_ms = watch.end()
        self.scene.until_committed(self.topic, 600)
        stopped_ms = standstill_ms(list(self.worker.output)[begun:], self.topic)
        print(f"{name:<20} reload_ms={row['took_ms']:<6} standstill_ms={stopped_ms:<7.0f} others_ms={gap_ms:.0f}",
              flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("entities", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--form", default="checkpointed", choices=stage.FORMS)
    args = parser.parse_args()
    broker = kafka.start()
    bench = Bench(broker, args.form, args.entities)
    outlet = stage.shop(bench.topic, "[1h]", "outlet")
    changed = stage.shop(bench.topic, "[1h, 12h, 24h]")
    try:
        bench.measure("no reload")
        bench.measure("a view is added", [outlet, bench.shop])
        bench.measure("a view is changed", [outlet, changed])
        bench.measure("a view is removed", [changed])
    finally:
        bench.scene.close()
        broker.stop()


if __name__ == "__main__":
    main()
