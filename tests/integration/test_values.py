"""What is published: values, decay, freshness, TTLs, and what bad input does to it."""

import random

from scene import BOTH, Record, event, field, now_ms, shop, test, until


@test(forms=BOTH)
def every_field_ttl_and_freshness_entry_equals_the_oracles(scene):
    topic, redis = scene.topic(4), scene.redis()
    views = [shop(topic, "[10s, 1m, 1h, 24h]")]
    chance = random.Random(1)
    scene.produce(topic, [
        event(chance.randrange(50), chance.choice(["purchase", "page_view", "refund"]),
              now_ms() - chance.choice([0, 9_000, 59_000, 3_599_000, 90_000_000]) - chance.randrange(2000),
              amount=chance.choice([1, 2.5, "3.75", None, "x", 0.1]))
        for _ in range(3000)])
    begun = now_ms()
    worker = scene.worker(redis, views, workers=1)
    scene.until_committed(topic)
    scene.until_right(redis, views, elapsed_ms=now_ms() - begun + 5000)
    worker.drain()
    assert worker.counters()["records"] == 3000, worker.counters()


@test(forms=BOTH)
def two_views_on_two_topics_share_a_hash(scene):
    one, two, redis = scene.topic(3), scene.topic(2, "more"), scene.redis()
    views = [shop(one, "[1m, 1h]", "shop"), shop(two, "[10s, 24h]", "outlet")]
    for topic in (one, two):
        scene.produce(topic, [event(user, amount=user) for user in range(30)])
    scene.worker(redis, views)
    scene.until_committed(one)
    scene.until_committed(two)
    scene.until_right(redis, views)


@test(forms=BOTH)
def tenants_do_not_meet(scene):
    topic, redis = scene.topic(2), scene.redis(unix=True)
    views = [f"""\
view: posts
source: {{topic: {topic}}}
entity:
  type: post
  keys: [{{field: post.id, type: int64}}, {{field: lang, type: string}}]
  tenant: {{field: org}}
features:
  - {{name: likes, where: {{kind: {{in: [like, love]}}}}, aggregates: [count], windows: [1m, 1h]}}
output: {{key: "{{tenant}}:post:{{entity_id}}"}}
"""]
    scene.produce(topic, [
        Record({"org": org, "post": {"id": post}, "lang": lang, "kind": kind}, key=f"{org}/{post}")
        for org in ("a", "b", "a:b") for post in (1, 2, "3") for lang in ("de", "f:r")
        for kind in ("like", "love", "view")])
    scene.worker(redis, views)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    assert redis.call("HGET", "a%3Ab:post:3:f%3Ar", "likes_1h_count") == b"2"


