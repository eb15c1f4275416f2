#!/usr/bin/env python3
"""check_redis(), on a real Redis: what is right is right, and all else is noticed."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "kit"))

import oracle  # noqa: E402
import published  # noqa: E402
import resp  # noqa: E402


def pipeline(**changes):
    base = {"view": "v", "source": {"topic": "t", "timestamp": {"field": "ts", "unit": "ms"}},
            "entity": {"type": "user", "keys": [{"field": "u", "type": "string"}]},
            "features": [{"name": "f", "value": "x", "windows": ["1h"],
                          "aggregates": ["count", "sum", "min", "max", "avg"]}]}
    return {**base, **changes}


def line(**members):
    return json.dumps(members).encode()


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class RedisCheck(unittest.TestCase):
    """check_redis() finds what is right right, and everything else wrong."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="oracle-")
        address = cls.folder + "/redis.sock"
        cls.server = subprocess.Popen([
            "redis-server", "--port", "0", "--unixsocket", address, "--save", "", "--dir",
            cls.folder],
                                      stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                cls.redis = resp.Redis(address)
                break
            if time.monotonic() > deadline:
                cls.tearDownClass()
                raise TimeoutError("redis-server does not answer")
            time.sleep(0.01)

    @classmethod
    def tearDownClass(cls):
        if hasattr(cls, "redis"):
            cls.redis.close()
        cls.server.terminate()
        cls.server.wait()
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.redis.call("FLUSHALL")
        self.now = published.wall_clock_ms()
        views = [pipeline(view="one"), pipeline(view="two", entity={
            "type": "user", "tenant": {"field": "o"}, "keys": [{"field": "u", "type": "string"}]})]
        records = [("t", line(ts=self.now - age, u=user, o="o/1", x=x), self.now)
                   for age, user, x in ((0, "a:b", 1.5), (5000, "a:b", 2), (3_000_000, "c", -1),
                                        (9_000_000, "dead", 7))]
        records.append(("t", line(ts=self.now + 600_000, u="later", o="o/1", x=1), self.now))
        records.append(("elsewhere", b"", None))
        self.views = published.Published(views, records, self.now)
        self.key = "features:user:a%3Ab"
        for entity in self.views.entities.values():
            if entity.identity[-1] != "dead":
                self.write(entity)

    def write(self, entity):
        for name, value in entity.features(self.now).items():
            if not value.is_nothing():
                self.redis.call("HSET", entity.key, name, value.text())
        self.redis.call("HSET", entity.freshness_key, entity.view.name, self.now,
                        entity.view.name + ":event", entity.newest())
        for key in (entity.key, entity.freshness_key):
            self.redis.call("EXPIRE", key, 7200)

    def problems(self, **options):
        return self.views.check_redis(self.redis, **{"lag_ms": 1000, "elapsed_ms": 1000, **options})

    def test_what_is_right_is_right(self):
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.views.rejected["future"], 2)
        self.assertEqual({entity.key for entity in self.views.entities.values()}, {
            self.key, "features:user:c", "features:user:dead", "o%2F1:user:a%3Ab", "o%2F1:user:c",
            "o%2F1:user:dead"})

    def test_an_entity_with_nothing_alive_may_be_zero(self):
        for entity in self.views.entities.values():
            self.write(entity)
        self.assertEqual(self.problems(), [])
        self.redis.call("HSET", "features:user:dead", "f_1h_min", "7")
        self.assertEqual(len(self.problems()), 1)

    def test_everything_else_is_a_problem(self):
        for command in (("HSET", self.key, "f_1h_count", "3"), ("HSET", self.key, "f_1h_sum",
                                                                "3.25"),
                        ("HDEL", self.key, "f_1h_sum"), ("HSET", self.key, "f_1h_extra", "1"),
                        ("DEL", self.key), ("SET", "features:user:x", "1"), ("PERSIST", self.key),
                        ("EXPIRE", self.key, 7300), ("EXPIRE", self.key,
                                                     7100), ("HDEL", "freshness:user:c", "one"),
                        ("HSET", "freshness:user:c", "one:event",
                         "5"), ("HSET", "freshness:user:c", "x",
                                "5"), ("HSET", "freshness:user:c", "one",
                                       self.now + 99_999), ("PERSIST", "o%2F1:freshness:user:c")):
            self.setUp()
            self.redis.call(*command)
            self.assertNotEqual(self.problems(), [], command)

    def test_values_may_lag_but_not_be_a_mix(self):
        # The values of a minute ago, when both windows held both events; then such that no A gives.
        feature = [{
            "name": "f", "aggregates": ["count"], "windows": ["1s", {"length": "2s", "hop": "1s"}]}]
        self.redis.call("FLUSHALL")
        first = oracle.floor_to(self.now, 1000) - 3000
        self.views = published.Published([pipeline(features=feature)], [
            ("t", line(ts=ts, u="a"), ts) for ts in (first, first - 5)])
        [entity] = self.views.entities.values()
        before = entity.features(self.now - 60_000)
        self.now -= 60_000
        self.write(entity)
        self.now += 60_000
        self.assertEqual([value.text() for value in before.values()], ["2", "2"])
        self.redis.call("EXPIRE", entity.key, 4)
        self.redis.call("EXPIRE", entity.freshness_key, 4)
        self.assertEqual(self.problems(lag_ms=60_000), [])
        self.assertNotEqual(self.problems(lag_ms=10), [])
        self.redis.call("HSET", entity.key, "f_1s_count", "2", "f_2s_count", "0")
        self.assertNotEqual(self.problems(lag_ms=60_000), [])

    def test_other_programs_may_be_there(self):
        self.redis.call("HSET", self.key, "other", "1")
        self.redis.call("SET", "elsewhere", "1")
        self.redis.call("SET", "{tw:g}:alive:1", "1")
        self.assertEqual(len(self.problems()), 2)
        self.assertEqual(self.problems(ignore_key=lambda key: key == b"elsewhere",
                                       ignore_field=lambda key, field: field == b"other"), [])


if __name__ == "__main__":
    unittest.main()
