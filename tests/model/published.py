#!/usr/bin/env python3
"""What must lie in Redis, by the oracle, and whether it does (promises W, D, N, F, T).

    views = Published(pipelines, records, wall_ms)
    problems = views.check_redis(redis, lag_ms=..., elapsed_ms=...)    # [] if all is right

    published.py PIPELINE.yaml... -e RECORDS.ndjson --redis ADDRESS [--lag 30000] [--elapsed 60000]

records are (topic, bytes, record timestamp in ms or None[, partition]); the command reads lines of
`topic <TAB> record ms or - <TAB> partition <TAB> bytes`.

Values move while one looks: those of an entity are right if they are all the oracle's at one and
the same A in [time of reading - lag, time of reading]. A view with `clock: event` has its own A.
"""

import argparse
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))

import oracle  # noqa: E402
import resp  # noqa: E402
import yaml_text  # noqa: E402

BATCH = 500


def wall_clock_ms():
    return time.time_ns() // 1_000_000


def encoded(part):
    """A part of a key: percent-encoded outside [A-Za-z0-9_.-]."""
    return re.sub(rb"[^A-Za-z0-9_.-]", lambda match: b"%%%02X" % match[0][0],
                  str(part).encode()).decode()


class Entity:
    """What one view says of one entity."""

    def __init__(self, view, identity):
        self.view = view
        self.identity = identity
        parts = [encoded(part) for part in identity]
        words = {**view.constants(), **dict(zip((path for path, _ in view.key_specs()), parts))}
        if view.tenant:
            words["tenant"] = parts[0]
        words["entity_id"] = ":".join(parts[1:] if view.tenant else parts)
        self.key = oracle.fill(view.key, words)
        self.freshness_key = oracle.fill(view.freshness_key, words)
        self.events = []
        self.partition = None

    def feeding(self):
        """Events that at least one feature could count."""
        return [event for event in self.events if any(value is not None for value in event.values)]

    def alive(self, at_ms):
        """Events that are in a window at A."""
        return [event for event in self.events if
                any(value is not None and feature.holds(event.ts, at_ms)
                    for feature, value in zip(self.view.features, event.values))]

    def newest(self):
        """Promise F: the newest event time that fed the view; None: nothing did."""
        return max((event.ts for event in self.feeding()), default=None)

    def features(self, at_ms):
        """{field: oracle.Value} at A."""
        return oracle.features_at(self.view, self.events, at_ms)

    def moments(self, from_ms, to_ms):
        """The A in [from, to] at which the values may differ from those before: the first, and
        every A at which an event leaves a window."""
        windows = {(window.length_ms, window.hop_ms)
                   for feature in self.view.features for window in feature.windows}
        leaves = {oracle.floor_to(event.ts, hop) + hop + length
                  for event in self.events for length, hop in windows}
        return [from_ms, *sorted(leave for leave in leaves if from_ms < leave <= to_ms)]


class Published:
    def __init__(self, pipelines, records, wall_ms=None):
        """wall_ms: the wall clock that promise L's `future` is judged by; None refuses nothing."""
        self.views = [oracle.View(pipeline) for pipeline in pipelines]
        self.entities = {}  # (view name, identity) -> Entity
        self.clocks = {}    # (view name, partition) -> newest accepted timestamp
        self.rejected = dict.fromkeys(oracle.REJECTIONS, 0)  # of every record and view
        self.paths = oracle.paths_by_topic(self.views)
        for record in records:
            self.add(*record, wall_ms=wall_ms)

    def add(self, topic, line, record_ms, partition=0, wall_ms=None):
        if topic not in self.paths:
            return
        decode_reason, values = oracle.decode(line, self.paths[topic])
        for view in self.views:
            if view.topic != topic:
                continue
            reason, event = decode_reason, None
            if not reason:
                reason, event = oracle.judge(view, values, record_ms, wall_ms)
            if reason:
                self.rejected[reason] += 1
                continue
            clock = (view.name, partition)
            self.clocks[clock] = max(self.clocks.get(clock, 0), event.ts)
            key = (view.name, event.entity)
            if key not in self.entities:
                self.entities[key] = Entity(view, event.entity)
            entity = self.entities[key]
            entity.events.append(event)
            entity.partition = partition

    def expected(self, at_ms):
        """{(view name, identity): {key, freshness_key, fields, newest}} at A."""
        return {key: self.expected_of(entity, at_ms) for key, entity in self.entities.items()}

    def expected_of(self, entity, at_ms):
        return {"key": entity.key, "freshness_key": entity.freshness_key,
                "newest": entity.newest(), "fields": entity.features(self.clock_of(entity, at_ms))}

    def clock_of(self, entity, wall_ms):
        event_clock = self.clocks[entity.view.name, entity.partition]
        return event_clock if entity.view.clock == "event" else wall_ms

    def ttl_ms(self, of, template):
        """Of a hash that several views may share: the largest."""
        return max(view.ttl_ms for view in self.views if of(view) == template)

    # ---- comparing with Redis

    def check_redis(self, redis, lag_ms=31_000, elapsed_ms=None, slack_ms=2_000, ignore_key=None,
                    ignore_field=None, problems_max=20):
        """Problems as sentences, [] if there are none.

        lag_ms      how far behind the values may be (promise D)
        elapsed_ms  the longest time since an entity's newest event was written, of all entities:
                    bounds TTLs from below; None: no lower bound
        ignore_key(key), ignore_field(key, field): of other programs, as bytes
        """
        check = RedisCheck(self, redis, lag_ms, elapsed_ms, slack_ms, ignore_field, problems_max)
        check.run(list(self.entities.values()))
        check.no_other_keys(ignore_key)
        return check.problems


