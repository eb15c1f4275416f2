"""`tidewheel stale`: who has not been written for a while, out of a Redis that others use, too."""

import json
import os
import pty
import re
import subprocess

from process import folder
from scene import event, now_ms, shop, test, until
from worker import binary

TENANTS = """\
view: posts
source: {topic: post_events, timestamp: {field: ts, unit: ms}}
entity:
  type: post
  keys: [{field: post_id, type: int64}, {field: place.name, type: string}]
  tenant: {field: org}
features:
  - {name: seen, aggregates: [count], windows: [1h]}
output: {freshness_key: "age*[x]:{tenant}:{entity_id}.v{version}"}
"""

HOUR_MS = 3_600_000
LINE = re.compile(r"(\S+) +(\S+) +(\S+) +(\{.*\})")


class Files:
    """A configuration without a worker."""

    def __init__(self, redis, *pipelines):
        path = folder("stale")
        for number, text in enumerate(pipelines):
            (path / f"{number}.yaml").write_text(text)
        self.config = path / "tidewheel.yaml"
        self.config.write_text(f'redis: {{url: "{redis.url}"}}\npipelines: ["[0-9].yaml"]\n')

    def command(self, *words):
        return [binary(), "stale", "-c", str(self.config), *words]

    def ask(self, *words, code=0):
        """(the entities as (age, written, newest event, entity), what was said on stderr)"""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == code, f"{words}: {done.returncode} {done.stdout}{done.stderr}"
        lines = done.stdout.splitlines()
        assert not lines or lines[0].split() == ["AGE", "WRITTEN", "NEWEST", "EVENT", "ENTITY"], lines
        found = [LINE.fullmatch(line) for line in lines[1:]]
        assert all(found), lines
        return [(*one.groups()[:3], json.loads(one[4])) for one in found], done.stderr


def write(redis, *hashes):
    """(key, {field: value})"""
    with redis.client() as client:
        client.pipeline([("HSET", key, *sum(fields.items(), ())) for key, fields in hashes])


def freshness(view, written_ms, event_ms):
    return {view: written_ms, f"{view}:event": event_ms}


def users(found):
    return sorted(entity["user_id"] for _, _, _, entity in found)


@test
def stale_finds_exactly_those_that_were_not_written_for_so_long(scene):
    redis, now = scene.redis(), now_ms()
    old = {f"u{number}" for number in range(0, 5000, 7)}
    write(redis, *((f"freshness:user:u{number}", freshness(
        "shop", now - (2 * HOUR_MS if f"u{number}" in old else 1000), now - 3 * HOUR_MS))
        for number in range(5000)))
    # Others' keys of the same form, or nearly; none of them is an entity of the view.
    write(redis, ("freshness:user:u1:more", freshness("shop", 1, 1)),
          ("freshness:user:", freshness("shop", 1, 1)), ("freshness:user:%zz", freshness("shop", 1, 1)),
          ("freshness:user:a b", freshness("shop", 1, 1)), ("freshness:users:u1", freshness("shop", 1, 1)),
          ("freshness:user:other", freshness("outlet", 1, 1)), ("features:user:u1", {"shop": 1}),
          *((f"cache:{number}", {"shop": 1}) for number in range(3000)))
    redis.call("SET", "freshness:user:text", "of another type")
    files = Files(redis, shop("events"))
    found, said = files.ask("shop", "--older-than", "1h")
    assert users(found) == sorted(old), (len(found), len(old))
    assert {age for age, *_ in found} == {"2h00m"}, found[:3]
    assert f"{len(old)} of 5000 entities of shop have had no write for 1h\n" in said, said
    found, said = files.ask("shop", "--older-than", "3h")
    assert found == [] and "0 of 5000 entities" in said, said
    found, said = files.ask("shop", "--by", "event", "--older-than", "3h")
    assert len(found) == 5000 and found[0][0] == "3h00m" and "no event for 3h" in said, said
    found, said = files.ask("shop", "--older-than", "1h", "--limit", "10")
    assert len(found) == 10 and set(users(found)) <= old and "there may be more" in said, said


