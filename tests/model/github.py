#!/usr/bin/env python3
"""Real input: 800 public GitHub events through `tidewheel eval` and the oracle.

    github.py [--events FILE] [BINARY]

The events are ../shared/data/github_events.ndjson, beside the project, where that is there; without
them nothing is checked, and it says so. The pipelines are pipelines/github_*.yaml and those below.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import event as ev  # noqa: E402
import histories  # noqa: E402
import oracle  # noqa: E402
import yaml_text  # noqa: E402

EVENTS = histories.PROJECT.parent / "shared/data/github_events.ndjson"
LOOKS = ("2021-07-21T06:59:59.999Z", "2021-07-21T07:00:30Z", "2021-07-21T08:00:00Z",
         "2021-07-22T09:10:00Z")
OWN = """
view: own_repo
source: {topic: by_repo, timestamp: {field: created_at, unit: rfc3339}}
entity: {type: repo_id, keys: [{field: repo.id, type: int64}]}
features:
  - name: push
    where: {type: PushEvent}
    value: payload.size
    aggregates: [count, sum, min, max, avg]
    windows: [10m, 1h, 24h]
  - name: pulls
    where: {type: {in: [PullRequestEvent, PullRequestReviewEvent]}}
    value: payload.pull_request.additions
    aggregates: [count, sum, max]
    windows: [{length: 1h, hop: 5m}]
  - name: any
    aggregates: [count]
    windows: [1m, 7d]
---
view: own_actor
source: {topic: by_actor, timestamp: {field: created_at, unit: rfc3339}}
entity: {type: actor_and_type, keys: [{field: actor.login, type: string}, {field: type, type: string}]}
features:
  - name: other
    where: {not: {any: [{type: PushEvent}, {type: CreateEvent}]}}
    aggregates: [count]
    windows: [30s, 1h]
  - name: first_commit
    where: {payload.commits.0.distinct: true, public: true}
    value: payload.distinct_size
    aggregates: [avg, max]
    windows: [1h]
  - name: in_org
    where: {org: {exists: true}, payload.size: {gte: 1, lt: 3}}
    value: payload.push_id
    aggregates: [sum, min]
    windows: [2h]
---
view: own_org
source: {topic: by_repo, timestamp: {field: created_at, unit: rfc3339}}
entity: {type: org, tenant: {field: org.login}, keys: [{field: repo.name, type: string}]}
features:
  - name: any
    value: id
    aggregates: [count, avg]
    windows: [5m]
"""



def main():
    binary = os.environ.get("TIDEWHEEL", histories.PROJECT / "build/tidewheel")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=Path, default=EVENTS)
    parser.add_argument("binary", nargs="?", default=binary)
    args = parser.parse_args()
    if not args.events.exists():
        print("github: skipped, there is no ../shared/data/github_events.ndjson")
        return 0
    shipped = sorted((histories.PROJECT / "pipelines").glob("github_*.yaml"))
    texts = [file.read_text() for file in shipped] + OWN.split("---\n")
    pipelines = [yaml_text.load(text) for text in texts]
    looks = ["each", "end", *map(ev.rfc3339, LOOKS)]
    lines = oracle.split_lines(args.events.read_bytes())
    with tempfile.TemporaryDirectory(prefix="github-") as folder:
        history = histories.History(pipelines, texts, lines, looks)
        failure = histories.check(str(Path(args.binary).resolve()), history, Path(folder))
    if failure:
        print(f"github: FAILED --at {histories.look_text(failure[0])}: {failure[2]}")
        return 1
    print(f"github: {len(lines)} events, {len(texts)} pipelines, {len(looks)} looks: all equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
