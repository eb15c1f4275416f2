#!/usr/bin/env python3
"""What print-config prints loads again, and is the same then.

    test_print_config.py       TIDEWHEEL_BIN names another build
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "kit"))

from process import folder  # noqa: E402
from worker import binary  # noqa: E402

LINE = re.compile(r"^(.*\S) {2,}# (.+)$")


def printed(*words, cwd=TREE):
    env = {name: value for name, value in os.environ.items() if not name.startswith("TIDEWHEEL_")}
    done = subprocess.run([binary(), "print-config", *words], capture_output=True, text=True, cwd=cwd, env=env,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines(text):
    """Without where they came from."""
    return [found[1] if (found := LINE.match(line)) else line for line in text.splitlines()]


def origins(text):
    return {found[2] for line in text.splitlines()[1:] if (found := LINE.match(line))}


class PrintConfig(unittest.TestCase):
    def setUp(self):
        self.folder = folder("print-config")

    def check_again(self, text):
        file = self.folder / "again.yaml"
        file.write_text(text)
        file.chmod(0o600)
        again = printed("-c", file, cwd="/")
        self.assertEqual(lines(again), lines(text))
        for origin in origins(again):
            self.assertRegex(origin, f"^(default|{file}:[0-9]+)$")

    def test_defaults_load_again(self):
        text = printed(cwd=self.folder)
        self.assertEqual(origins(text), {"default"})
        self.check_again(text)

    def test_the_examples_load_again(self):
        for name in ("tidewheel", "reference"):
            self.check_again(printed("-c", f"config/{name}.yaml"))

    def test_hostile_texts_load_again(self):
        texts = ["a: b # c", "${HOME}", "$$", "'\"\\", "  x  ", "- y", "{z}", "null", "\u00e9\U0001f600", "*&!%@`"]
        for text in texts:
            shown = printed("-s", f"kafka.group_id={text}", "-s", f"kafka.librdkafka.client.rack={text}",
                            cwd=self.folder)
            self.check_again(shown)

    def test_every_origin(self):
        file = self.folder / "f.yaml"
        file.write_text("workers: 4\n")
        text = printed("-c", "f.yaml", "-s", "flush.interval=1s", "-X", "debug=cgrp", cwd=self.folder)
        self.assertEqual(origins(text), {"default", "f.yaml:1", "-s", "-X"})


if __name__ == "__main__":
    unittest.main()
