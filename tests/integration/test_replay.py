"""tidewheel replay: history is read again, published when it has caught up, and gone on with."""

import os
import pty
import random
import signal
import subprocess
import sys
import threading

from scene import BOTH, event, field, now_ms, process, shop, test, until

USERS = 300
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


# Becomes the command, with a SIGTERM that waits to be delivered.
SIGNALLED = ("import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); "
             "os.kill(os.getpid(), signal.SIGTERM); os.execv(sys.argv[1], sys.argv[1:])")


def purchases(count, amount=1, **more):
    return [event(number % USERS, amount=amount, **more) for number in range(count)]


def replay(scene, redis, views, *flags, **options):
    options.setdefault("workers", 1)
    return scene.worker(redis, views, command="replay", flags=flags, **options)


def has_ended(one, code=0, seconds=90):
    ended = one.wait(seconds)
    assert ended == code, f"{one.name} ended with {ended}, not {code}\n{one.tail(40)}"


def filled(scene, redis, views, topic, records):
    """A worker has published them, and is gone."""
    scene.produce(topic, records)
    worker = scene.worker(redis, views)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    worker.drain()


def records_read(one):
    return one.counters()["records"]


def generations(redis, view="shop"):
    """{key of a unit's meta: the generation of the view's state}"""
    with redis.client() as client:
        metas = [key for key in client.keys() if key.startswith(b"{tw:") and key.endswith(b"}:m")]
        return {key: int(client.call("HGET", key, f"{view}:gen") or 0) for key in metas}


def spoil(redis, name="shop_purchase_24h_sum", value="-999"):
    """Values that are wrong, as a former definition might have left them."""
    with redis.client() as client:
        for user in range(USERS):
            client.call("HSET", f"features:user:{user}", name, value)


def is_wish(metadata):
    return not metadata.startswith("tw1 ")


@test(needs={"tools"}, forms=BOTH)
def what_is_replayed_is_right_and_run_goes_on_from_there(scene):
    partitions = 3
    topic, redis = scene.topic(partitions), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(5000))
    spoil(redis)
    again = replay(scene, redis, views, workers=2)
    has_ended(again)
    # It is over when all is published and committed: nothing is waited for here.
    assert not scene.problems(redis, views)
    assert records_read(again) >= 5000, again.counters()
    assert again.lines("replay", phase="done", events="5000"), again.tail(20)
    for offset, metadata in scene.committed(topic).values():
        assert not is_wish(metadata), metadata
    assert scene.is_committed(topic)
    scene.produce(topic, purchases(400, amount=3))
    worker = scene.worker(redis, views, workers=1)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    if scene.form == "checkpointed":
        worker.drain()
        assert 400 <= records_read(worker) <= 400 + partitions, worker.counters()


@test(needs={"tools"})
def old_values_stay_until_it_has_caught_up_and_the_generation_goes_up_once(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(30_000))
    spoil(redis)
    before = generations(redis)
    users, seen, is_over = (1, 2, 7), {}, threading.Event()

    def watch():
        with redis.client() as client:
            while not is_over.is_set():
                for user in users:
                    value = client.call("HGET", f"features:user:{user}", "shop_purchase_24h_sum")
                    if seen.setdefault(user, [value])[-1] != value:
                        seen[user].append(value)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        has_ended(replay(scene, redis, views))
    finally:
        is_over.set()
        watcher.join()
    assert seen == {user: [b"-999", b"100"] for user in users}, seen
    assert generations(redis) == {key: gen + 1 for key, gen in before.items()}
    scene.until_right(redis, views)


@test(needs={"tools"}, forms=BOTH)
def one_that_is_killed_half_way_is_gone_on_with_by_run(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(10_000))
    spoil(redis)
    state = "running" if scene.form == "checkpointed" else "silent"
    again = replay(scene, redis, views)
    until(lambda: again.lines("unit", state=state), 60, "it reads")
    again.kill()
    worker = scene.worker(redis, views)
    until(lambda: worker.live_units() == 2, 90, "its units are live")
    scene.until_right(redis, views)
    scene.until_committed(topic)
    assert not any(is_wish(metadata) for _, metadata in scene.committed(topic).values())


