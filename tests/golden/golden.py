#!/usr/bin/env python3
"""Golden tests: a command line, and what it must print.

A folder with a file `cmd` is a case; it runs in a copy of the folder. `cmd` holds the command, one or
more words a line, `tidewheel` first; lines NAME=value before it set the environment, and lines that
begin with # are comments. A file `stdin`, if there is one, is fed to the command.

A folder with a file `cmd.each` is many cases: one for each of its *.yaml, whose name stands for {}.

What is expected lies in the folder's `expected`, or beside the file in `<name>.expected`:

    exit 78
    --- stdout
    --- stderr
    broken.yaml:3:1: agregates: unknown key; did you mean 'aggregates'?

`<...>` there stands for anything within a line, and a line `<file schema/config.json>` for that file
of the project. --update writes what is printed now.

    tests/golden/golden.py [--tidewheel build/tidewheel] [--update] [NAME...]

TIDEWHEEL_BIN names another build too.
"""

import argparse
import difflib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 60


class Case:
    def __init__(self, name, folder, cmd, expected, file=""):
        self.name, self.folder, self.cmd, self.expected, self.file = name, folder, cmd, expected, file

    def command(self, tidewheel):
        """The words to run, and the environment that they see."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("TIDEWHEEL_")}
        words = []
        for line in self.cmd.read_text().splitlines():
            if line.startswith("#"):
                continue
            for word in shlex.split(line):
                if not words and re.match(r"[A-Z_]+=", word):
                    name, _, value = word.partition("=")
                    env[name] = value
                else:
                    words.append(word.replace("{}", self.file))
        assert words and words[0] == "tidewheel", f"{self.cmd}: begins with tidewheel"
        return [tidewheel, *words[1:]], env

    def run(self, tidewheel):
        """What is printed, in the form of an `expected` file."""
        words, env = self.command(tidewheel)
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder) / "case"
            shutil.copytree(self.folder, work)
            stdin = work / "stdin"
            result = subprocess.run(
                words, cwd=work, env=env, capture_output=True, timeout=TIMEOUT_S,
                input=stdin.read_bytes() if stdin.exists() else b"")
        out, err = (text.decode("utf-8", "backslashreplace") for text in (result.stdout, result.stderr))
        return f"exit {result.returncode}\n--- stdout\n{ended(out)}--- stderr\n{ended(err)}"


def ended(text):
    return text if not text or text.endswith("\n") else text + "\n<no newline>\n"


def find_cases():
    for cmd in sorted(ROOT.rglob("cmd")):
        folder = cmd.parent
        yield Case(str(folder.relative_to(ROOT)), folder, cmd, folder / "expected")
    for cmd in sorted(ROOT.rglob("cmd.each")):
        folder = cmd.parent
        for file in sorted(folder.glob("*.yaml")):
            yield Case(str(file.relative_to(ROOT)), folder, cmd, file.with_suffix(".expected"), file.name)


def is_like(expected, actual):
    pattern = ".*".join(re.escape(piece) for piece in expected.split("<...>"))
    return re.fullmatch(pattern, actual) is not None


def difference(expected, actual):
    """Lines of a diff; none if all is as expected."""
    wanted, found = expected.splitlines(), actual.splitlines()
    if len(wanted) == len(found) and all(map(is_like, wanted, found)):
        return []
    return list(difflib.unified_diff(wanted, found, "expected", "printed", lineterm=""))


def read_expected(path):
    """The text, and whether files of the project are part of it."""
    text = path.read_text() if path.exists() else ""
    project = ROOT.parent.parent
    whole = re.sub(r"^<file (.+)>\n", lambda found: (project / found[1]).read_text(), text, flags=re.M)
    return whole, whole != text


def check(case, args):
    actual = case.run(args.tidewheel)
    expected, has_files = read_expected(case.expected)
    lines = difference(expected, actual)
    if lines and args.update and not has_files:
        case.expected.write_text(actual)
        print(f"updated {case.name}")
        return True
    for line in lines:
        print(f"    {line}")
    if lines:
        print(f"failed  {case.name}")
    return not lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tidewheel", default=os.environ.get(
        "TIDEWHEEL_BIN", str(ROOT.parent.parent / "build" / "tidewheel")))
    parser.add_argument("--update", action="store_true")
    parser.add_argument("names", nargs="*", help="only cases whose name has one of these in it")
    args = parser.parse_args()
    args.tidewheel = str(pathlib.Path(args.tidewheel).resolve())
    cases = [case for case in find_cases()
             if not args.names or any(name in case.name for name in args.names)]
    passed = sum([check(case, args) for case in cases])
    print(f"{passed} passed, {len(cases) - passed} failed, 0 skipped")
    return 0 if passed == len(cases) and cases else 1


if __name__ == "__main__":
    sys.exit(main())
