"""Promises X and P: crashes, restarts, rebalances, and either neighbour going away."""

import os
import random
import signal

from scene import BOTH, PLAIN, Record, event, field, now_ms, shop, test, until

EVENTS = int(os.environ.get("EVENTS", "200000"))
USERS = 10_000
PARTITIONS = 12
MINUTE, HOUR = 60_000, 3_600_000


def history(count, chance, base_ms):
    """Events whose timestamps reach over every window, most of them near the present."""
    for _ in range(count):
        age = chance.choice((chance.randrange(20_000), chance.randrange(3 * MINUTE),
                             chance.randrange(2 * HOUR), chance.randrange(26 * HOUR)))
        user = int(USERS * chance.random() ** 2)
        if chance.random() < 0.6:
            yield event(user, "purchase", base_ms - age, amount=round(chance.random() * 100, 2))
        else:
            yield event(user, "page_view", base_ms - age)


@test(forms=BOTH)
def kills_joins_and_a_redis_that_forgets_leave_every_value_right(scene):
    topic, redis = scene.topic(PARTITIONS), scene.redis()
    views = [shop(topic, "[10s, 1m, 1h, 24h]")]
    seed = random.randrange(1 << 32)
    print(f"         kills and joins: seed {seed}, {EVENTS} events", flush=True)
    chance = random.Random(seed)
    first, second = scene.worker(redis, views), scene.worker(redis, views)
    until(lambda: units_of(first, second) == PARTITIONS, 60, "both have joined")
    scene.produce(topic, history(EVENTS // 2, chance, now_ms()))
    more = scene.begin(topic, history(EVENTS // 2, chance, now_ms()), rate=max(EVENTS // 10, 1000))
    until(lambda: redis.call("DBSIZE") > USERS // 20, 60, "values are written")
    first.kill()
    third = scene.worker(redis, views)
    older = redis.snapshot()
    scene.finish(more)
    scene.until_committed(topic)
    expected = scene.expected(views)
    scene.until_right(redis, views, expected=expected)

    redis.kill()
    redis.start()
    scene.until_right(redis, views, expected=expected)
    assert redis.call("DBSIZE") > USERS // 2

    redis.kill()
    redis.start(older)
    scene.until_right(redis, views, expected=expected)

    for worker in (second, third):
        worker.drain()
    assert scene.is_committed(topic)


def units_of(*workers):
    """How many units the workers have now, by their logs."""
    return sum(len(worker.units()) for worker in workers)


@test(forms=BOTH)
def what_had_fallen_to_nothing_falls_again_when_an_older_redis_comes_back(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, "[2s, 5s]", more="output: {ttl: 1h}\n")]
    worker = scene.worker(redis, views)
    scene.produce(topic, [event(user, amount=user) for user in range(1, 30)])
    until(lambda: field(redis, 29, "shop_purchase_5s_sum") == 29, 30, "the values are there")
    older = redis.snapshot()
    assert field(redis, 29, "shop_purchase_5s_sum") == 29, "they are in the snapshot"
    until(lambda: field(redis, 29, "shop_purchase_5s_sum") == 0, 30, "they have fallen, and are forgotten")
    redis.kill()
    redis.start(older)
    until(lambda: field(redis, 29, "shop_purchase_5s_sum") == 0, 60, "they fall again")
    scene.until_right(redis, views)
    worker.drain()


@test(forms=BOTH)
def units_that_stay_through_a_rebalance_read_no_record_twice(scene):
    topic, redis = scene.topic(6), scene.redis()
    views = [shop(topic)]
    first = scene.worker(redis, views)
    until(lambda: first.is_settled(6), 60, "its two workers share the topic")
    scene.produce(topic, [event(user, amount=1) for user in range(600)])
    scene.until_committed(topic)
    before = first.units()
    second = scene.worker(redis, views, workers=1)
    until(lambda: units_of(first, second) == 6 and len(second.units()) == 2, 60, "the second joins")
    until(lambda: first.live_units() + second.live_units() == 6, 60, "all are live")
    stayed = {unit for unit, worker in first.units().items() if before[unit] == worker}
    assert stayed, "no unit has stayed where it was"
    ends = {f"{topic}/{partition}": end for partition, (_, end) in scene.ends(topic).items()}
    for unit in stayed:
        partition = unit.rsplit("/", 1)[1]
        back = first.lines("unit", partition=partition, worker=before[unit],
                           state="silent" if scene.form == "plain" else "running")[-1]
        assert int(back["position"]) == ends[unit], f"{unit}: {back}"
        assert back.get("was") in (None, "claiming"), f"{unit} was loaded again: {back}"
    scene.produce(topic, [event(user, amount=2) for user in range(600)])
    scene.until_committed(topic)
    scene.until_right(redis, views)
    for worker in (first, second):
        worker.signal(signal.SIGTERM)  # both at once: none is to be given the other's units
    assert [worker.wait(40) for worker in (first, second)] == [0, 0]
    # Each record was read once; in the plain form those of a unit that moved once more, by whom it
    # moved to.
    moved = sum(ends[unit] for unit in ends if unit not in stayed)
    again = moved if scene.form == "plain" else 0
    read = first.counters()["records"] + second.counters()["records"]
    assert read == len(scene.records) + again, f"{read}, {len(scene.records)} + {again}"


@test(forms=BOTH)
def a_worker_that_starts_again_makes_what_fell_meanwhile_fall(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, "[2s, 10s]", more="output: {ttl: 1h}\n")]
    worker = scene.worker(redis, views)
    scene.produce(topic, [event(user, amount=user) for user in range(1, 30)])
    until(lambda: field(redis, 29, "shop_purchase_10s_sum") == 29, 30, "the values are there")
    worker.drain()
    newest = max(record[2] for record in scene.records)
    until(lambda: now_ms() > newest + 11_000, 30, "the window of 10 s has passed")
    assert field(redis, 29, "shop_purchase_10s_sum") == 29, "nobody was there to write it"
    scene.worker(redis, views)
    until(lambda: field(redis, 29, "shop_purchase_10s_sum") == 0, 60, "the value falls")
    scene.until_right(redis, views)
    assert field(redis, 29, "shop_purchase_10s_max") is None


@test
def the_two_forms_can_be_exchanged_by_a_restart(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic)]
    for amount, form in enumerate(("off", "1s", "off", "1s")):
        worker = scene.worker(redis, views, checkpoint=form)
        scene.produce(topic, [event(user % 50, amount=amount) for user in range(500)])
        scene.until_committed(topic)
        scene.until_right(redis, views)
        worker.drain()


@test(forms=BOTH)
def a_restart_never_publishes_a_value_that_is_too_low(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic, "[24h]")]
    users = range(40)
    scene.produce(topic, [event(user, amount=1) for _ in range(500) for user in users])
    worker = scene.worker(redis, views)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    for is_clean in (True, False):
        if is_clean:
            worker.drain()
        else:
            worker.kill()
        # As if the last minutes had not been written: what is published rises, and never falls.
        seen = {user: field(redis, user, "shop_purchase_24h_count") for user in users}
        more = scene.begin(topic, [event(user, amount=1) for _ in range(20) for user in users])
        worker = scene.worker(redis, views)

        def is_done():
            for user in users:
                count = field(redis, user, "shop_purchase_24h_count")
                assert count >= seen[user], f"user {user} fell from {seen[user]} to {count}"
                seen[user] = count
            return more.poll() is not None and scene.is_committed(topic)

        until(is_done, 90, "the worker has caught up")
        scene.finish(more)
        scene.until_right(redis, views)


@test(needs={"timestamps"}, forms=BOTH)
def records_older_than_every_window_are_not_read_again(scene):
    topic, redis = scene.topic(1), scene.redis()
    views = [shop(topic, "[1m, 1h]")]
    now = now_ms()
    old = [event(1, ts=now - 30 * HOUR + i, record_ms=now - 30 * HOUR + i, amount=1) for i in range(500)]
    new = [event(2, ts=now - MINUTE // 2 + i, record_ms=now - MINUTE // 2 + i, amount=1)
           for i in range(500)]
    scene.produce(topic, old, is_told=False)
    scene.produce(topic, new)
    worker = scene.worker(redis, views, workers=1)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    worker.drain()
    # Without a commit t_live is now - ttl (2 h): the old ones are not needed even at the first start.
    assert worker.counters()["records"] == 500, worker.counters()


@test(needs={"tools"}, forms=PLAIN)
def a_persons_reset_to_the_beginning_reads_everything_again(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, "[1m, 1h]")]
    now = now_ms()
    scene.produce(topic, [event(user, ts=now - 30 * HOUR, record_ms=now - 30 * HOUR, amount=1)
                          for user in range(100)], is_told=False)
    scene.produce(topic, [event(user, amount=2) for user in range(100)])
    worker = scene.worker(redis, views, workers=1)
    scene.until_committed(topic)
    assert all(metadata.startswith("tw1 ") for _, metadata in scene.committed(topic).values())
    worker.drain()
    assert worker.counters()["records"] == 100, worker.counters()
    scene.kafka.tool("consumer.group.ConsumerGroupCommand", "--group", scene.group, "--topic", topic,
                     "--reset-offsets", "--to-earliest", "--execute")
    assert all(offset == 0 for offset, _ in scene.committed(topic).values())
    redis.call("FLUSHALL")
    worker = scene.worker(redis, views, workers=1)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    assert all(metadata.startswith("tw1 ") for _, metadata in scene.committed(topic).values())
    worker.drain()
    assert worker.counters()["records"] == 200, worker.counters()


@test(needs={"tools"}, forms=BOTH)
def a_persons_reset_to_the_end_leaves_no_window_incomplete(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, "[1m, 1h]")]
    scene.produce(topic, [event(user, amount=2) for user in range(100)])
    scene.kafka.tool("consumer.group.ConsumerGroupCommand", "--group", scene.group, "--topic", topic,
                     "--reset-offsets", "--to-latest", "--execute")
    worker = scene.worker(redis, views)
    scene.until_right(redis, views)
    said = {row["partition"] for row in worker.lines("reset")}  # again by whom a unit moves to
    assert said == {"0", "1"}, "the log says that windows are never left incomplete"


