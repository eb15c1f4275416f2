"""The checkpointed form: what is read after a restart, and what is done about state that is lost."""

import re

from scene import event, field, now_ms, shop, test, until

USERS = 300
STATE_KEY = re.compile(rb"\{tw:[^}]*:(\d+)\}:")


def purchases(count, amount=1):
    return [event(number % USERS, amount=amount) for number in range(count)]


def state_keys(redis, kind):
    """{key: partition} of the worker's own keys; kind: ":m" or ":s:"."""
    with redis.client() as client:
        return {key: int(STATE_KEY.match(key)[1]) for key in client.keys()
                if STATE_KEY.match(key) and kind.encode() in key[key.index(b"}"):]}


def records_of(scene, partition):
    return sum(record[3] == partition for record in scene.records)


def settled(scene, topic, redis, views):
    """Everything is in a checkpoint, as only that is committed, and right."""
    scene.until_committed(topic)
    scene.until_right(redis, views)


def records_read(worker):
    worker.drain()
    return worker.counters()["records"]


@test
def a_restart_after_kill_9_reads_only_what_came_after_the_checkpoint(scene):
    partitions = 4
    topic, redis = scene.topic(partitions), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views)
    scene.produce(topic, purchases(5000))
    settled(scene, topic, redis, views)
    worker.kill()
    scene.produce(topic, purchases(400, amount=3))
    worker = scene.worker(redis, views, workers=1)
    settled(scene, topic, redis, views)
    # The last record before the checkpoint is looked at, to see that the log is the same.
    assert 400 <= records_read(worker) <= 400 + partitions, worker.counters()


@test
def a_restart_after_sigterm_reads_nothing_again(scene):
    partitions = 4
    topic, redis = scene.topic(partitions), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views)
    scene.produce(topic, purchases(5000))
    until(lambda: redis.call("DBSIZE") > USERS, 60, "values are written")
    worker.drain()
    committed = sum(max(offset, 0) for offset, _ in scene.committed(topic).values())
    worker = scene.worker(redis, views, workers=1)
    until(lambda: worker.live_units() == partitions, 60, "all units are live")
    settled(scene, topic, redis, views)
    unread = len(scene.records) - committed
    assert unread <= records_read(worker) <= unread + partitions, (unread, worker.counters())


@test
def decay_goes_on_after_a_restart_that_reads_nothing(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic, "[5s, 30s, 1h]")]
    worker = scene.worker(redis, views)
    scene.produce(topic, purchases(USERS, amount=2))
    settled(scene, topic, redis, views)
    worker.drain()
    worker = scene.worker(redis, views)
    until(lambda: worker.live_units() == 2, 60, "its units are live")
    newest = max(record[2] for record in scene.records)
    until(lambda: now_ms() > newest + 32_000, 60, "the short windows have passed")
    scene.until_right(redis, views, seconds=30, lag_ms=1000)
    assert field(redis, 1, "shop_purchase_30s_sum") == 0 and field(redis, 1, "shop_purchase_1h_sum") == 2
    assert records_read(worker) <= 4, worker.counters()


@test
def flushall_under_a_live_worker_comes_back(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic, "[10s, 1h]")]
    worker = scene.worker(redis, views)
    scene.produce(topic, purchases(3000))
    settled(scene, topic, redis, views)
    redis.call("FLUSHALL")
    scene.until_right(redis, views)  # with no event that would have it noticed
    scene.produce(topic, purchases(500, amount=2))
    settled(scene, topic, redis, views)
    assert set(state_keys(redis, ":m").values()) == {0, 1, 2, 3}
    worker.kill()
    redis.call("FLUSHALL")
    scene.worker(redis, views)
    scene.until_right(redis, views)


@test
def an_older_redis_gets_what_it_lacks_once_though_kafka_has_the_commits(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views)
    scene.produce(topic, purchases(2000))
    settled(scene, topic, redis, views)
    older = redis.snapshot()
    scene.produce(topic, purchases(2000, amount=2))
    settled(scene, topic, redis, views)
    redis.kill()
    redis.start(older)
    scene.until_right(redis, views)
    worker.kill()
    redis.kill()
    redis.start(older)
    worker = scene.worker(redis, views)
    scene.until_right(redis, views)  # the older one had not half of it
    assert records_read(worker) < len(scene.records), "it was not read from the beginning"


