"""Readers: hashes are sampled all the while, and each must be of a prefix of its user's events.

    readers.samples  readers.absent  readers.older      how many
    readers.wrong                                       sentences, each with the user's last samples

While Redis is lost a hash may be absent, or older than it was seen before; never a mix.
"""

import collections
import random
import threading
import time

import resp
import streams

USERS_AT_ONCE = 12
PAUSE_S = 0.025
HISTORY = 12      # values that are kept of each hash
WRONG_MAX = 20    # users whose values are described
RECOVERY_MAX_S = 60
HOT_USERS = 8     # of each partition, looked at to see it recover


def shown(fields):
    return " ".join(f"{name.decode()}={value.decode()}" for name, value in sorted(fields.items()))


class Looker:
    """A connection to whoever is the primary now."""

    def __init__(self, pair):
        self.pair = pair
        self.client = None
        self.server = None

    def ask(self, commands):
        """The replies; None while nobody answers."""
        try:
            if self.server is not self.pair.primary:
                self.close()
            if not self.client:
                self.server = self.pair.primary
                self.client = self.pair.client(timeout_s=2)
            return self.client.pipeline(commands)
        except OSError:
            self.close()
            return None

    def close(self):
        if self.client:
            self.client.close()
        self.client = None


class Readers:
    def __init__(self, pair, made, seed):
        self.looker = Looker(pair)
        self.made = made  # the stream
        self.chance = random.Random(seed)
        self.begun = time.monotonic()
        self.samples = self.absent = self.older = self.wrong_count = 0
        self.wrong = []
        self.told = set()  # users
        self.history = collections.defaultdict(lambda: collections.deque(maxlen=HISTORY))
        self.seen = [0] * streams.USERS
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join()
        self.looker.close()

    def _run(self):
        while not self.stopped.wait(PAUSE_S):
            users = [self.chance.randrange(streams.USERS) for _ in range(USERS_AT_ONCE)]
            commands = [("HGETALL", key % user) for user in users
                        for key in ("features:user:%d", "life:%d")]
            replies = self.looker.ask(commands) or []
            for at, user in enumerate(users if replies else []):
                self._look(user, *(resp.pairs(reply) for reply in replies[2 * at:2 * at + 2]))

    def _look(self, user, shop, life):
        for name, fields, check in (("shop", shop, self._shop_faults), ("life", life, self._life_faults)):
            if not isinstance(fields, dict):
                self._refused(fields)
            elif not fields:
                self.absent += 1
            else:
                self.samples += 1
                faults = check(user, fields)
                history = self.history[user, name]
                if not history or history[-1][1] != fields:
                    history.append((time.monotonic() - self.begun, fields))
                if faults:
                    self._tell(user, faults)

    def _refused(self, error):
        """LOADING and the like pass; whatever else is said is no way to answer HGETALL."""
        if not str(error).startswith(("LOADING", "MASTERDOWN", "BUSY")):
            self.wrong_count += 1
            sentence = f"HGETALL was answered by: {error}"
            if sentence not in self.wrong:
                self.wrong.append(sentence)

    def _shop_faults(self, user, fields):
        purchases = streams.number(fields, f"purchase_{streams.LONGEST}_count") or 0
        self.older += purchases < self.seen[user]
        self.seen[user] = max(purchases, self.seen[user])
        return (streams.purchase_faults(fields, self.made.purchases[user])
                + streams.refund_faults(fields, self.made.refunds[user]))

    def _life_faults(self, user, fields):
        return streams.life_faults(fields, self.made.purchases[user])

    def _tell(self, user, faults):
        self.wrong_count += 1
        if user not in self.told and len(self.told) < WRONG_MAX:
            self.told.add(user)
            self.wrong.append("\n    ".join(
                [f"user {user}, partition {streams.partition_of(user)}, "
                 f"{time.monotonic() - self.begun:.2f} s: {'; '.join(faults)}", *self.lines_of(user)]))

    def lines_of(self, user):
        """The values that were seen last, each when it was first seen."""
        seen = [(at, name, fields) for name in ("shop", "life")
                for at, fields in list(self.history[user, name])]
        return [f"{at:8.2f} s  {name}  {shown(fields)}"
                for at, name, fields in sorted(seen, key=lambda one: one[0])]


class Recovery:
    """How long it takes from the kill of a worker until each of its partitions shows an event that was
    made after it. Those in whose course another fault fell are kept apart."""

    def __init__(self, pair, made):
        self.looker = Looker(pair)
        self.made = made
        self.hot = {partition: [] for partition in range(streams.PARTITIONS)}
        for user in range(streams.USERS):
            hot = self.hot[streams.partition_of(user)]
            if len(hot) < HOT_USERS:
                hot.append(user)
        self.waiting = []  # [when, {partition: {user: purchases made then}}, is_disturbed]
        self.calm, self.disturbed = [], []
        self.too_late = 0
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def on_fault(self):
        with self.lock:
            for one in self.waiting:
                one[2] = True

    def on_kill(self, partitions):
        if partitions:
            then = {partition: {user: self.made.purchases[user] for user in self.hot[partition]}
                    for partition in partitions}
            with self.lock:
                self.waiting.append([time.monotonic(), then, False])

    def stop(self):
        self.stopped.set()
        self.thread.join()
        self.looker.close()

    def _run(self):
        while not self.stopped.wait(0.02):
            with self.lock:
                waiting = list(self.waiting)
            if waiting:
                self._look({partition for one in waiting for partition in one[1]})

    def _look(self, partitions):
        users = [user for partition in partitions for user in self.hot[partition]]
        replies = self.looker.ask(
            [("HGET", f"features:user:{user}", f"purchase_{streams.LONGEST}_count") for user in users])
        counts = {user: float(reply) for user, reply in zip(users, replies or []) if isinstance(reply, bytes)}
        with self.lock:
            self.waiting = [one for one in self.waiting if not self._is_over(one, counts)]

    def _is_over(self, one, counts):
        begun, then, is_disturbed = one
        for partition in list(then):
            if any(counts.get(user, 0) > count for user, count in then[partition].items()):
                del then[partition]
        took = time.monotonic() - begun
        if not then:
            (self.disturbed if is_disturbed else self.calm).append(took)
        elif took > RECOVERY_MAX_S:
            self.too_late += 1
            return True
        return not then