@test(needs={"growth"}, forms=BOTH)
def a_partition_count_that_grows_stops_the_worker_with_a_clear_sentence(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, "[1m, 1h]")]
    worker = scene.worker(redis, views, extra="", refresh_ms=1000)
    scene.produce(topic, [event(user, amount=2) for user in range(20)])
    scene.until_committed(topic)
    scene.kafka.topics("grow", f"{topic}:3")
    code = worker.wait(60)
    assert code in (69, 70), code
    assert worker.has_said("partition") and worker.has_said(topic), worker.tail()
    scene.until_right(redis, views)


@test(needs={"commits in a rebalance"}, forms=BOTH)
def sigterm_drains_and_commits_everything_that_was_read(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic, "[1m, 1h]")]
    worker = scene.worker(redis, views)
    until(lambda: worker.is_settled(4), 60, "its two workers share the topic")
    scene.produce(topic, [event(user % 100, amount=1) for user in range(20_000)])
    until(lambda: redis.call("DBSIZE") > 20, 60, "values are written")
    worker.drain()
    committed = sum(max(offset, 0) for offset, _ in scene.committed(topic).values())
    assert committed == worker.counters()["records"], (committed, worker.counters())
    scene.worker(redis, views)
    scene.until_right(redis, views)


@test(forms=BOTH)
def a_second_sigterm_stops_at_once(scene):
    topic, redis = scene.topic(1), scene.redis()
    worker = scene.worker(redis, [shop(topic)])
    until(lambda: worker.is_settled(1), 60, "both of its workers have joined")
    scene.produce(topic, [event(1, amount=1)])
    scene.until_committed(topic)
    redis.freeze()
    scene.produce(topic, [event(1, amount=1)])
    until(lambda: worker.lines("redis", state="away"), 60, "a write waits for its answer")
    worker.signal(signal.SIGTERM)
    until(lambda: worker.lines("stop", why="signal"), 10, "the worker has heard it")
    worker.signal(signal.SIGTERM)
    assert worker.wait(10) == 128 + signal.SIGTERM
    redis.thaw()
    scene.worker(redis, [shop(topic)])
    scene.until_right(redis, [shop(topic)])