@test
def a_deleted_key_of_the_state_is_noticed_and_that_unit_rebuilt(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views)
    scene.produce(topic, purchases(3000))
    settled(scene, topic, redis, views)
    key, partition = sorted(state_keys(redis, ":s:").items())[0]
    assert redis.call("DEL", key) == 1
    scene.produce(topic, purchases(600, amount=2))  # so that it is there again, in part
    settled(scene, topic, redis, views)
    worker.kill()
    worker = scene.worker(redis, views)
    until(lambda: worker.live_units() == 4, 60, "all units are live")
    lost = records_of(scene, partition)
    until(lambda: worker.live_units() == 4, 60, "all units are live")
    settled(scene, topic, redis, views)
    read = records_read(worker)
    assert lost <= read <= lost + 4 < len(scene.records), f"{read} read, {lost} of that unit"


@test
def a_deleted_meta_is_noticed_by_a_worker_that_has_nothing_to_do(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    scene.worker(redis, views)
    scene.produce(topic, purchases(1000))
    settled(scene, topic, redis, views)
    key = sorted(state_keys(redis, ":m"))[0]
    redis.call("DEL", key)
    until(lambda: redis.call("HGET", key, "own"), 30, "it is claimed again")
    scene.produce(topic, purchases(1000, amount=2))
    settled(scene, topic, redis, views)


@test
def a_unit_that_is_claimed_away_under_load_costs_the_others_nothing(scene):
    partitions = 12
    topic, redis = scene.topic(partitions), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views, workers=1)
    scene.produce(topic, purchases(3000))
    settled(scene, topic, redis, views)
    more = scene.begin(topic, purchases(12_000, amount=2), rate=2000)
    until(lambda: field(redis, 7, "shop_purchase_24h_sum") > 20, 60, "the load has begun")

    def unit_lines():
        return {partition: len(worker.lines("unit", partition=partition))
                for partition in range(partitions)}

    before = unit_lines()
    key = next(key for key, partition in state_keys(redis, ":m").items() if partition == 5)
    redis.call("HSET", key, "own", "f" * 32)
    until(lambda: unit_lines()[5] > before[5], 30, "the unit is dropped")
    until(lambda: redis.call("HGET", key, "own") != b"f" * 32, 30, "and claimed again")
    scene.finish(more)
    settled(scene, topic, redis, views)
    disturbed = [partition for partition, count in unit_lines().items()
                 if partition != 5 and count != before[partition]]
    assert not disturbed, f"units {disturbed} were disturbed, too\n{worker.tail(40)}"


@test(needs={"growth"})
def another_partition_count_than_the_states_halts_with_a_clear_sentence(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views)
    scene.produce(topic, purchases(200))
    settled(scene, topic, redis, views)
    worker.drain()
    scene.kafka.topics("grow", f"{topic}:3")
    worker = scene.worker(redis, views)
    code = worker.wait(60)
    assert code in (69, 70), f"{code}\n{worker.tail()}"
    assert worker.has_said("partition") and worker.has_said(topic), worker.tail()
    scene.until_right(redis, views)


@test(needs={"tools"})
def a_persons_reset_to_the_beginning_is_a_rebuild_once(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    scene.produce(topic, purchases(1000))
    worker = scene.worker(redis, views)
    settled(scene, topic, redis, views)
    worker.drain()
    scene.kafka.tool("consumer.group.ConsumerGroupCommand", "--group", scene.group, "--topic", topic,
                     "--reset-offsets", "--to-earliest", "--execute")
    for least, most in ((1000, 1002), (0, 2)):
        worker = scene.worker(redis, views, workers=1)
        until(lambda: worker.live_units() == 2, 60, "its units are live")  # pylint: disable=all
        settled(scene, topic, redis, views)
        assert least <= records_read(worker) <= most, worker.counters()
    assert all(metadata.startswith("tw1 ") for _, metadata in scene.committed(topic).values())


@test(needs={"timestamps"})
def a_log_that_begins_behind_the_progress_is_gone_on_with_and_warned_of(scene):
    topic, redis = scene.topic(1), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views)
    scene.produce(topic, purchases(1000))
    settled(scene, topic, redis, views)
    worker.drain()
    scene.produce(topic, purchases(300, amount=5), is_told=False)
    scene.produce(topic, purchases(400, amount=3))
    scene.kafka.topics("trim", f"{topic}:0:1300")
    worker = scene.worker(redis, views)
    settled(scene, topic, redis, views)
    said = [line for line in worker.output
            if topic in line and ("level=warn" in line or "level=error" in line)]
    assert said, worker.tail(30)
    assert records_read(worker) <= 401, worker.counters()


