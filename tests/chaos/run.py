#!/usr/bin/env python3
"""Chaos: workers of one group on a real Kafka and a real Redis with a replica, and all that goes wrong.

    CHAOS_MINUTES=30 CHAOS_SEED=7 run.py

Readers sample hashes all the while: each value must be of a prefix of its entity's events. When the
faults are over, every value must equal the oracle's. CHAOS_FORM=plain runs the form without checkpoints,
CHAOS_RATE is events a second (300). The same seed makes the same plan of faults; what it meets is up to
the machine. The logs of a run that failed are kept in a folder that is named.
"""

import os
import pathlib
import random
import re
import signal
import statistics
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
for place in (HERE, HERE.parent / "kit", HERE.parent / "model"):
    sys.path.insert(0, str(place))

import agents  # noqa: E402
import kafka  # noqa: E402
import published  # noqa: E402
import readers  # noqa: E402
import redis as redis_server  # noqa: E402
import streams  # noqa: E402
import worlds  # noqa: E402
import yaml_text  # noqa: E402
from process import until  # noqa: E402

SESSION_MS = 3000
WORKERS = 3
CALM_S = 90         # from the last event until every value is right
DECAY_LAG_MS = 500  # at the end, when the short windows are long over
PROBLEMS_MAX = 20
TOPIC = "chaos"
USER = re.compile(r"(?:user|life):(\d+)")
FORMS = {"plain": "off", "checkpointed": "1s"}  # checkpoint.interval


def now_ms():
    return time.time_ns() // 1_000_000


def say(text):
    print(text, flush=True)