@test(forms=BOTH)
def a_frozen_redis_pauses_the_intake_and_is_waited_for(scene):
    redis_goes_away(scene, lambda redis: redis.freeze(), lambda redis: redis.thaw())


@test(forms=BOTH)
def a_killed_redis_pauses_the_intake_and_is_filled_again(scene):
    redis_goes_away(scene, lambda redis: redis.kill(), lambda redis: redis.start(), is_emptied=True)


@test(forms=BOTH)
def a_frozen_redis_is_waited_for_over_tls(scene):
    redis_goes_away(scene, lambda redis: redis.freeze(), lambda redis: redis.thaw(), tls=True)


@test(forms=BOTH)
def a_killed_redis_is_filled_again_over_tls(scene):
    redis_goes_away(scene, lambda redis: redis.kill(), lambda redis: redis.start(), is_emptied=True,
                    tls=True)


def redis_goes_away(scene, leave, come_back, is_emptied=False, tls=False):
    topic, redis = scene.topic(3), scene.redis(tls=tls)
    views = [shop(topic, "[10s, 1h]")]
    worker = scene.worker(redis, views)
    until(lambda: worker.is_settled(3), 60, "its two workers share the topic")
    scene.produce(topic, [event(user, amount=1) for user in range(200)])
    scene.until_committed(topic)
    owned = len(worker.lines("owned"))
    before = scene.committed(topic)
    leave(redis)
    scene.produce(topic, [event(user, amount=2) for user in range(200)])
    gone = now_ms()
    # Longer than the session timeout (6 s): only a worker that keeps polling is still a member then.
    until(lambda: now_ms() - gone > 9000, 30, "Redis has been away for a while")
    after = scene.committed(topic)
    assert all(after[one][0] == before[one][0] for one in before), "committed without an answer"
    come_back(redis)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    assert len(worker.lines("owned")) == owned, "membership was lost"
    worker.drain()
    # With checkpoints a Redis that comes back empty has lost the state, too: all is read again.
    most = 800 if scene.form == "checkpointed" and is_emptied else 400
    assert 400 <= worker.counters()["records"] <= most, worker.counters()


