#!/usr/bin/env python3
"""Files that the program makes from its own tables, and that lie in the tree for whoever reads or installs it.

    generated.py             says which are not what the binary makes now; exits 1 if one is not
    generated.py --write     writes them
"""

import os
import pathlib
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parents[2]
BINARY = TREE / os.environ.get("BUILD", "build") / "tidewheel"

FILES = {
    "config/man/tidewheel.1": ["generate", "man"],
    "config/completions/tidewheel.bash": ["generate", "bash"],
    "config/completions/tidewheel.zsh": ["generate", "zsh"],
    "config/completions/tidewheel.fish": ["generate", "fish"],
    "config/reference.yaml": ["generate", "reference"],
    "schema/config.json": ["schema", "config"],
    "schema/pipeline.json": ["schema", "pipeline"],
}


def made(words):
    return subprocess.run([BINARY, *words], capture_output=True, check=True).stdout


def outdated():
    """Those that differ, and those that are not there."""
    for name, words in FILES.items():
        path = TREE / name
        if not path.exists() or path.read_bytes() != made(words):
            yield name


def write():
    for name, words in FILES.items():
        path = TREE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made(words))


def main():
    if sys.argv[1:] == ["--write"]:
        write()
        return 0
    names = list(outdated())
    for name in names:
        print(f"{name}: is not what {BINARY.name} makes now: run make generated")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