@test(forms=BOTH)
def values_fall_to_zero_and_to_deleted_fields_with_no_event_arriving(scene):
    topic, redis = scene.topic(), scene.redis()
    views = [shop(topic, "[2s, 5s, 1h]")]
    scene.worker(redis, views, workers=1)
    ts = now_ms()
    scene.produce(topic, [event(1, amount=3, ts=ts)])
    until(lambda: field(redis, 1, "shop_purchase_1h_sum") == 3, 30, "the value is there")
    fallen = {}
    for window, leaves in (("2s", ts // 10 * 10 + 10 + 2000), ("5s", ts // 10 * 10 + 10 + 5000)):
        until(lambda: field(redis, 1, f"shop_purchase_{window}_count") != 1, 40,  # pylint: disable=all
              f"the {window} window falls")
        fallen[window] = now_ms()
        assert fallen[window] >= leaves, f"{window} fell {leaves - fallen[window]} ms too early"
        # min(hop, 30 s) is 10 ms here; the rest is what a busy machine may take.
        assert fallen[window] <= leaves + 5000, f"{window}: {fallen[window] - leaves} ms late"
        names = [f"shop_purchase_{window}_{what}" for what in ("count", "sum", "min", "max", "avg")]
        values = redis.call("HMGET", "features:user:1", *names)
        assert values == [b"0", b"0", None, None, None], values
    assert field(redis, 1, "shop_purchase_1h_count") == 1
    scene.until_right(redis, views)


@test(forms=BOTH)
def entities_that_are_gone_free_their_memory(scene):
    topic, redis = scene.topic(), scene.redis()
    views = [shop(topic, "[2s]", more="output: {ttl: 4s}\n")]
    scene.worker(redis, views)
    scene.produce(topic, [event(user, amount=1) for user in range(20)])
    until(lambda: redis.call("EXISTS", "features:user:7") == 1, 30, "the value is there")
    until(lambda: not [key for key in redis.call("KEYS", "*:user:*")], 30, "all keys have expired")


def freshness(redis, user):
    return set(redis.call("HKEYS", f"freshness:user:{user}"))


@test(forms=BOTH)
def a_key_of_another_type_is_set_aside_and_repaired_later(scene):
    topic, redis = scene.topic(), scene.redis()
    elsewhere = 'output: {key: "features:other:{entity_type}:{entity_id}"}\n'
    views = [shop(topic, "[1m, 1h]"), shop(topic, "[1m, 1h]", view="other", more=elsewhere)]
    redis.call("SET", "features:user:2", "in the way")
    worker = scene.worker(redis, views)
    scene.produce(topic, [event(user, amount=user) for user in (1, 2, 3)])
    scene.until_committed(topic)
    until(lambda: field(redis, 3, "shop_purchase_1h_sum") == 3, 30, "the others are written")
    assert redis.call("GET", "features:user:2") == b"in the way"
    said = worker.lines("refused", key="features:user:2")
    assert said and "WRONGTYPE" in said[0]["why"], worker.tail()
    # It was not written, and so it is not fresh; in the other view it is. A retry leaves it so.
    until(lambda: freshness(redis, 2) == {b"other", b"other:event"}, 10, "only the other view is fresh")
    assert freshness(redis, 3) == {b"other", b"other:event", b"shop", b"shop:event"}
    until(lambda: len(worker.lines("refused")) > 1, 60, "it is tried again")
    until(lambda: freshness(redis, 2) == {b"other", b"other:event"}, 10, "only the other view is fresh")
    redis.call("DEL", "features:user:2")
    scene.until_right(redis, views)


@test(forms=BOTH)
def an_event_is_future_by_its_record_timestamp(scene):
    topic, redis = scene.topic(), scene.redis()
    views = [shop(topic, "[1h, 24h]")]
    now, hour = now_ms(), 3_600_000
    scene.produce(topic, [
        event(1, amount=1, ts=now - hour, record_ms=now - 3 * hour),         # ahead of its record
        event(1, amount=2, ts=now - 2 * hour, record_ms=now - 2 * hour),
        event(1, amount=4, ts=now + 59_000, record_ms=now),                  # a little ahead counts
        event(1, amount=8, ts=now + 120_000, record_ms=now),
        event(1, amount=16, ts=now, record_ms=now + 50_000),
    ])
    worker = scene.worker(redis, views, workers=1)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    assert field(redis, 1, "shop_purchase_24h_sum") == 22
    worker.drain()
    assert worker.counters()["future"] == 2, worker.counters()


@test(needs={"transactions"}, forms=BOTH)
def records_of_aborted_transactions_count_nowhere(scene):
    topic, redis = scene.topic(3), scene.redis()
    views = [shop(topic, "[1m, 1h]")]
    worker = scene.worker(redis, views, workers=1)
    lines = []
    for batch in range(40):
        is_kept = batch % 3 != 1
        records = [event(user, amount=batch) for user in range(10)]
        lines += [b"!begin\n", *(scene.line(topic, record, is_kept) for record in records),
                  b"!commit\n" if is_kept else b"!abort\n"]
    scene.finish(scene.feed(topic, b"".join(lines), "-T", f"transactions-{scene.number}"))
    # The log ends in control records, which no consumer sees: the last ones need not be committed.
    scene.until_right(redis, views)
    worker.drain()
    assert worker.counters()["records"] == len(scene.records), worker.counters()


@test(needs={"transactions"}, forms=BOTH)
def a_log_that_ends_in_control_records_is_caught_up(scene):
    topic, redis = scene.topic(1), scene.redis()
    views = [shop(topic, "[1m, 1h]")]
    lines = [b"!begin\n", scene.line(topic, event(1, amount=1), True), b"!commit\n",
             b"!begin\n", scene.line(topic, event(1, amount=2), False), b"!abort\n"]
    scene.finish(scene.feed(topic, b"".join(lines), "-T", f"transactions-{scene.number}"))
    scene.worker(redis, views)
    scene.until_right(redis, views)


DEEP = b"[" * 10_000_000

# What is sent, and the counter that must rise; "" for what is accepted.
BAD = [
    ("empty", None),
    ("empty", b""),
    ("bad_json", b"not JSON"),
    ("bad_json", b"\x00"),
    ("bad_json", b'{"user_id":"1","ts":1'),
    ("bad_json", b'{"user_id":"1"} {}'),
    ("bad_json", b'\xef\xbb\xbf{"user_id":"1","ts":%d}'),
    ("bad_json", b'{"user_id":"\xff\xfe","ts":%d}'),
    ("bad_json", b'{"user_id":"\xc0\x80","ts":%d}'),
    ("bad_json", b'{"user_id":"\\ud83d","ts":%d}'),
    ("bad_json", b'{"user_id":"a\\u0000b","ts":%d}'),
    ("bad_json", b'{"user_id":"7","ts":%d,"x":' + b"[" * 100 + b"]" * 100 + b"}"),
    ("not_object", b'[{"user_id":"1","ts":%d}]'),
    ("not_object", b'"text"'),
    ("not_object", b"17"),
    ("too_big", DEEP),
    ("too_big", b'{"user_id":"7","ts":%d,"x":"' + b"x" * 300_000 + b'"}'),
    ("too_big", b'{"ts":%d,"user_id":"' + b"k" * 1_048_576 + b'"}'),
    ("key_too_long", b'{"ts":%d,"user_id":"' + b"k" * 300 + b'"}'),
    ("no_key", b'{"ts":%d}'),
    ("no_key", b'{"ts":%d,"user_id":null}'),
    ("no_key", b'{"ts":%d,"user_id":""}'),
    ("no_key", b'{"ts":%d,"user_id":1.5}'),
    ("no_key", b'{"ts":%d,"user_id":true}'),
    ("no_key", b'{"ts":%d,"user_id":{"a":1}}'),
    ("bad_timestamp", b'{"user_id":"1"}'),
    ("bad_timestamp", b'{"user_id":"1","ts":-1}'),
    ("bad_timestamp", b'{"user_id":"1","ts":"soon"}'),
    ("bad_timestamp", b'{"user_id":"1","ts":1e999}'),
    ("bad_timestamp", b'{"user_id":"1","ts":%d000000}'),        # in ns
    ("bad_timestamp", b'{"user_id":"1","ts":253402300800000}'),  # the year 10000
    ("future", b'{"user_id":"1","ts":253402300799999}'),
    ("late", b'{"user_id":"late","ts":0,"event_type":"page_view"}'),
    ("duplicate_key", b'{"user_id":"twice","user_id":"second","ts":%d,"event_type":"page_view"}'),
    ("", b'{"user_id":"a:b{c}\\r\\nd e%%","ts":%d,"event_type":"page_view"}'),
    ("", b'{"user_id":-0,"ts":%d,"event_type":"page_view"}'),
    ("", b'{"user_id":9223372036854775808,"ts":%d,"event_type":"page_view"}'),
    ("", b'{"user_id":"n","ts":%d,"event_type":"purchase","amount":-0}'),
    ("", b'{"user_id":"n","ts":%d,"event_type":"purchase","amount":' + b"7" * 60 + b"}"),
    ("missing", b'{"user_id":"m","ts":%d,"event_type":"purchase"}'),
    ("missing", b'{"user_id":"m","ts":%d,"event_type":"purchase","amount":null}'),
    ("bad_type", b'{"user_id":"b","ts":%d,"event_type":"purchase","amount":[1]}'),
    ("bad_type", b'{"user_id":"b","ts":%d,"event_type":"purchase","amount":"1,5"}'),
    ("bad_type", b'{"user_id":"b","ts":%d,"event_type":"purchase","amount":1e999}'),
    ("bad_type", b'{"user_id":"b","ts":%d,"event_type":"purchase","amount":' + b"8" * 400 + b"}"),
    ("unmatched", b'{"user_id":"u","ts":%d}'),
]


@test
def bad_input_is_counted_by_reason_and_stops_nothing(scene):
    topic, redis = scene.topic(), scene.redis()
    views = [shop(topic, "[1m, 1h]")]
    worker = scene.worker(redis, views, workers=1)
    now = now_ms()
    wanted = {}
    for reason, value in BAD:
        if "large records" in scene.kafka.lacks and len(value or b"") > 4_000_000:
            continue
        filled = value.replace(b"%d", str(now).encode()) if value else value
        scene.produce(topic, [Record(filled, key="k", timestamp_ms=now)])
        wanted[reason] = wanted.get(reason, 0) + 1
    scene.produce(topic, [event("last", amount=1)])
    scene.until_committed(topic)
    scene.until_right(redis, views)
    assert worker.is_running()
    worker.drain()
    counters = worker.counters()
    rejections = set(scene.expected(views).rejected)
    for reason, count in wanted.items():
        if reason in rejections | {"duplicate_key"}:
            assert counters.get(reason) == count, f"{reason}: wanted {count}, got {counters}"
        elif reason:
            assert counters.get(reason, 0) >= count, f"{reason}: wanted {count}, got {counters}"