@test(forms=BOTH)
def a_worker_that_was_frozen_and_wakes_leaves_no_older_value(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic, "[5s, 1h]")]
    users = range(1, 60)
    first = scene.worker(redis, views)
    scene.produce(topic, [event(user, amount=user) for user in users])
    scene.until_committed(topic)
    scene.until_right(redis, views)
    scene.produce(topic, [event(user, amount=1) for user in users])
    until(lambda: field(redis, 59, "shop_purchase_5s_count") >= 1, 30, "the newest values are there")
    first.freeze()  # with values in memory that are about to fall
    second = scene.worker(redis, views)
    until(lambda: second.live_units() == 4, 60, "the second has taken over")
    scene.produce(topic, [event(user, amount=100) for user in users])
    scene.until_committed(topic)
    scene.until_right(redis, views)
    first.thaw()
    until(lambda: first.lines("revoked", lost="1"), 60, "the first has noticed")
    scene.until_right(redis, views)
    for worker in (first, second):
        worker.drain()


@test(needs={"restart"}, alone=True, forms=BOTH)
def decay_goes_on_while_kafka_is_away_and_reading_goes_on_after(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, "[5s, 1h]")]
    worker = scene.worker(redis, views)
    scene.produce(topic, [event(user, amount=user) for user in range(1, 20)])
    until(lambda: field(redis, 19, "shop_purchase_5s_sum") == 19, 30, "the values are there")
    scene.kafka.stop()
    try:
        until(lambda: field(redis, 19, "shop_purchase_5s_sum") == 0, 60, "the value falls without Kafka")
        assert field(redis, 19, "shop_purchase_1h_sum") == 19
    finally:
        scene.kafka.start()
    scene.produce(topic, [event(user, amount=100) for user in range(1, 20)])
    scene.until_right(redis, views)
    assert worker.is_running()
    scene.until_committed(topic)
    worker.drain()


@test(needs={"timestamps"}, forms=BOTH)
def a_log_that_begins_too_late_is_said_to_leave_windows_incomplete(scene):
    topic, redis = scene.topic(1), scene.redis()
    views = [shop(topic, "[1m, 24h]")]
    now = now_ms()
    scene.produce(topic, [event(1, ts=now - HOUR, record_ms=now - HOUR, amount=1)], is_told=False)
    scene.produce(topic, [event(1, amount=2), event(2, amount=4)])
    scene.kafka.topics("trim", f"{topic}:0:1")
    worker = scene.worker(redis, views)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    assert worker.lines("coverage", level="warn", view="shop", window="24h"), "it names view and window"


@test(forms=BOTH)
def a_pipeline_on_event_time_reads_from_the_beginning(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, "[1m, 1h]", more="clock: event\n")]
    old = now_ms() - 200 * HOUR
    scene.produce(topic, [event(user, ts=old + 40_000 * turn, amount=user, record_ms=old + 40_000 * turn)
                          for turn in range(30) for user in range(10)])
    for least, most in ((300, 300), (300, 300) if scene.form == "plain" else (0, 2)):
        worker = scene.worker(redis, views, workers=1)
        until(lambda: worker.live_units() == 2, 60, "it has read everything")  # pylint: disable=all
        scene.until_committed(topic)
        scene.until_right(redis, views)
        worker.drain()
        assert least <= worker.counters()["records"] <= most, worker.counters()


@test
def a_record_key_that_is_not_the_entity_is_warned_of(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic, "[1h]")]
    scene.produce(topic, [
        Record({"user_id": str(user), "event_type": "purchase", "ts": now_ms(), "amount": 1},
               key=f"order-{user}", partition=user % 4) for user in range(1500)])
    worker = scene.worker(redis, views, workers=1)
    until(lambda: worker.lines("keyed", level="warn", view="shop", topic=topic), 60, "it is warned of")
