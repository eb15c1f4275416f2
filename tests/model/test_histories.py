#!/usr/bin/env python3
"""The runner notices what is wrong, and pipeline files say what the dicts say."""

import os
import random
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import event as ev  # noqa: E402
import histories  # noqa: E402
import random_events  # noqa: E402
import where  # noqa: E402
import yaml_text  # noqa: E402

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10**9)))


class Yaml(unittest.TestCase):
    def plain(self, value):
        if isinstance(value, dict):
            return [(name, self.plain(item)) for name, item in value.items()]
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if where.is_number(value):
            return "number", ev.to_decimal(str(value))
        return type(value), value

    def test_what_is_written_reads_back(self):
        rng = random.Random(SEED)
        for _ in range(200):
            for one in random_events.random_pipelines(rng):
                for text in (yaml_text.dump(one), yaml_text.dump(one, rng)):
                    self.assertEqual(self.plain(yaml_text.load(text)), self.plain(one),
                                     (SEED, text))

    def test_the_example_of_the_page(self):
        text = """
            # pipelines/user_activity.yaml
            view: user_activity                  # a group
            source:
              topic: user_events
              timestamp: {field: ts, unit: ms}   # s | ms
            entity:
              keys: [{field: user_id, type: string}]
            features:
              - name: purchase
                where: {amount: {gt: 0, lte: 1000}, country: {in: [DE, FR]}, "not": {a: true}}
                windows: [1h, {length: 24h, hop: 1h}]
              - name: 'page # view'
            output:
              key: "features:{entity_type}:{entity_id}"
            """
        self.assertEqual(
            yaml_text.load("\n".join(row[12:] for row in text.split("\n"))), {
                "view": "user_activity", "source": {
                    "topic": "user_events", "timestamp": {"field": "ts", "unit": "ms"}},
                "entity": {"keys": [{"field": "user_id", "type": "string"}]}, "features": [{
                    "name": "purchase", "where": {
                        "amount": {"gt": "0", "lte": "1000"}, "country": {"in": ["DE", "FR"]},
                        "not": {"a": True}}, "windows": ["1h", {"length": "24h", "hop": "1h"}]}, {
                            "name": "page # view"}], "output": {
                                "key": "features:{entity_type}:{entity_id}"}})


class Runner(unittest.TestCase):
    """The runner notices what is wrong: the oracle stands in for the program, whole or bent."""

    def run_with(self, bend, count):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "program"
            program.write_text(f'#!/bin/sh\nshift\npython3 "{HERE / "oracle.py"}" "$@" | {bend}\n')
            program.chmod(0o755)
            failures = []
            for index in range(count):
                history = histories.random_history(SEED, index)
                failures.append(histories.check(str(program), history, Path(folder)))
            return [failure for failure in failures if failure]

    def test_the_oracle_agrees_with_itself(self):
        self.assertEqual(self.run_with("cat", 6), [], SEED)

    def test_a_wrong_count_is_noticed(self):
        bend = "sed -E 's/(count[^:]*\":)([0-9]+)/\\19\\2/'"
        self.assertTrue(self.run_with(bend, 6), SEED)

    def test_a_line_too_few_or_too_many_is_noticed(self):
        self.assertTrue(self.run_with("sed '$d'", 6), SEED)
        self.assertTrue(self.run_with("sed '$p'", 6), SEED)

    def test_a_wrong_counter_is_noticed(self):
        expected = {"accepted": 3, "rejected": 2, "no_key": 2, "empty": 0}
        self.assertIsNone(
            histories.counts_problem("x\nat=eval accepted=3 rejected=2 no_key=2", expected))
        self.assertIsNone(
            histories.counts_problem("at=eval no_key=2 empty=0 accepted=3 rejected=2", expected))
        for text in ("", "at=eval accepted=3 rejected=2",
                     "at=eval accepted=3 rejected=2 no_key=2 empty=1"):
            self.assertIsNotNone(histories.counts_problem(text, expected))


if __name__ == "__main__":
    print(f"test_histories: seed {SEED} (SEED=...)", file=sys.stderr)
    unittest.main()