@test
def a_redis_that_evicts_is_refused(scene):
    topic, redis = scene.topic(1), scene.redis(flags=["--maxmemory-policy", "allkeys-lru"])
    worker = scene.worker(redis, [shop(topic)])
    assert worker.wait(60) in (69, 70, 78), worker.tail()
    assert worker.has_said("noeviction"), worker.tail()


# ---- a view that is changed


def changed(scene, before, after, watched=None):
    """Runs with the views before, then with those after; watched: a field that must not fall, and is
    that of another view. Each is a function of the topic. Returns the records that the second read."""
    topic, redis = scene.topic(2), scene.redis()
    worker = scene.worker(redis, before(topic))
    scene.produce(topic, [event(number % USERS, kind, amount=number % 7)
                          for number in range(4000) for kind in ("purchase", "page_view")])
    settled(scene, topic, redis, before(topic))
    worker.drain()
    least = field(redis, 1, watched) if watched else None
    more = scene.begin(topic, purchases(3000, amount=2), rate=1500)
    worker = scene.worker(redis, after(topic), workers=1)

    def is_over():
        if watched:
            now = field(redis, 1, watched)
            assert now is not None and now >= least, f"{watched} was {least} and is {now}"
        return more.poll() is not None and scene.is_committed(topic)

    until(is_over, 90, "what was changed has caught up")
    scene.finish(more)
    scene.until_right(redis, after(topic))
    read = records_read(worker)
    # And it stays so: the next start finds nothing that is changed.
    worker = scene.worker(redis, after(topic), workers=1)
    until(lambda: worker.live_units() == 2, 60, "its units are live")
    scene.until_right(redis, after(topic))
    assert records_read(worker) <= 2, worker.counters()
    return read


def both(topic, windows="[1h, 24h]", name="shop"):
    return [shop(topic, windows, name), shop(topic, "[1h]", "outlet")]


@test
def a_window_that_is_added_is_filled_from_the_log_and_the_other_view_goes_on(scene):
    changed(scene, both, lambda topic: both(topic, "[1h, 12h, 24h]"), "outlet_purchase_1h_count")


@test
def a_window_that_is_removed_takes_its_fields_with_it(scene):
    changed(scene, both, lambda topic: both(topic, "[1h]"), "outlet_purchase_1h_count")


@test
def a_feature_that_is_removed_takes_its_fields_with_it(scene):
    def after(topic):
        whole = shop(topic)
        return [whole[:whole.index("  - name: shop_page_view")], both(topic)[1]]
    changed(scene, both, after, "outlet_purchase_1h_count")


@test
def a_view_that_is_renamed_takes_its_old_fields_with_it(scene):
    changed(scene, both, lambda topic: both(topic, name="mall"), "outlet_purchase_1h_count")


@test
def a_view_that_is_added_is_filled_from_the_log(scene):
    changed(scene, lambda topic: both(topic)[1:], both, "outlet_purchase_1h_count")


@test
def a_view_that_is_removed_is_cleaned_away(scene):
    read = changed(scene, both, lambda topic: both(topic)[1:], "outlet_purchase_1h_count")
    assert read <= 3002, f"{read} records: nothing had to be read again"


@test(alone=True)
def a_state_larger_than_the_memory_stays_in_redis_and_the_values_are_right(scene):
    """Eight features, so that buckets outweigh what stays in memory of each entity."""
    users, rounds = 12_000, 9
    topic, redis = scene.topic(2), scene.redis()
    view = shop(topic, more="".join(
        f"  - {{name: f{number}, value: amount, aggregates: [count, sum], windows: [1h, 24h]}}\n"
        for number in range(8)))
    worker = scene.worker(redis, [view], workers=2, extra="limits: {memory: 16MiB}")
    for number in range(rounds):
        ts = now_ms() - (rounds - number) * 400_000
        scene.produce(topic, [event(user, amount=number + 1, ts=ts + user) for user in range(users)])
        scene.until_committed(topic)
    scene.until_right(redis, [view])
    most = max(int(row["bytes"]) for row in worker.lines("stats"))
    assert 4 * 2 ** 20 < most < 9 * 2 ** 20, f"{most} bytes of a worker's share of 8 MiB"
    worker.kill()
    worker = scene.worker(redis, [view], workers=2, extra="limits: {memory: 16MiB}")
    scene.produce(topic, [event(user, amount=50) for user in range(0, users, 3)])
    scene.until_committed(topic)
    scene.until_right(redis, [view])
