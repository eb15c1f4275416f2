"""What the agent works on: workers of one group, and a Redis with a replica."""

import re

import streams
import worker

CRASH = re.compile(r"Sanitizer|runtime error:|at=bug")


class World:
    def __init__(self, kafka, pair, topic, recovery, flags, session_ms):
        self.kafka = kafka
        self.pair = pair
        self.group = self.topic = topic
        self.recovery = recovery
        self.flags = flags
        self.session_ms = session_ms
        self.views = [text.format(topic=topic) for text in streams.VIEWS]
        self.workers = []   # that are meant to run
        self.leaving = []   # that were sent SIGTERM
        self.all = []
        self.faults = []    # of workers: sentences

    def start(self, threads, entities_max=100):
        """threads of its own, and how many entities it writes at once."""
        number = len(self.all) + 1
        one = worker.Worker(self.kafka, self.pair, self.group, self.views, workers=threads,
                            session_ms=self.session_ms, name=f"worker-{number}",
                            flags=[*self.flags, "-s", f"flush.entities_max={entities_max}"])
        one.is_frozen = False
        self.workers.append(one)
        self.all.append(one)
        return one

    def on_fault(self):
        self.recovery.on_fault()

    def look(self):
        """Workers that have ended by themselves are noted, and replaced."""
        for one in [one for one in self.workers if not one.is_running()]:
            self.workers.remove(one)
            self.faults.append(f"{one.name} has ended by itself\n{one.tail(20)}")
            self.start(1)
        for one in [one for one in self.leaving if not one.is_running()]:
            self.leaving.remove(one)
            if one.wait(1) != 0:
                self.faults.append(f"{one.name} was told to leave\n{one.tail(20)}")

    def kill(self, one):
        """Returns its partitions."""
        units = sorted(int(unit.rsplit("/", 1)[1]) for unit in one.units())
        self.on_fault()
        self.workers.remove(one)
        one.kill()
        self.recovery.on_kill(units)
        return units

    def freeze(self, one):
        self.on_fault()
        one.freeze()
        one.is_frozen = True

    def thaw(self, one):
        self.on_fault()
        one.thaw()
        one.is_frozen = False

    def leave(self, one):
        self.on_fault()
        self.workers.remove(one)
        one.signal(15)
        self.leaving.append(one)

    def start_afresh(self):
        """All are killed, and one starts: it knows only what Redis and Kafka have."""
        for one in list(self.workers):
            self.kill(one)
        return self.start(2)

    def uncommitted(self):
        """What the group has not committed, as sentences."""
        committed = {row[1]: int(row[2]) for row in self.kafka.topics("committed", self.group, self.topic)}
        return [f"partition {partition}: committed {committed[partition]} of {end}"
                for _, partition, _, end in self.kafka.topics("ends", self.topic)
                if committed[partition] < int(end)]

    def crashes(self):
        return [f"{one.name}: {line}" for one in self.all for line in list(one.output) if CRASH.search(line)]

    def keep_logs(self, path):
        for one in self.all:
            (path / f"{one.name}.log").write_text("\n".join(one.output) + "\n")
        for number, server in enumerate(self.pair.servers):
            (path / f"redis-{number}.log").write_text("\n".join(server.process.output) + "\n")

    def close(self):
        for one in self.all:
            one.kill()