@test(needs={"tools"})
def one_that_is_told_to_stop_at_once_changes_nothing(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(300))
    before = scene.committed(topic)
    again = replay(scene, redis, views, launcher=(sys.executable, "-c", SIGNALLED))
    has_ended(again, code=69)
    assert again.has_said("stopped before anything was changed"), again.tail()
    assert scene.committed(topic) == before


@test(needs={"tools"})
def one_that_is_killed_half_way_is_begun_again_by_replay(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(10_000))
    spoil(redis)
    first = replay(scene, redis, views)
    until(lambda: first.lines("unit", state="running"), 60, "it reads")
    first.kill()
    # Kafka counts it as a member until its session is over.
    tries = []

    def is_done():
        tries.append(replay(scene, redis, views))
        code = tries[-1].wait(90)
        assert code in (0, 69), f"{code}\n{tries[-1].tail(30)}"
        assert code == 0 or tries[-1].has_said("has 1 member:"), tries[-1].tail(30)
        return code == 0

    until(is_done, 90, "the group has forgotten it")
    assert not scene.problems(redis, views)


@test(needs={"tools"})
def it_is_refused_while_the_group_has_members_and_nothing_is_touched(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    scene.produce(topic, purchases(500))
    worker = scene.worker(redis, views)
    until(lambda: worker.is_settled(2), 60, "both workers have joined")
    scene.until_committed(topic)
    committed, before = scene.committed(topic), generations(redis)
    again = replay(scene, redis, views)
    has_ended(again, 69)
    said = [line for line in again.output if "level=error" in line]
    assert len(said) == 1 and f"group {scene.group} has 2 members: stop these workers first" in said[0], said
    assert {p: offset for p, (offset, _) in scene.committed(topic).items()} == \
        {p: offset for p, (offset, _) in committed.items()}
    assert not any(is_wish(metadata) for _, metadata in scene.committed(topic).values())
    assert generations(redis) == before and worker.is_running()


@test(needs={"timestamps", "tools"}, forms=BOTH)
def events_from_until_on_are_left_to_run(scene):
    topic, redis = scene.topic(3), scene.redis()
    views = [shop(topic)]
    now = now_ms()
    old, new = now - 3 * HOUR, now - HOUR // 2
    scene.produce(topic, purchases(900, ts=old, record_ms=old))
    scene.produce(topic, purchases(600, amount=5, ts=new, record_ms=new))
    # One that is older came later: it lies behind the first that is too new.
    scene.produce(topic, [event(7, amount=100, ts=old, record_ms=old)])
    scene.produce(topic, [event("never", amount=1, ts=old, record_ms=old, partition=2)])
    until_ms = now - 2 * HOUR
    first = {}
    for number, (_, _, record_ms, partition) in enumerate(scene.records):
        if record_ms >= until_ms:
            first.setdefault(partition, number)
    before = [record for number, record in enumerate(scene.records) if number < first[record[3]]]
    assert 0 < len(before) < len(scene.records)
    again = replay(scene, redis, views, "--until", str(until_ms))
    has_ended(again)
    problems = scene.problems(redis, views, scene.expected(views, before))
    assert not problems, problems
    assert records_read(again) == len(before), again.counters()
    ends = {p: sum(record[3] == p for record in before) for p in range(3)}
    assert {p: offset for p, (offset, _) in scene.committed(topic).items()} == ends
    worker = scene.worker(redis, views, workers=1)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    if scene.form == "checkpointed":
        worker.drain()
        later = len(scene.records) - len(before)
        assert later <= records_read(worker) <= later + 3, worker.counters()


@test(needs={"timestamps", "tools"}, forms=BOTH)
def an_until_from_before_every_record_is_refused_and_nothing_is_touched(scene):
    topic, empty, redis = scene.topic(2), scene.topic(1, "quiet"), scene.redis()
    views = [shop(topic), shop(empty, view="quiet")]
    filled(scene, redis, views, topic, purchases(500))
    committed, before = scene.committed(topic), generations(redis)
    again = replay(scene, redis, views, "--until", "2020-01-01T00:00:00Z")
    has_ended(again, 69)
    said = [line for line in again.output if "level=error" in line]
    assert len(said) == 1 and "no partition holds a record from before --until 2020-01-01T00:00:00.000Z" in said[0]
    assert scene.committed(topic) == committed and generations(redis) == before
    assert not scene.problems(redis, views)
    # To the end the same is a replay, of the topic without a record too.
    has_ended(replay(scene, redis, views))
    assert not scene.problems(redis, views)


@test(needs={"timestamps", "tools"}, forms=BOTH)
def partitions_with_nothing_from_before_until_hold_up_no_others(scene):
    topic, redis = scene.topic(3), scene.redis()
    views = [shop(topic)]
    now = now_ms()
    old, new = now - 3 * HOUR, now - HOUR // 2
    scene.produce(topic, [event(user, amount=1, ts=old, record_ms=old, partition=0) for user in range(50)])
    before = list(scene.records)
    scene.produce(topic, [event(user, amount=1, ts=new, record_ms=new, partition=1) for user in range(50, 80)])
    has_ended(replay(scene, redis, views, "--until", str(now - 2 * HOUR)))
    assert not scene.problems(redis, views, scene.expected(views, before))
    assert {p: offset for p, (offset, _) in scene.committed(topic).items()} == {0: 50, 1: 0, 2: 0}


@test(needs={"timestamps", "tools"})
def from_a_time_reads_from_there_and_never_leaves_a_window_incomplete(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, "[1h]", more="output: {ttl: 2h}\n")]
    now = now_ms()
    for age in (12 * DAY, 9 * DAY, 6 * DAY, HOUR // 2):
        scene.produce(topic, purchases(200, ts=now - age, record_ms=now - age))
    # A reset reads what the windows need, and a ttl more, so that what has fallen falls: 200 of them.
    for begin, least in ((now - 7 * DAY, 400), (now - 10 * DAY, 600), (now - MINUTE, 200),
                         (now - HOUR, 200)):
        again = replay(scene, redis, views, "--from", str(begin))
        has_ended(again)
        assert records_read(again) == least, (begin, again.counters())
        said = again.lines("reset", partition="0")
        assert said and ("earlier than asked" in said[-1]["text"]) == (begin == now - MINUTE), said
        scene.until_right(redis, views, seconds=10, expected=scene.expected(
            views, [record for record in scene.records if record[2] > now - HOUR]))
    again = replay(scene, redis, views)
    has_ended(again)
    assert records_read(again) == 800, again.counters()


VERSIONED = """\
version: {version}
output:
  key: "features:v{{version}}:{{entity_type}}:{{entity_id}}"
  freshness_key: "freshness:v{{version}}:{{entity_type}}:{{entity_id}}"
"""


def version(topic, number, windows="[1h, 24h]"):
    return shop(topic, windows, more=VERSIONED.format(version=number))


def hashes(redis, prefix):
    with redis.client() as client:
        return {key: client.call("HGETALL", key) for key in client.keys()
                if key.startswith(prefix.encode())}


@test(needs={"tools"})
def a_new_version_is_filled_beside_the_old_one_which_notices_nothing(scene):
    topic, redis = scene.topic(2), scene.redis()
    old, new = [version(topic, 1)], [version(topic, 2, "[1h, 12h, 24h]")]
    scene.produce(topic, purchases(2000))
    address = f"127.0.0.1:{process.free_port()}"
    worker = scene.worker(redis, old, http=address)
    scene.until_committed(topic)
    until(lambda: worker.is_settled(2), 60, "both workers have joined")
    until(lambda: len(hashes(redis, "features:v1:")) == USERS, 30, "version 1 is published")
    before, lines = hashes(redis, "features:v1:"), len(worker.lines("unit"))
    again = replay(scene, redis, new, group=f"{scene.group}-v2", http=address)
    has_ended(again)
    assert again.has_said("it goes on, and cannot be asked"), again.tail(30)
    assert not again.lines("beside"), again.lines("beside")
    assert hashes(redis, "features:v1:") == before and len(worker.lines("unit")) == lines
    expected = scene.expected(old + new)
    assert all(len(hashes(redis, f"features:v{number}:")) == USERS for number in (1, 2))
    with redis.client() as client:
        value = client.call("HGET", "features:v2:user:1", "shop_purchase_12h_count")
        assert value == client.call("HGET", "features:v1:user:1", "shop_purchase_24h_count"), value
    scene.produce(topic, purchases(600, amount=3))
    second = scene.worker(redis, new, group=f"{scene.group}-v2", workers=1)
    for group in (scene.group, f"{scene.group}-v2"):
        scene.until_committed(topic, group=group)
    del expected
    for views, number in ((old, 1), (new, 2)):
        until(lambda: float(redis.call("HGET", f"features:v{number}:user:1",  # pylint: disable=all
                                       "shop_purchase_24h_sum")) == scene_sum(scene, 1), 30,
              f"version {number} is right")
    second.drain()
    assert 600 <= records_read(second) <= 602, second.counters()


def scene_sum(scene, user):
    import json
    return sum(json.loads(value)["amount"] for _, value, _, _ in scene.records
               if json.loads(value)["user_id"] == str(user))


@test(needs={"tools"})
def a_version_that_would_be_published_under_the_keys_of_a_live_group_is_refused(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    scene.produce(topic, purchases(500))
    worker = scene.worker(redis, views, workers=1)
    scene.until_committed(topic)
    other = f"{scene.group}-v2"
    forgot_freshness = shop(topic, more='version: 2\noutput: {key: "v{version}:{entity_type}:{entity_id}"}\n')
    for wrong in (shop(topic, "[1h, 12h]"), forgot_freshness):
        again = replay(scene, redis, [wrong], group=other)
        has_ended(again, 69)
        assert again.has_said(f"group {scene.group} publishes view shop under the same keys"), again.tail()
        assert all(offset < 0 for offset, _ in scene.committed(topic, other).values())
    worker.drain()
    again = replay(scene, redis, views, group=other)  # nobody else writes them now
    has_ended(again)
    assert again.lines("beside", group=scene.group), again.tail(30)
    scene.until_right(redis, views)


@test(needs={"tools"})
def a_changed_definition_is_filled_and_the_old_fields_go(scene):
    topic, redis = scene.topic(2), scene.redis()
    filled(scene, redis, [shop(topic, "[1h, 24h]")], topic, purchases(3000))
    views = [shop(topic, "[1h, 12h]")]
    has_ended(replay(scene, redis, views))
    assert not scene.problems(redis, views)
    worker = scene.worker(redis, views, workers=1)
    scene.until_right(redis, views)
    worker.drain()
    assert records_read(worker) <= 2, worker.counters()


@test(needs={"tools"}, forms=BOTH)
def a_view_on_the_event_clock_is_replayed_from_the_beginning(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, more="clock: event\n")]
    then = now_ms() - 300 * DAY
    records = [event(number % USERS, amount=1, ts=then + number * MINUTE) for number in range(3000)]
    filled(scene, redis, views, topic, records)
    spoil(redis)
    again = replay(scene, redis, views)
    has_ended(again)
    assert not scene.problems(redis, views)
    assert records_read(again) == 3000, again.counters()


@test(needs={"tools"}, forms=BOTH)
def one_that_is_told_to_stop_says_that_it_is_not_over(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(3000))
    spoil(redis)
    redis.call("CLIENT", "PAUSE", "3000", "WRITE")  # so that it cannot end
    again = replay(scene, redis, views)
    until(lambda: again.lines("owned"), 60, "it has joined the group")
    again.signal(signal.SIGTERM)
    has_ended(again, 69)
    assert again.has_said("stopped before the replay was over: 0 of 2 partitions"), again.tail()
    scene.worker(redis, views)
    scene.until_right(redis, views)


@test(needs={"tools"}, forms=BOTH)
def whoever_joins_meanwhile_takes_a_part_of_the_work(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(8000))
    spoil(redis)
    redis.call("CLIENT", "PAUSE", "4000", "WRITE")
    again = replay(scene, redis, views)
    until(lambda: again.lines("owned"), 60, "it has joined the group")
    worker = scene.worker(redis, views, workers=1)
    until(lambda: worker.lines("owned"), 60, "somebody else has joined")
    has_ended(again)
    scene.until_right(redis, views)
    assert not any(is_wish(metadata) for _, metadata in scene.committed(topic).values())


@test(needs={"tools"})
def rebalances_among_its_own_workers_do_not_begin_it_again(scene):
    """Each joins in its own time, so units move between them."""
    topic, redis = scene.topic(6), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(12_000))
    before = generations(redis)
    again = replay(scene, redis, views, workers=4)
    has_ended(again)
    assert not scene.problems(redis, views)
    # A unit that is taken away before its reset is committed is reset once more, by who gets it.
    risen = {key: gen - before[key] for key, gen in generations(redis).items()}
    assert all(1 <= times <= 4 for times in risen.values()), risen


