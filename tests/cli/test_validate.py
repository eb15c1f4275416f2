#!/usr/bin/env python3
"""What validate finds in a configuration that only shows once all of it is read.

    test_validate.py       TIDEWHEEL_BIN names another build
"""

import os
import pathlib
import subprocess
import sys
import unittest

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "kit"))

from worker import binary  # noqa: E402

CONFIG = 78


def validate(*words):
    env = {name: value for name, value in os.environ.items() if not name.startswith("TIDEWHEEL_")}
    return subprocess.run([binary(), "validate", "-c", "config/tidewheel.yaml", *words], capture_output=True,
                          text=True, cwd=TREE, env=env, check=False)


class Validate(unittest.TestCase):
    def test_properties_that_make_no_producer(self):
        slow = ("-X", "linger.ms=60000")
        letters = ("-s", "dead_letter.topic=letters")
        done = validate(*slow, *letters)
        self.assertEqual(done.returncode, CONFIG, done.stderr)
        self.assertRegex(done.stderr, "kafka.librdkafka: .*linger.ms")
        for fine in (slow, letters, (*letters, "-X", "linger.ms=100")):
            done = validate(*fine)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_user_is_no_secret(self):
        done = validate("-s", "redis.url=redis://librdkafka@localhost", "-X", "no.such=1")
        self.assertIn("librdkafka says: No such configuration property", done.stderr)
        done = validate("-s", "redis.url=redis://me:librdkafka@localhost", "-X", "no.such=1")
        self.assertIn("*** says: No such configuration property", done.stderr)


if __name__ == "__main__":
    unittest.main()
