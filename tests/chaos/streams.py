"""What is produced: a steady stream of events whose features tell of which prefix they are.

The n-th purchase of a user has the amount n, and the n-th refund as well. So whatever has been counted
must also have the sum n(n+1)/2; and as purchases come in the order of their timestamps, a shorter
window holds the last of them: c of n make c(2n-c+1)/2, the least is n-c+1, the largest n. Refunds come
late, in any order.
"""

import json
import random
import subprocess
import threading
import time
import zlib

from process import BUILD, Process

PARTITIONS = 6
USERS = 400
LATE_MS = 90_000
WINDOWS = ("10s", "1m", "7d")
LONGEST = "7d"
SHORTER_MS = 60_000  # all other windows are over so long after the last event

VIEWS = ["""\
view: shop
source: {{topic: {topic}, timestamp: {{field: ts, unit: ms}}}}
entity: {{type: user, keys: [{{field: user_id, type: string}}]}}
features:
  - name: purchase
    where: {{event_type: purchase}}
    value: amount
    aggregates: [count, sum, min, max]
    windows: [10s, 1m, 7d]
  - name: refund
    where: {{event_type: refund}}
    value: amount
    aggregates: [count, sum]
    windows: [10s, 1m, 7d]
""", """\
view: life
source: {{topic: {topic}, timestamp: {{field: ts, unit: ms}}}}
entity: {{type: user, keys: [{{field: user_id, type: string}}]}}
features:
  - name: all
    where: {{event_type: purchase}}
    value: amount
    aggregates: [count, sum, avg]
    windows: [7d]
output: {{key: "life:{{entity_id}}"}}
"""]


def partition_of(user):
    return zlib.crc32(str(user).encode()) % PARTITIONS


class Stream:
    """The producer: a thread that makes events, and a process that writes them to Kafka."""

    def __init__(self, servers, topic, rate, seed):
        self.topic = topic
        self.rate = rate
        self.chance = random.Random(seed)
        self.records = []                # what the oracle is told
        self.purchases = [0] * USERS     # made so far, by user
        self.refunds = [0] * USERS
        self.newest_ms = 0
        self.stopped = threading.Event()
        self.process = Process([BUILD / "tidewheel-produce", "-b", servers, "-t", topic],
                               name="produce", stdin=subprocess.PIPE)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        begun, made = time.monotonic(), 0
        while not self.stopped.wait(0.01):
            due = int((time.monotonic() - begun) * self.rate)
            self._make(due - made)
            made = due

    def _make(self, count):
        # A few users do most of it.
        self._send([self._event(int(USERS * self.chance.random() ** 2), self.chance.random() < 0.9)
                    for _ in range(count)])

    def _event(self, user, is_purchase):
        self.newest_ms = max(self.newest_ms, time.time_ns() // 1_000_000)
        counts = self.purchases if is_purchase else self.refunds
        # Counted before it is sent: nobody can see more than was counted.
        counts[user] += 1
        event = {"user_id": str(user), "event_type": "purchase" if is_purchase else "refund",
                 "amount": counts[user],
                 "ts": self.newest_ms - (0 if is_purchase else self.chance.randrange(LATE_MS))}
        return self._line(user, json.dumps(event).encode())

    def _send(self, lines):
        try:
            self.process.child.stdin.write(b"".join(lines))
            self.process.child.stdin.flush()
        except OSError:
            self.stopped.set()  # finish() says why

    def _line(self, user, value):
        key, partition = str(user).encode(), partition_of(user)
        self.records.append((self.topic, value, self.newest_ms, partition))
        return b"!raw %d %d %d %d\n%s%s\n" % (partition, self.newest_ms, len(key), len(value), key, value)

    def pause(self):
        self.stopped.set()
        self.thread.join()

    def one_each(self):
        """One more purchase of every user. Returns the records."""
        count = len(self.records)
        self._send([self._event(user, True) for user in range(USERS)])
        return self.records[count:]

    def finish(self):
        """No more events; all have been delivered."""
        self.process.child.stdin.close()
        if self.process.wait(60) != 0:
            raise AssertionError("the producer failed\n" + self.process.tail())


def number(fields, name):
    """None: there is no such field. What is no number equals nothing."""
    text = fields.get(name.encode())
    try:
        return None if text is None else float(text)
    except ValueError:
        return float("nan")


def purchase_faults(fields, made):
    """What is wrong with the purchases in a hash of view shop."""
    n = number(fields, f"purchase_{LONGEST}_count")
    if n is None or n > made:
        return [f"{n} purchases counted, {made} made"]
    longer = n
    for window in reversed(WINDOWS):
        c, total, least, most = (number(fields, f"purchase_{window}_{aggregate}")
                                 for aggregate in ("count", "sum", "min", "max"))
        if c is None or not 0 <= c <= longer:
            return [f"{window}: the count is {c}, of the longer window {longer}"]
        if total != c * (2 * n - c + 1) / 2:
            return [f"{window}: {c:.0f} of {n:.0f} purchases have the sum {total}"]
        if (least, most) != ((n - c + 1, n) if c else (None, None)):
            return [f"{window}: {c:.0f} of {n:.0f} purchases are from {least} to {most}"]
        longer = c
    return []


def refund_faults(fields, made):
    n, total = (number(fields, f"refund_{LONGEST}_{aggregate}") for aggregate in ("count", "sum"))
    if n is None or n > made or total != n * (n + 1) / 2:
        return [f"{n} refunds have the sum {total}, {made} made"]
    longer = n
    for window in reversed(WINDOWS):
        c, total = (number(fields, f"refund_{window}_{aggregate}") for aggregate in ("count", "sum"))
        if c is None or total is None or not 0 <= c <= longer or not c * (c + 1) / 2 <= total <= c * n:
            return [f"{window}: {c} of {n:.0f} refunds have the sum {total}"]
        longer = c
    return []


def life_faults(fields, made):
    n, total, average = (number(fields, f"all_{LONGEST}_{aggregate}")
                         for aggregate in ("count", "sum", "avg"))
    if n is None or n > made or total != n * (n + 1) / 2:
        return [f"{n} purchases have the sum {total}, {made} made"]
    if average != ((n + 1) / 2 if n else None):
        return [f"{n} purchases have the average {average}"]
    return []