class RedisCheck:
    def __init__(self, published, redis, lag_ms, elapsed_ms, slack_ms, ignore_field, problems_max):
        self.published = published
        self.redis = redis
        self.lag_ms = lag_ms
        self.elapsed_ms = elapsed_ms
        self.slack_ms = slack_ms
        self.ignore_field = ignore_field or (lambda key, field: False)
        self.problems_max = problems_max
        self.problems = []
        self.values_compared = 0
        self.key_ttls = {
            view.key: published.ttl_ms(lambda v: v.key, view.key) for view in published.views}
        self.freshness_ttls = {view.freshness_key: published.ttl_ms(lambda v: v.freshness_key,
                                                                    view.freshness_key)
                               for view in published.views}

    def problem(self, sentence):
        if len(self.problems) < self.problems_max:
            self.problems.append(sentence)

    def run(self, entities):
        """Several views may share a hash: all entities of one key are looked at together."""
        by_key = {}
        for entity in entities:
            by_key.setdefault(entity.key, []).append(entity)
        groups = list(by_key.values())
        for at in range(0, len(groups), BATCH):
            if len(self.problems) < self.problems_max:
                self.run_batch(groups[at:at + BATCH])

    def run_batch(self, groups):
        commands = []
        for group in groups:
            commands += [("HGETALL", group[0].key), ("PTTL", group[0].key)]
            for entity in group:
                commands += [("HGETALL", entity.freshness_key), ("PTTL", entity.freshness_key)]
        begun_ms = wall_clock_ms()
        replies = iter(self.redis.pipeline(commands))
        ended_ms = wall_clock_ms()
        for group in groups:
            fields, ttl = resp.pairs(next(replies)), next(replies)
            if not isinstance(fields, dict):
                self.problem(f"{group[0].key}: {fields}")
                fields = {}
            left = {name for name in fields if not self.ignore_field(group[0].key.encode(), name)}
            for entity in group:
                freshness, freshness_ttl = resp.pairs(next(replies)), next(replies)
                self.check_entity(entity, fields, begun_ms, ended_ms)
                self.check_freshness(entity, fields, freshness, begun_ms, ended_ms)
                left -= {name.encode() for name, *_ in entity.view.fields()}
                if freshness:
                    self.check_ttl(entity.freshness_key, freshness_ttl,
                                   self.freshness_ttls[entity.view.freshness_key])
            if fields:
                self.check_ttl(group[0].key, ttl, self.key_ttls[group[0].view.key])
            for name in left:
                self.problem(f"{group[0].key}: a field too many: {name.decode(errors='replace')}")

    def span(self, entity, begun_ms, ended_ms):
        """The A that the values may be of."""
        if entity.view.clock == "event":
            clock = self.published.clock_of(entity, ended_ms)
            return clock, clock
        return begun_ms - self.lag_ms, ended_ms

    def check_entity(self, entity, fields, begun_ms, ended_ms):
        span = self.span(entity, begun_ms, ended_ms)
        moments = entity.moments(*span)
        got = {name: fields.get(name.encode()) for name, *_ in entity.view.fields()}
        got = {
            name: None if text is None else text.decode(errors="replace")
            for name, text in got.items()}
        if not any(text is not None for text in got.values()):
            if all(entity.alive(at_ms) for at_ms in moments):
                self.problem(f"{entity.key}: nothing of view {entity.view.name}, expected "
                             f"{entity.features(moments[-1])}")
            return
        differences = []
        for at_ms in reversed(moments):
            expected = entity.features(at_ms)
            wrong = [
                f"{name}: expected {value}, got {got[name]}" for name, value in expected.items()
                if not value.matches(got[name])]
            if not wrong:
                self.values_compared += len(got)
                return
            differences.append((len(wrong), at_ms, wrong))
        _, at_ms, wrong = min(differences)
        self.problem(f"{entity.key}, view {entity.view.name}, as of {at_ms} at best "
                     f"({len(moments)} moments in [{span[0]}, {span[1]}]): {'; '.join(wrong)}")

    def check_freshness(self, entity, fields, freshness, begun_ms, ended_ms):
        """Promise F. After a reading again, events that have left every window are unknown: so the
        newest is at least the newest that is alive, and at most the newest of all."""
        where = f"{entity.freshness_key}, view {entity.view.name}"
        if not isinstance(freshness, dict):
            self.problem(f"{where}: {freshness}")
            return
        alive = entity.alive(self.published.clock_of(entity, ended_ms))
        newest_alive = max((event.ts for event in alive), default=None)
        is_written = any(name.encode() in fields for name, *_ in entity.view.fields())
        known = {
            view.name.encode() + suffix for view in self.published.views
            for suffix in (b"", b":event") if view.freshness_key == entity.view.freshness_key}
        for name in freshness.keys() - known:
            if not self.ignore_field(entity.freshness_key.encode(), name):
                self.problem(f"{where}: a field too many: {name.decode(errors='replace')}")
        written, newest = (freshness.get(entity.view.name.encode() + suffix)
                           for suffix in (b"", b":event"))
        if written is None and is_written and alive:
            self.problem(f"{where}: no time of the write")
        latest = ended_ms + self.slack_ms
        if written is not None and not (written.isdigit() and int(written) <= latest):
            self.problem(f"{where}: the time of the write is {written!r}, read at {ended_ms}")
        if newest is None and newest_alive is not None and is_written:
            self.problem(f"{where}: no newest event time, expected {entity.newest()}")
        if newest is not None:
            possible = {event.ts for event in entity.feeding() if event.ts >= (newest_alive or 0)}
            possible = possible or {event.ts for event in entity.events}
            if not newest.isdigit() or int(newest) not in possible:
                self.problem(f"{where}: the newest event is {newest!r}, expected {entity.newest()}")

    def check_ttl(self, key, ttl, configured_ms):
        """Promise T: PTTL's answer."""
        if not 0 < ttl <= configured_ms + 1000:  # EXPIRE counts in seconds
            self.problem(f"{key}: TTL is {ttl} ms, configured {configured_ms}")
        elif self.elapsed_ms is not None:
            least = configured_ms - self.elapsed_ms - self.slack_ms
            if ttl < least:
                self.problem(f"{key}: TTL is {ttl} ms, expected at least {least}")

    def no_other_keys(self, ignore_key):
        """No key too many, but for the worker's own `{tw:`."""
        known = {key.encode() for entity in self.published.entities.values()
                 for key in (entity.key, entity.freshness_key)}
        for key in self.redis.keys():
            is_ours = not key.startswith(b"{tw:") and not (ignore_key and ignore_key(key))
            if is_ours and key not in known:
                self.problem(f"a key too many: {key.decode(errors='replace')}")


def read_records(data):
    for line in data.split(b"\n"):
        if line:
            topic, record_ms, partition, value = line.split(b"\t", 3)
            record_ms = None if record_ms == b"-" else int(record_ms)
            yield topic.decode(), value, record_ms, int(partition)


def main():
    parser = argparse.ArgumentParser(description="compares Redis with the oracle")
    parser.add_argument("pipelines", nargs="+")
    parser.add_argument("-e", dest="records", required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--lag", type=int, default=31_000)
    parser.add_argument("--elapsed", type=int)
    args = parser.parse_args()
    pipelines = [yaml_text.load(Path(file).read_text()) for file in args.pipelines]
    published = Published(pipelines, read_records(Path(args.records).read_bytes()), wall_clock_ms())
    with resp.Redis(args.redis) as redis:
        problems = published.check_redis(redis, args.lag, args.elapsed)
    for problem in problems:
        print(problem)
    print(f"published: {len(published.entities)} entities, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
