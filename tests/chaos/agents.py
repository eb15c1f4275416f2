"""What goes wrong, and when: a plan that the seed makes, and the hands that carry it out.

    plan(seed, minutes) -> [(seconds, "kill"), ...]      every kind, in shares, shuffled; bursts and calm
    Agent(world, seed, ...).run(plan)                    a line for each fault

A fault may have a second half (a worker that was stopped is woken, one that was killed starts again, a
server comes back): other faults fall in between.
"""

import collections
import heapq
import itertools
import random
import time

import resp

# How many of each in ten minutes.
SHARES = {
    "kill": 78,        # a worker, by kill -9; it starts again
    "stop": 15,        # a worker, by SIGSTOP, beyond the session timeout
    "redis kill": 8,   # the primary, by kill -9; it comes back, perhaps older
    "failover": 8,     # the replica leads, and may have fallen behind
    "flush": 2,        # FLUSHALL
    "key": 3,          # one key of the workers' own state
    "join": 5,         # one more worker
    "leave": 5,        # one fewer, by SIGTERM
}
WORKERS_MIN, WORKERS_MAX = 2, 5
LATER_S = 0.7  # what cannot be done now is tried again


def plan(seed, minutes):
    chance = random.Random(f"plan {seed}")
    kinds = [kind for kind, share in SHARES.items() for _ in range(max(1, round(share * minutes / 10)))]
    chance.shuffle(kinds)
    # A third comes in bursts; between them all have time to recover, and so something to lose.
    gaps = [chance.choice([chance.uniform(0.05, 0.5), chance.uniform(3, 8), chance.uniform(5, 12)])
            for _ in kinds]
    scale = minutes * 60 / sum(gaps)
    return list(zip((at * scale for at in itertools.accumulate(gaps)), kinds))


class Agent:
    def __init__(self, world, seed, session_s, say):
        self.world = world
        self.chance = random.Random(f"agent {seed}")
        self.session_s = session_s
        self.say = say
        self.begun = time.monotonic()
        self.counts = collections.Counter()
        self.tasks = []
        self.numbers = itertools.count()
        self.is_redis_busy = False  # a fault of Redis has its second half to come

    def seconds(self):
        return time.monotonic() - self.begun

    def later(self, seconds, task, *args):
        heapq.heappush(self.tasks, (self.seconds() + seconds, next(self.numbers), task, args))

    def run(self, faults):
        """Until all of it has happened, second halves included."""
        for at, kind in faults:
            heapq.heappush(self.tasks, (at, next(self.numbers), self.fault, (kind,)))
        while self.tasks:
            at, _, task, args = heapq.heappop(self.tasks)
            while self.seconds() < at:
                time.sleep(min(0.1, max(0.0, at - self.seconds())))
                self.world.look()
            task(*args)

    def fault(self, kind):
        done = getattr(self, kind.replace(" ", "_"))()
        if done is None:
            self.later(LATER_S, self.fault, kind)
            return
        self.counts[kind] += 1
        self.say(f"{self.seconds():8.2f} s  {kind:<10} {done}")

    def tell(self, text):
        self.say(f"{self.seconds():8.2f} s  ..         {text}")

    def worker(self, is_awake=False):
        """Any that runs; None: none does."""
        running = [one for one in self.world.workers if not (is_awake and one.is_frozen)]
        return self.chance.choice(running) if running else None

    # ---- workers

    def kill(self):
        # Mostly one that has something to do.
        busy = [one for one in self.world.workers if one.units()] if self.chance.random() < 0.8 else []
        worker = self.chance.choice(busy) if busy else self.worker()
        if not worker:
            return None
        units = self.world.kill(worker)
        pause = self.chance.choice([0, 0, self.chance.uniform(0, 4)])
        self.later(pause, self.start)
        return f"{worker.name} (partitions {units}), starts again after {pause:.1f} s"

    def start(self):
        self.tell(f"{self.start_one().name} starts")

    def start_one(self):
        """Small batches make a checkpoint long, and so likely to be cut short."""
        return self.world.start(self.chance.choice([1, 2]), self.chance.choice([1, 3, 10, 100]))

    def stop(self):
        worker = self.worker(is_awake=True)
        if not worker:
            return None
        pause = self.session_s + self.chance.uniform(0.5, 4)
        self.world.freeze(worker)
        self.later(pause, self.wake, worker)
        return f"{worker.name} for {pause:.1f} s"

    def wake(self, worker):
        if worker.is_running():
            self.world.thaw(worker)
            self.tell(f"{worker.name} wakes")

    def join(self):
        if len(self.world.workers) >= WORKERS_MAX:
            return None
        self.world.on_fault()
        return self.start_one().name

    def leave(self):
        worker = self.worker(is_awake=True)
        if not worker or len(self.world.workers) <= WORKERS_MIN:
            return None
        self.world.leave(worker)
        return worker.name

    # ---- Redis

    def redis_kill(self):
        if self.is_redis_busy:
            return None
        self.is_redis_busy = True
        self.world.on_fault()
        size = None
        older = self.chance.choice([0, self.chance.uniform(0.02, 0.3), self.chance.uniform(0.3, 4)])
        if older:
            size = self.world.pair.log_size()
        away = self.chance.choice([0, self.chance.uniform(0, 3)])
        self.later(older, self.redis_dies, size, away)
        return f"in {older:.2f} s, back after {away:.1f} s" + (", as it is now" if older else "")

    def redis_dies(self, size, away):
        self.world.on_fault()
        self.world.pair.kill()
        self.tell("Redis dies")
        self.later(away, self.redis_returns, size)

    def redis_returns(self, size):
        self.world.pair.restart(size)
        self.is_redis_busy = False
        self.tell("Redis is back")

    def failover(self):
        pair = self.world.pair
        if self.is_redis_busy or not self.is_followed():
            return None
        self.is_redis_busy = True
        how = self.chance.choice(["killed", "demoted", "readonly"])
        lag = self.chance.choice([0, self.chance.uniform(0.02, 0.3), self.chance.uniform(0.3, 4)])
        pair.cut_off()
        self.later(lag, self.fail_over, how)
        return f"the replica is {lag:.2f} s behind, the old primary {how}"

    def is_followed(self):
        try:
            return self.world.pair.is_followed()
        except (OSError, resp.RespError):
            return False

    def fail_over(self, how):
        self.world.on_fault()
        self.world.pair.fail_over(how)
        self.is_redis_busy = False
        self.tell("the replica leads")

    def flush(self):
        return self.spoil("FLUSHALL")

    def key(self):
        try:
            with self.world.pair.client() as client:
                keys = sorted(key for key in client.keys() if key.startswith(b"{tw:"))
        except (OSError, resp.RespError):
            return None
        if not keys:
            return None
        # As often the one key of a unit that says whose it is, as one of its many blobs.
        metas = [key for key in keys if key.endswith(b":m")]
        key = self.chance.choice(metas if metas and self.chance.random() < 0.4 else keys)
        return self.spoil("DEL", key)

    def spoil(self, *command):
        if self.is_redis_busy:
            return None
        self.world.on_fault()
        try:
            self.world.pair.call(*command)
        except (OSError, resp.RespError):
            return None
        return " ".join(word if isinstance(word, str) else word.decode() for word in command)