@test(needs={"tools"}, alone=True)
def a_state_larger_than_the_memory_is_replayed_too(scene):
    topic, redis = scene.topic(4), scene.redis()
    view = shop(topic, more="".join(
        f"  - {{name: f{number}, value: amount, aggregates: [count, sum], windows: [1h, 24h]}}\n"
        for number in range(24)))
    now, users = now_ms(), 12_000
    for age in (1, 2):
        scene.produce(topic, [event(user, amount=age, ts=now - age * 400_000 + user)
                              for user in range(users)])
    again = replay(scene, redis, [view], workers=4, extra="limits: {memory: 16MiB}")
    has_ended(again, seconds=120)
    most = max(int(row["bytes"]) for row in again.lines("stats"))
    assert 2 * 2 ** 20 < most < 4.5 * 2 ** 20, f"{most} bytes of a worker's share of 4 MiB"
    with redis.client() as client:
        sums = {client.call("HGET", f"features:user:{user}", "f23_24h_sum") for user in range(users)}
    assert sums == {b"3"}, sums


@test(needs={"tools"})
def progress_is_a_line_on_a_terminal_and_lines_of_the_log_elsewhere(scene):
    topic, redis = scene.topic(1), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(1200))
    redis.call("CLIENT", "PAUSE", "11000", "WRITE")
    again = replay(scene, redis, views)
    has_ended(again)
    reading = again.lines("replay", phase="reading")
    assert reading and reading[0]["of"] == "1200" and float(reading[0]["percent"]) == 0, reading
    assert again.lines("replay", phase="done", events="1200"), again.tail()
    assert not any("\033" in line for line in again.output)

    redis.call("CLIENT", "PAUSE", "4000", "WRITE")
    master, slave = pty.openpty()
    child = subprocess.Popen([*again.child.args], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:
        pass  # the end of a terminal
    finally:
        os.close(master)
    assert child.wait(60) == 0, shown
    assert b"\033[Kreplaying    0.0 %  0 of 1,200 events  0/s  ETA -\r" in shown, shown
    assert b"replayed 1,200 events in " in shown and b"level=info" not in shown, shown


@test(needs={"tools"})
def random_moments_of_death_leave_every_value_right(scene):
    """A replay dies, then workers that go on with it do."""
    topic, redis = scene.topic(3), scene.redis()
    views = [shop(topic)]
    filled(scene, redis, views, topic, purchases(20_000))
    seed = random.randrange(1 << 32)
    print(f"         replays that die: seed {seed}", flush=True)
    chance = random.Random(seed)
    spoil(redis)
    one = replay(scene, redis, views)
    for _ in range(3):
        lines = chance.randrange(2, 14)
        until(lambda: len(one.lines("unit")) >= lines, 60, "it has come so far")  # pylint: disable=all
        one.kill()
        one = scene.worker(redis, views, workers=1)
    until(lambda: one.live_units() == 3, 90, "its units are live")
    scene.until_right(redis, views)
    scene.until_committed(topic)
    assert not any(is_wish(metadata) for _, metadata in scene.committed(topic).values())