@test
def stale_reads_back_the_parts_of_a_key_whatever_they_hold(scene):
    redis, names = scene.redis(), ['a:b', '%', '"', '\\', '*', 'é', '\n\x1b[2J', 'x.v1']
    encoded = ["".join(chr(byte) if chr(byte).isalnum() and byte < 128 or chr(byte) in "._-" else
                       f"%{byte:02X}" for byte in name.encode()) for name in names]
    write(redis, *((f"age*[x]:o%3A1:{number - 2}:{name}.v1", freshness("posts", 1000, 86_400_000))
                   for number, name in enumerate(encoded)),
          ("age*[x]:o:01:name.v1", freshness("posts", 1, 1)),     # no int64
          ("ageing[x]:o:1:name.v1", freshness("posts", 1, 1)),    # fits a star that is none
          ("agex:o:1:name.v1", freshness("posts", 1, 1)))
    found, said = Files(redis, TENANTS).ask("posts", "--older-than", "0s")
    expected = [{"post_id": number - 2, "place.name": name, "tenant": "o:1"}
                for number, name in enumerate(names)]
    key = lambda entity: entity["post_id"]
    assert sorted((one[3] for one in found), key=key) == sorted(expected, key=key), found
    assert found[0][1:3] == ("1970-01-01T00:00:01.000Z", "1970-01-02T00:00:00.000Z"), found[0]
    assert "8 of 8 entities" in said, said


@test
def stale_needs_no_more_rights_than_its_help_says(scene):
    redis = scene.redis()
    write(redis, ("freshness:user:1", freshness("shop", 1, 1)), ("secret:1", {"shop": 1}))
    redis.call("ACL", "SETUSER", "reader", "on", ">pw", "resetkeys", "~freshness:*", "-@all", "+scan",
               "+hmget")
    files = Files(redis, shop("events"))
    url = f"redis.url=redis://reader:pw@127.0.0.1:{redis.port}/0"
    found, _ = files.ask("shop", "--older-than", "1h", "-s", url)
    assert users(found) == ["1"], found
    assert redis.call("ACL", "LOG") == [], redis.call("ACL", "LOG")
    redis.call("ACL", "SETUSER", "reader", "-hmget")
    found, said = files.ask("shop", "--older-than", "1h", "-s", url, code=69)
    assert not found and "NOPERM" in said, said
    redis.kill()
    _, said = files.ask("shop", "--older-than", "1h", code=69)
    assert "cannot reach Redis" in said, said


@test
def stale_knows_what_the_worker_has_written(scene):
    topic, redis = scene.topic(), scene.redis()
    scene.produce(topic, [event(number, amount=1, ts=now_ms() - number * 60_000)
                          for number in range(1, 50)])
    worker = scene.worker(redis, [shop(topic)])
    until(lambda: redis.call("EXISTS", "freshness:user:49"), 60, "all is written")
    scene.until_right(redis, [shop(topic)])
    found, said = Files(redis, shop(topic)).ask("shop", "--by", "event", "--older-than", "20m")
    assert users(found) == sorted(map(str, range(20, 50))), (users(found), said)
    found, _ = Files(redis, shop(topic)).ask("shop", "--older-than", "1h")
    assert found == [], found
    worker.drain()


@test
def stale_tells_a_person_who_waits_how_far_it_is(scene):
    redis = scene.redis()
    write(redis, *((f"freshness:user:{number}", freshness("shop", 1, 1)) for number in range(3000)))
    files = Files(redis, shop("events"))
    redis.call("CLIENT", "PAUSE", "2500")
    ours, theirs = pty.openpty()
    child = subprocess.Popen(files.command("shop", "--older-than", "1h"), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    printed, _ = child.communicate(timeout=60)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # the end of a terminal
        pass
    os.close(ours)
    assert child.returncode == 0 and len(printed.splitlines()) == 3001, (child.returncode, said)
    assert re.search(rb"\r\x1b\[K\d+ entities looked at, \d+ found \.\.\.\r\x1b\[K", said), said
    assert said.endswith(b"3000 of 3000 entities of shop have had no write for 1h\r\n"), said
