#!/usr/bin/env python3
"""Runs the test suites, and counts.

    run.py                      all of them
    run.py unit model golden    these

A line per suite; what failed is shown whole, and so is what was skipped. The last line is
`N passed, N failed, N skipped`. BUILD is the folder of the build under test, HISTORIES the number of
random histories (600), SEEDS that of simulated ones (10000), FUZZ_SECONDS the time of each fuzzer (60).
"""

import os
import re
import subprocess
import sys
import threading
import time

from process import BUILD, TREE

# How a suite's output says what came of it, tried in this order on its whole text.
COUNTS = re.compile(r"^(?:[a-z]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", re.M)
LIBCHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests?", re.M)
UNITTEST_BAD = re.compile(r"(failures|errors|skipped)=(\d+)")


def count(text, code):
    """(passed, failed, skipped) of a suite that printed this and ended with this code."""
    passed, failed, skipped = 0, 0, 0
    if found := COUNTS.findall(text):
        passed, failed, skipped = (int(number or 0) for number in found[-1])
    elif found := LIBCHECK.findall(text):
        checks, failures, errors = map(int, found[-1])
        skipped = sum(line.startswith("skipped ") for line in text.splitlines())
        passed, failed = checks - failures - errors - skipped, failures + errors
    elif found := UNITTEST.findall(text):
        bad = {name: int(number) for name, number in UNITTEST_BAD.findall(text)}
        failed = bad.get("failures", 0) + bad.get("errors", 0)
        skipped = bad.get("skipped", 0)
        passed = int(found[-1]) - failed - skipped
    elif code == 0:
        passed = 1
    if code != 0 and failed == 0:
        failed = 1  # it ended in another way than by a test that failed
    return passed, failed, skipped


class Suites:
    def __init__(self):
        self.totals = [0, 0, 0]
        self.skips = []

    def run(self, name, argv, timeout_s=900, is_shown=False):
        """is_shown: its lines are printed as they come."""
        begun = time.monotonic()
        text, code = execute(argv, timeout_s, is_shown)
        counts = count(text, code)
        self.totals = [total + number for total, number in zip(self.totals, counts)]
        self.skips += [line for line in text.splitlines() if line.startswith("skipped ")]
        print(f"{name:<28} {counts[0]:>5} passed {counts[1]:>3} failed {counts[2]:>3} skipped "
              f"{time.monotonic() - begun:7.1f} s", flush=True)
        if counts[1] and not is_shown:
            print("    " + text.replace("\n", "\n    "), flush=True)

    def skip(self, name, reason):
        self.totals[2] += 1
        self.skips.append(f"skipped  {name}  ({reason})")

    def end(self):
        for line in self.skips:
            print(line)
        passed, failed, skipped = self.totals
        print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
        return 1 if failed or not passed else 0


def execute(argv, timeout_s, is_shown):
    child = subprocess.Popen([str(arg) for arg in argv], stdin=subprocess.DEVNULL, cwd=TREE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace",
                             env={**os.environ, "TIDEWHEEL_BIN": str(BUILD / "tidewheel")})
    late = threading.Timer(timeout_s, child.kill)
    late.start()
    lines = []
    for line in child.stdout:
        lines.append(line)
        if is_shown:
            print("  " + line, end="", flush=True)
    code = child.wait()
    if not late.is_alive():
        lines.append(f"had not ended after {timeout_s} s\n")
    late.cancel()
    return "".join(lines), code


# ---- the suites


def unit(suites):
    for binary in sorted((BUILD / "tests").glob("test_*")):
        if os.access(binary, os.X_OK) and not binary.suffix:
            suites.run(f"unit {binary.name[5:]}", [binary])


def model(suites):
    suites.run("model oracle", [sys.executable, "tests/model/test_oracle.py"])
    histories = os.environ.get("HISTORIES", "600")
    suites.run(f"model histories ({histories})",
               [sys.executable, "tests/model/histories.py", "--count", histories,
                BUILD / "tidewheel"], timeout_s=1800)
    suites.run("model github", [sys.executable, "tests/model/github.py", BUILD / "tidewheel"])


def golden(suites):
    suites.run("golden", [sys.executable, "tests/golden/golden.py"])


def pipelines(suites):
    suites.run("pipelines' own tests",
               [BUILD / "tidewheel", "test", *sorted((TREE / "pipelines" / "tests").glob("*.yaml"))])


def corpus(suites):
    for source in sorted((TREE / "tests" / "fuzz").glob("fuzz_*.c")):
        name = source.stem[5:]
        suites.run(f"corpus {name}",
                   [BUILD / "tests" / source.stem, TREE / "tests" / "fuzz" / "corpus" / name])


def fuzz(suites):
    seconds = os.environ.get("FUZZ_SECONDS", "60")
    for source in sorted((TREE / "tests" / "fuzz").glob("fuzz_*.c")):
        name = source.stem[5:]
        found = BUILD / "found" / name
        found.mkdir(parents=True, exist_ok=True)
        print(f"fuzzing {name} for {seconds} s", flush=True)
        suites.run(f"fuzz {name}",
                   [BUILD / "fuzz" / source.stem, f"-max_total_time={seconds}", "-timeout=10",
                    "-rss_limit_mb=2048", f"-artifact_prefix={found}/crash-", "-print_final_stats=1",
                    found, TREE / "tests" / "fuzz" / "corpus" / name], timeout_s=float(seconds) + 300)


def cli(suites):
    for file in sorted((TREE / "tests" / "cli").glob("test_*.py")):
        suites.run(f"cli {file.stem[5:]}", [sys.executable, file])


def deploy(suites):
    suites.run("deployment files", [sys.executable, "tests/lint/deploy.py"])


def sim(suites):
    seeds = os.environ.get("SEEDS", "10000")
    suites.run(f"sim ({seeds} seeds)", [BUILD / "tests" / "sim", "--count", seeds], timeout_s=1800,
               is_shown=True)


def integration(suites):
    suites.run("integration", [sys.executable, "tests/integration/run.py"], timeout_s=2700,
               is_shown=True)


ALL = [unit, model, golden, pipelines, corpus, cli, deploy, sim, integration]
SUITES = {suite.__name__: suite for suite in [*ALL, fuzz]}


def main():
    unknown = set(sys.argv[1:]) - SUITES.keys()
    if unknown:
        sys.exit(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    suites = Suites()
    for suite in [SUITES[name] for name in sys.argv[1:]] or ALL:
        suite(suites)
    return suites.end()


if __name__ == "__main__":
    sys.exit(main())