class Run:
    """One world, from its start to its judgement."""

    def __init__(self, form, minutes, seed, rate):
        self.seed = seed
        self.form = form
        self.expected = None
        self.faults = agents.plan(seed, minutes)
        self.notes = []
        self.checks = {"passed": 0, "failed": 0}
        self.kafka = kafka.Kafka()
        self.pair = redis_server.Pair()
        self.kafka.create(TOPIC, streams.PARTITIONS)
        self.kafka.allow("topic", TOPIC, "read")
        self.stream = streams.Stream(self.kafka.servers, TOPIC, rate, f"events {seed}")
        self.recovery = readers.Recovery(self.pair, self.stream)
        self.world = worlds.World(self.kafka, self.pair, TOPIC, self.recovery,
                                  ["-s", f"checkpoint.interval={FORMS[form]}"], SESSION_MS)
        self.readers = readers.Readers(self.pair, self.stream, f"readers {seed}")
        self.agent = agents.Agent(self.world, seed, SESSION_MS / 1000, self.note)

    def note(self, text):
        self.notes.append(text)
        say(text)

    def go(self):
        for _ in range(WORKERS):
            self.agent.start_one()
        until(lambda: self.pair.call("DBSIZE") > streams.USERS, 60, "the first values are there")
        self.agent.run(self.faults)
        self.note(f"{self.agent.seconds():8.2f} s  no more faults")
        self.recovery.stop()  # with no more events no value is fresh
        self.stream.pause()
        problems = self.settle()
        unknown = ["not tried"] if problems else self.start_afresh()
        self.readers.stop()
        self.judge(problems, unknown)

    def settle(self):
        """Waits until every value is right, the short windows being over; else what is wrong."""
        ended = time.monotonic()
        over_ms = self.stream.newest_ms + streams.SHORTER_MS
        # The oracle takes its time after a long run: there is always some left to wait.
        self.expected = published.Published([yaml_text.load(text) for text in self.world.views],
                                            self.stream.records, now_ms())
        oldest_ms = min(entity.newest() for entity in self.expected.entities.values())
        return self.until_right(
            max(CALM_S - (time.monotonic() - ended), CALM_S / 3), over_ms, lag_ms=DECAY_LAG_MS,
            elapsed_ms=now_ms() - oldest_ms + CALM_S * 1000)

    def start_afresh(self):
        """Every worker is killed; one that starts must know all entities, as their next event shows."""
        worker = self.world.start_afresh()
        for record in self.stream.one_each():
            self.expected.add(*record, wall_ms=now_ms())
        self.stream.finish()
        problems = self.until_right(CALM_S)
        if problems:
            return problems
        worker.drain()
        self.world.workers.remove(worker)
        read = worker.counters()["records"]
        self.note(f"the last one has read {read} of {len(self.stream.records)} records")
        # One more of each partition: the one that its state ends with, to see that the log is the same.
        most = streams.USERS + streams.PARTITIONS
        is_too_much = self.form == "checkpointed" and read > most
        return [f"it has read {read} records instead of {most}"] if is_too_much else []

    def until_right(self, seconds, from_ms=0, **limits):
        problems = []

        def is_right():
            self.world.look()
            if now_ms() < from_ms:
                return False
            with self.pair.client() as client:
                problems[:] = self.expected.check_redis(client, **limits)
            problems.extend(self.world.uncommitted())
            return not problems

        try:
            until(is_right, seconds, "every value equals the oracle's", every=0.5)
        except (AssertionError, OSError) as reason:
            return [str(reason), *problems, *self.histories(problems)]
        return []

    def histories(self, problems):
        """The last samples of the users that these sentences are about."""
        users = {int(word) for problem in problems for word in USER.findall(problem)}
        return ["\n".join([f"user {user}, partition {streams.partition_of(user)}: "
                           f"{self.stream.purchases[user]} purchases, {self.stream.refunds[user]} refunds",
                           *self.readers.lines_of(user)]) for user in sorted(users)[:5]]

    # ---- what came of it

    def judge(self, problems, unknown):
        faults = self.world.faults + self.world.crashes()
        done = sum(self.agent.counts.values())
        few = [] if self.readers.samples > 1000 else [f"{self.readers.samples} samples"]
        self.check("each sample is of a prefix of its entity's events", self.readers.wrong + few)
        self.check("when the faults are over every value becomes the oracle's", problems)
        self.check("and so it does with a worker that knows only what Redis and Kafka have", unknown)
        self.check("no worker ends but by the agent's hand", faults)
        self.check("every fault of the plan has happened",
                   [] if done == len(self.faults) else [f"{done} of {len(self.faults)}"])

    def check(self, sentence, problems):
        outcome = "failed" if problems else "passed"
        self.checks[outcome] += 1
        self.note(f"{outcome:<8} {sentence}" + (f"  (seed {self.seed})" if problems else ""))
        for problem in problems[:PROBLEMS_MAX]:
            self.note("    " + problem.replace("\n", "\n    "))

    def summarize(self):
        counts = self.agent.counts
        say(", ".join(f"{kind}: {counts[kind]}" for kind in agents.SHARES))
        say(f"events: {len(self.stream.records)}; values sampled: {self.readers.samples} (absent: "
            f"{self.readers.absent}, older than before: {self.readers.older}); wrong values: "
            f"{self.readers.wrong_count}")
        for name, times in (("with no other fault meanwhile", self.recovery.calm),
                            ("with others", self.recovery.disturbed)):
            say(f"kill -9 to a fresh value in each of its partitions, {name}: {spread(times)}")
        if self.recovery.too_late:
            say(f"kill -9 without, within {readers.RECOVERY_MAX_S} s: {self.recovery.too_late}")

    def keep(self):
        path = pathlib.Path(tempfile.mkdtemp(prefix=f"tidewheel-chaos-{self.seed}-"))
        (path / "chaos.log").write_text("\n".join(self.notes) + "\n")
        self.world.keep_logs(path)
        say(f"the logs are in {path}")

    def close(self):
        self.stream.pause()
        self.recovery.stop()
        self.readers.stop()
        self.world.close()
        self.stream.process.kill()
        self.pair.stop()
        self.kafka.stop()


def spread(times):
    if not times:
        return "none"
    ranked = sorted(times)
    p99 = ranked[min(len(ranked) - 1, round(len(ranked) * 0.99))]
    return f"median {statistics.median(ranked):.1f} s, p99 {p99:.1f} s, of {len(ranked)}"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    minutes = float(os.environ.get("CHAOS_MINUTES") or 3)
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(1 << 32))
    form = os.environ.get("CHAOS_FORM") or "checkpointed"
    rate = float(os.environ.get("CHAOS_RATE") or 300)
    if form not in FORMS:
        sys.exit(f"CHAOS_FORM is {' or '.join(FORMS)}, not {form}")
    say(f"chaos: CHAOS_SEED={seed} CHAOS_MINUTES={minutes:g} CHAOS_FORM={form} CHAOS_RATE={rate:g}")
    try:
        run = Run(form, minutes, seed, rate)
    except kafka.Unavailable as reason:
        say(f"failed   a real Kafka is needed: {reason}\n0 passed, 1 failed")
        return 1
    try:
        run.go()
    except Exception as problem:  # pylint: disable=broad-except
        run.check("the run comes to its end", [repr(problem), traceback.format_exc()])
    finally:
        run.close()
        run.summarize()
    if run.checks["failed"]:
        run.keep()
    say(f"{run.checks['passed']} passed, {run.checks['failed']} failed")
    return 1 if run.checks["failed"] or not run.checks["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
