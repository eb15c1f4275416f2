#!/usr/bin/env python3
"""Random histories: `tidewheel eval` against the oracle, every value of every line.

    histories.py [--count N] [--seed S] [--only INDEX] [BINARY]

BINARY is $TIDEWHEEL, or build/tidewheel. A history that fails is made smaller and its files are
left in a temporary folder, with the command that shows it.
"""

import argparse
import datetime
import os
import random
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import oracle  # noqa: E402
import yaml_text  # noqa: E402
from random_events import EventMaker, random_pipelines  # noqa: E402

PROJECT = Path(__file__).resolve().parents[2]
EVAL_TIMEOUT_S = 60
SHRUNK_MAX = 3


class History:
    def __init__(self, pipelines, texts, lines, looks):
        self.pipelines = pipelines
        self.texts = texts  # of the pipeline files
        self.lines = lines
        self.looks = looks  # for --at

    def with_lines(self, lines, look):
        return History(self.pipelines, self.texts, lines, [look])

    def write(self, folder):
        files = []
        for number, text in enumerate(self.texts):
            files.append(str(folder / f"pipeline{number}.yaml"))
            Path(files[-1]).write_text(text)
        data = b"".join(line + b"\n" for line in self.lines)
        # What follows the last newline is a line too, unless it is nothing.
        ends_bare = self.lines and self.lines[-1] and len(self.lines) % 2
        (folder / "events.ndjson").write_bytes(data[:-1] if ends_bare else data)
        return files


def random_history(seed, index):
    rng = random.Random(f"{seed}:{index}")
    pipelines = random_pipelines(rng)
    maker = EventMaker(rng, pipelines)
    lines = [maker.line() for _ in range(rng.choice([5, 10, 20, 40, 60, 80]))]
    texts = [
        yaml_text.dump(pipeline, rng if rng.random() < 0.8 else None) for pipeline in pipelines]
    return History(pipelines, texts, lines, ["each", "end", maker.look_time()])


def look_text(look):
    """--at's argument: the time in one form or the other."""
    if isinstance(look, str) or look % 2:
        return str(look)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=look)
    return moment.isoformat(timespec="milliseconds").rjust(23, "0") + "Z"


def command_of(binary, folder, files, look):
    return [binary, "eval", "-e", str(folder / "events.ndjson"), "--at", look_text(look), *files]


def check(binary, history, folder):
    """(look, command, what is wrong), or None."""
    files = history.write(folder)
    expected = oracle.Eval(history.pipelines, history.lines)
    for look in history.looks:
        command = command_of(binary, folder, files, look)
        result = subprocess.run(command, capture_output=True, timeout=EVAL_TIMEOUT_S)
        problem = problem_of(result, expected, look)
        if problem:
            return look, command, problem
    return None


def problem_of(result, expected, look):
    if result.returncode != 0:
        return f"exit {result.returncode}: {result.stderr.decode(errors='replace')[-2000:]}"
    got = oracle.split_lines(result.stdout) if result.stdout else []
    for number, line in enumerate(expected.lines(look)):
        if number >= len(got):
            return f"output line {number + 1} is missing, expected {line}"
        try:
            difference = line.difference(got[number].decode())
        except UnicodeDecodeError as error:
            difference = str(error)
        if difference:
            text = got[number].decode(errors="replace")
            return (f"output line {number + 1}: {difference}\n"
                    f"    expected {line}\n    got      {text}")
        last = number
    extra = got[last + 1:] if "last" in locals() else got
    if extra:
        return f"a line too many: {extra[0].decode(errors='replace')}"
    return counts_problem(result.stderr.decode(errors="replace"), expected.counts(look))


def counts_problem(stderr, expected):
    lines = [line for line in stderr.splitlines() if line.startswith("at=eval ")]
    if not lines:
        return f"no line at=eval on stderr: {stderr[-500:]!r}"
    got = dict(pair.partition("=")[::2] for pair in lines[-1].split())
    for name, count in expected.items():
        if int(got.get(name, 0)) != count or (name in ("accepted", "rejected") and name not in got):
            return f"{name}: expected {count}, got {got.get(name)} in {lines[-1]!r}"
    return None


def shrink(binary, history, look, folder):
    """Leaves out lines for as long as anything is wrong."""
    small = history.with_lines(history.lines, look)
    step = max(1, len(small.lines) // 2)
    while step:
        at = 0
        while at < len(small.lines):
            fewer = small.with_lines(small.lines[:at] + small.lines[at + step:], look)
            if check(binary, fewer, folder):
                small = fewer
            else:
                at += step
        step //= 2
    return small


def report(binary, history, seed, index, failure, shrinks):
    folder = Path(tempfile.mkdtemp(prefix="histories-"))
    if shrinks:
        history = shrink(binary, history, failure[0], folder)
        failure = check(binary, history, folder)
    else:
        failure = check(binary, history, folder) or failure
    _, command, problem = failure
    print(f"FAILED history {index} of seed {seed} (again: --seed {seed} --only {index})")
    print(f"  command: {shlex.join(command)}")
    for text in history.texts:
        print("  pipeline:", *text.rstrip("\n").split("\n"), sep="\n    ")
    if len(history.lines) <= 12:
        print("  events:", *(repr(line[:1500])[2:-1] for line in history.lines), sep="\n    ")
    print(f"  {problem}", flush=True)


def main():
    binary = os.environ.get("TIDEWHEEL", PROJECT / "build/tidewheel")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 9))
    parser.add_argument("--only", type=int, help="this history alone")
    parser.add_argument("binary", nargs="?", default=binary)
    args = parser.parse_args()
    binary = str(Path(args.binary).resolve())
    print(f"histories: seed {args.seed}", flush=True)
    indexes = range(args.count) if args.only is None else [args.only]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="histories-") as folder:
        for index in indexes:
            history = random_history(args.seed, index)
            failure = check(binary, history, Path(folder))
            if failure:
                failed += 1
                report(binary, history, args.seed, index, failure, failed <= SHRUNK_MAX)
    print(f"histories: {len(indexes) - failed} passed, {failed} failed, seed {args.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
