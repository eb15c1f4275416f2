#!/usr/bin/env python3
"""Runs the integration tests: one broker for all of them, some tests beside each other.

    run.py [--jobs N] [-v] [WORD...]          only tests with one of the words in their names

SHARE=1/2 runs every second test only, SHARE=2/2 the others. EVENTS scales the big scenario (200,000), KAFKA=mock
chooses the mock cluster, REQUIRE_KAFKA=1 refuses it, KAFKA_BROKERS names a broker, TIDEWHEEL_BIN another build,
KEEP=1 keeps the temporary folders.
"""

import argparse
import importlib
import os
import pathlib
import queue
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import scene  # noqa: E402  (puts the kit on the path)
import kafka  # noqa: E402


class Runner:
    def __init__(self, broker, is_verbose):
        self.broker = broker
        self.is_verbose = is_verbose
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.lock = threading.Lock()

    def say(self, outcome, name, text, details=""):
        with self.lock:
            self.counts[outcome] += 1
            print(f"{outcome:<8} {name.replace('_', ' ')}  {text}", flush=True)
            if details:
                print("    " + details.replace("\n", "\n    "), flush=True)

    def run(self, one):
        name, begun = one.name, time.monotonic()
        lacking = one.needs & set(self.broker.lacks)
        if lacking:
            self.say("skipped", name, f"({self.broker.kind} lacks {', '.join(sorted(lacking))})")
            return
        if lacking := list(filter(scene.lacks, sorted(one.needs))):
            self.say("skipped", name, f"(this machine lacks {', '.join(lacking)})")
            return
        stage = scene.Scene(self.broker.fresh(), one.form)
        try:
            one.function(stage)
            stage.check_processes()
            stage.check_rights()
            self.say("passed", name, f"({time.monotonic() - begun:.1f} s)",
                     stage.tails() if self.is_verbose else "")
        except scene.Skip as reason:
            self.say("skipped", name, f"({reason})")
        except BaseException:  # pylint: disable=broad-except
            self.say("failed", name, f"({time.monotonic() - begun:.1f} s)",
                     traceback.format_exc() + stage.tails())
        finally:
            stage.close()

    def run_beside(self, tests, jobs):
        waiting = queue.SimpleQueue()
        for one in tests:
            waiting.put(one)

        def work():
            while True:
                try:
                    one = waiting.get_nowait()
                except queue.Empty:
                    return
                self.run(one)

        threads = [threading.Thread(target=work) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main():
    parser = argparse.ArgumentParser(description="the integration tests")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("-v", dest="verbose", action="store_true", help="shows the logs")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    for file in sorted(HERE.glob("test_*.py")):
        importlib.import_module(file.stem)
    chosen = [one for one in scene.TESTS
              if not args.words or any(word in one.name for word in args.words)]
    share, shares = map(int, os.environ.get("SHARE", "1/1").split("/"))
    chosen = chosen[share - 1::shares]
    try:
        broker = kafka.start()
    except kafka.Unavailable as reason:
        print(f"failed   the broker starts  ({reason})")
        print(f"0 passed, {len(chosen)} failed, 0 skipped")
        return 1
    print(f"broker: {broker.kind}", flush=True)
    runner = Runner(broker, args.verbose)
    try:
        runner.run_beside([one for one in chosen if not one.alone], args.jobs)
        runner.run_beside([one for one in chosen if one.alone], 1)
    finally:
        broker.stop()
    print(", ".join(f"{count} {outcome}" for outcome, count in runner.counts.items()))
    return 1 if runner.counts["failed"] or not runner.counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
