"""Dead letters: each rejected event arrives with its bytes and its reason, at least once, and no offset
goes before its letter does."""

import json

from scene import BOTH, Record, event, now_ms, shop, test, until

FATAL = 69
LETTERS = "dead_letter: {{topic: {}}}\n"


def bad(partition=0, value=b"{oops", key=b"k"):
    return Record(value, key=key, partition=partition)


def letters_of(scene, topic, count, seconds=60):
    """Waits until so many records have a letter, and gives all that are there."""
    def found():
        letters = scene.letters(topic)
        return letters if len({(one.at(), one.headers["tidewheel.view"]) for one in letters}) >= count else None
    return until(found, seconds, f"{count} letters in {topic}", every=0.3)


def rejects(topic):
    """One event for each reason, and the letter's (reason, view) that is due for it."""
    ts = now_ms()

    def text(**fields):
        return json.dumps(fields).encode()
    return [
        (Record(b"{oops", key=b"a", headers=[("trace", "7"), ("tidewheel.reason", "old")]), "bad_json"),
        (Record(b"\x00\xff\n \xf0", key=b"\x00"), "bad_json"),
        (Record(b"[1, 2]", key=None), "not_object"),
        (Record(b"x" * 300_000, key=b"b"), "too_big"),
        (Record(text(user_id="1", ts="never"), key=b""), "bad_timestamp"),
        (Record(text(ts=ts), key=b"c"), "no_key"),
        (Record(text(user_id="u" * 300, ts=ts), key=b"d"), "key_too_long"),
        (Record(text(user_id="1", ts=ts + 3_600_000), key=b"e"), "future"),
    ]


@test(forms=BOTH)
def every_rejected_event_arrives_as_a_letter_with_its_bytes(scene):
    topic, letters, redis = scene.topic(2), scene.topic(2, name="letters", right="write"), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views, extra=LETTERS.format(letters))
    cases = rejects(topic)
    for number, (record, _) in enumerate(cases):
        record.partition, record.timestamp_ms = number % 2, now_ms() - 1000 - number
    scene.produce(topic, [event(1, amount=2), event(2, amount=3)])
    scene.produce(topic, [record for record, _ in cases], is_told=False)
    scene.produce(topic, [event(1, amount=5)])
    found = letters_of(scene, letters, len(cases))
    scene.until_committed(topic)
    scene.until_right(redis, views)
    by_value = {one.value: one for one in found}
    assert len(found) == len(by_value) == len(cases), [one.headers for one in found]
    for record, reason in cases:
        letter = by_value[record.value]
        assert letter.key == record.key, (reason, letter.key)
        assert letter.timestamp_ms == record.timestamp_ms, reason
        assert letter.at()[0] == record.partition
        expected = {"topic": topic, "reason": reason, "view": "shop", "group": scene.group,
                    "timestamp": str(record.timestamp_ms)}
        assert {name: letter.headers[f"tidewheel.{name}"] for name in expected} == expected
        assert letter.headers.get("trace") == dict(record.headers).get("trace")
    worker.drain()
    assert worker.counters()["rejected"] == len(cases), worker.counters()


@test
def what_a_person_drops_is_dropped_and_tombstones_are_letters_only_if_asked_for(scene):
    topic, letters, redis = scene.topic(), scene.topic(name="letters", right="write"), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views, extra=LETTERS.format(letters))
    scene.produce(topic, [Record(None, key=b"gone"), event(1, amount=1)], is_told=False)
    scene.until_committed(topic)
    worker.drain()
    worker = scene.worker(redis, views, extra=LETTERS.format(letters) +
                          "on_error: {empty: dead_letter, bad_json: drop}\n")
    scene.produce(topic, [bad(), Record(None, key=b"tomb"), Record(b"", key=None), event(1, amount=1)],
                  is_told=False)
    found = letters_of(scene, letters, 2)
    scene.until_committed(topic)
    assert [(one.key, one.value, one.reason()) for one in found] == [
        (b"tomb", None, "empty"), (None, b"", "empty")]


@test
def each_view_that_rejects_an_event_makes_a_letter_and_all_of_them_one_of_what_is_none(scene):
    topic, letters, redis = scene.topic(), scene.topic(name="letters", right="write"), scene.redis()
    other = shop(topic, view="other").replace("user_id", "other_id")
    scene.worker(redis, [shop(topic), other], extra=LETTERS.format(letters))
    scene.produce(topic, [bad(), event(1, amount=1), Record({"ts": now_ms()}, key=b"n", partition=0)],
                  is_told=False)
    found = letters_of(scene, letters, 4)
    assert sorted((one.at()[1], one.headers["tidewheel.view"], one.reason()) for one in found) == [
        (0, "shop,other", "bad_json"), (1, "other", "no_key"), (2, "other", "no_key"),
        (2, "shop", "no_key")]


@test(forms=BOTH)
def stop_ends_the_worker_before_the_event_and_a_restart_there_again(scene):
    topic, redis = scene.topic(), scene.redis()
    views = [shop(topic)]
    stop = "on_error: {bad_json: stop}\n"
    worker = scene.worker(redis, views, extra=stop)
    until(lambda: worker.live_units() == 1, 60, "it is live")
    scene.produce(topic, [event(1, amount=2)] * 3 + [bad()], is_told=True)
    scene.records.pop()
    scene.produce(topic, [event(1, amount=9)], is_told=False)
    for life in range(3):
        assert worker.wait(60) == FATAL, worker.tail()
        exits = worker.lines("exit", code=FATAL)
        assert exits and f"topic {topic}, partition 0, offset 3: rejected as bad_json" in exits[0]["why"]
        assert "start again" in exits[0]["why"]
        assert scene.committed(topic)[0][0] == 3, scene.committed(topic)
        scene.until_right(redis, views)
        if life < 2:
            worker = scene.worker(redis, views, extra=stop)
    scene.worker(redis, views, extra="on_error: {bad_json: drop}\n")
    scene.until_committed(topic)
    assert redis.call("HGET", "features:user:1", "shop_purchase_1h_sum") == b"15"


@test
def stop_ends_with_its_code_though_others_take_too_long_to_drain(scene):
    topic, redis = scene.topic(2), scene.redis()
    worker = scene.worker(redis, [shop(topic)], workers=2,
                          extra="on_error: {bad_json: stop}\nshutdown_timeout: 10s\n")
    until(lambda: worker.live_units() == 2, 60, "it is live")
    redis.call("CLIENT", "PAUSE", "60000", "WRITE")
    scene.produce(topic, [event(1, amount=2, partition=0), event(2, amount=2, partition=1), bad()],
                  is_told=False)
    assert worker.wait(60) == FATAL, worker.tail()
    exits = worker.lines("exit", code=FATAL)
    assert exits and "rejected as bad_json" in exits[0]["why"], worker.tail()
    redis.call("CLIENT", "UNPAUSE")


@test(needs=("growth",), forms=BOTH)
def letters_wait_for_a_topic_that_is_missing_and_hold_their_own_offsets_only(scene):
    topic, redis = scene.topic(2), scene.redis()
    letters = f"late-letters-{scene.number}"
    scene.kafka.allow("topic", letters, "write")
    views = [shop(topic)]
    worker = scene.worker(redis, views, refresh_ms=1000, extra=LETTERS.format(letters))
    until(lambda: worker.live_units() == 2, 60, "it is live")
    scene.produce(topic, [event(1, amount=2, partition=0), event(2, amount=2, partition=1)])
    scene.produce(topic, [bad(partition=0) for _ in range(5)], is_told=False)
    scene.produce(topic, [event(1, amount=3, partition=0), event(2, amount=4, partition=1)])
    scene.until_right(redis, views)  # features go on, beside and behind it
    until(lambda: scene.committed(topic)[1][0] == 2, 60, "the other unit is committed", every=0.2)
    said = until(lambda: worker.lines("dead_letter"), 60, "it says so", every=0.2)
    assert "create the topic" in said[0]["why"], said
    assert scene.committed(topic)[0][0] <= 1, scene.committed(topic)
    scene.kafka.create(letters, 1)
    found = letters_of(scene, letters, 5)
    scene.until_committed(topic)
    assert {one.at() for one in found} == {(0, offset) for offset in range(1, 6)}
    worker.drain()


@test(needs=("growth",), forms=BOTH)
def a_kill_9_with_letters_on_their_way_loses_none(scene):
    topic, redis = scene.topic(2), scene.redis()
    letters = f"late-letters-{scene.number}"
    scene.kafka.allow("topic", letters, "write")
    views = [shop(topic)]
    extra = LETTERS.format(letters)
    worker = scene.worker(redis, views, refresh_ms=1000, extra=extra)
    until(lambda: worker.live_units() == 2, 60, "it is live")
    records = [record for number in range(50)
               for record in (event(number, amount=1, partition=number % 2), bad(partition=number % 2))]
    scene.produce(topic, records)
    scene.records = [record for record in scene.records if record[1] != b"{oops"]
    scene.until_right(redis, views)
    until(lambda: worker.lines("dead_letter"), 60, "they do not go", every=0.2)
    worker.kill()
    scene.kafka.create(letters, 1)
    scene.worker(redis, views, refresh_ms=1000, extra=extra)
    found = letters_of(scene, letters, 50, 90)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    assert {one.at() for one in found} == {(partition, offset) for partition in range(2)
                                           for offset in range(1, 50, 2)}


@test(forms=BOTH)
def sigterm_delivers_what_was_read_and_commits_it(scene):
    topic, letters, redis = scene.topic(2), scene.topic(name="letters", right="write"), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views, extra=LETTERS.format(letters))
    until(lambda: worker.live_units() == 2, 60, "it is live")
    producing = scene.begin(topic, [bad(partition=number % 2, key=str(number).encode())
                                    for number in range(20_000)], is_told=False)
    until(lambda: sum(end for _, end in scene.ends(letters).values()) > 100, 60, "letters come")
    worker.drain()
    scene.finish(producing)
    committed = {partition: max(offset, 0) for partition, (offset, _) in scene.committed(topic).items()}
    sent = {one.at() for one in scene.letters(letters)}
    assert sum(committed.values()) > 0
    missing = [(partition, offset) for partition, end in committed.items() for offset in range(end)
               if (partition, offset) not in sent]
    assert not missing, missing[:5]
    assert len(sent) == sum(committed.values()), "it has left with letters whose offsets stay"


@test(forms=BOTH)
def history_that_is_read_again_sends_nothing_again(scene):
    topic, letters, redis = scene.topic(), scene.topic(name="letters", right="write"), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views, extra=LETTERS.format(letters))
    scene.produce(topic, [event(1, amount=2)])
    scene.produce(topic, [bad() for _ in range(5)], is_told=False)
    letters_of(scene, letters, 5)
    scene.until_committed(topic)
    worker.drain()
    redis.call("FLUSHALL")
    scene.produce(topic, [bad()], is_told=False)
    worker = scene.worker(redis, views, extra=LETTERS.format(letters))
    found = letters_of(scene, letters, 6)
    scene.until_committed(topic)
    scene.until_right(redis, views)
    worker.drain()
    assert worker.counters()["bad_json"] == 6, worker.counters()
    assert [one.at()[1] for one in found] == list(range(1, 7))


@test(needs=("growth", "tools"), forms=BOTH)
def a_replay_sends_letters_again_and_is_over_when_they_have_arrived(scene):
    topic, first, redis = scene.topic(), scene.topic(name="letters", right="write"), scene.redis()
    again = f"late-letters-{scene.number}"
    scene.kafka.allow("topic", again, "write")
    views = [shop(topic)]
    scene.produce(topic, [event(1, amount=2)])
    scene.produce(topic, [bad() for _ in range(5)], is_told=False)
    scene.produce(topic, [event(1, amount=3)])
    worker = scene.worker(redis, views, extra=LETTERS.format(first))
    letters_of(scene, first, 5)
    scene.until_committed(topic)
    worker.drain()
    redis.call("HSET", "features:user:1", "shop_purchase_24h_sum", "-9")
    replay = scene.worker(redis, views, command="replay", workers=1, refresh_ms=1000,
                          extra=LETTERS.format(again))
    until(lambda: replay.lines("dead_letter"), 60, "it says that they do not go", every=0.2)
    scene.until_right(redis, views)
    assert replay.is_running() and not scene.is_committed(topic), scene.committed(topic)
    scene.kafka.create(again, 1)
    assert replay.wait(90) == 0, replay.tail(40)
    assert scene.is_committed(topic), scene.committed(topic)
    assert {one.at()[1] for one in letters_of(scene, again, 5)} == set(range(1, 6))
    assert len(scene.letters(first)) == 5


@test(needs=("growth", "large records"))
def a_letter_that_the_topic_refuses_holds_its_offset_and_nothing_else(scene):
    topic, letters, redis = scene.topic(2), scene.topic(name="letters", right="write"), scene.redis()
    views = [shop(topic)]
    scene.kafka.topics("configure", letters, "max.message.bytes=20000")
    worker = scene.worker(redis, views, extra=LETTERS.format(letters))
    until(lambda: worker.live_units() == 2, 60, "it is live")
    scene.produce(topic, [bad(value=b"{" * 50_000), bad(partition=1), bad(), event(1, amount=1, partition=0)],
                  is_told=False)
    letters_of(scene, letters, 2)
    said = until(lambda: [row for row in worker.lines("dead_letter") if "error" in row], 60, "it says so")
    assert "raise max.message.bytes of the topic" in said[0]["why"], said
    until(lambda: scene.committed(topic)[1][0] == 1, 60, "the other unit is committed", every=0.2)
    until(lambda: redis.call("EXISTS", "features:user:1") == 1, 60, "features go on")
    assert scene.committed(topic)[0][0] <= 0, scene.committed(topic)
    scene.kafka.topics("configure", letters, "max.message.bytes=100000")
    found = letters_of(scene, letters, 3, 90)
    assert max(len(one.value) for one in found) == 50_000
    scene.until_committed(topic)


@test(needs=("growth", "large records"))
def letters_that_shared_a_request_with_refused_ones_arrive(scene):
    topic, letters, redis = scene.topic(), scene.topic(name="letters", right="write"), scene.redis()
    scene.kafka.topics("configure", letters, "cleanup.policy=compact")
    worker = scene.worker(redis, [shop(topic)], extra=LETTERS.format(letters))
    until(lambda: worker.live_units() == 1, 60, "it is live")
    scene.produce(topic, [bad(key=None if number % 2 else b"%d" % number) for number in range(100)],
                  is_told=False)
    found = letters_of(scene, letters, 50, 30)
    assert {one.at()[1] for one in found} == set(range(0, 100, 2))
    assert scene.committed(topic)[0][0] <= 1, scene.committed(topic)
    scene.kafka.topics("configure", letters, "cleanup.policy=delete")
    letters_of(scene, letters, 100)
    scene.until_committed(topic)


@test(needs=("growth", "large records"))
def many_refused_letters_do_not_stop_those_of_another_unit(scene):
    topic, letters, redis = scene.topic(2), scene.topic(name="letters", right="write"), scene.redis()
    scene.kafka.topics("configure", letters, "cleanup.policy=compact")
    worker = scene.worker(redis, [shop(topic)], workers=1, http="127.0.0.1:0",
                          extra=LETTERS.format(letters))
    until(lambda: worker.live_units() == 2, 60, "it is live")
    scene.produce(topic, [bad(key=None) for _ in range(300)], is_told=False)

    def failures():
        return worker.metrics().sum("tidewheel_dead_letter_failures_total")
    until(lambda: failures() > 320, 90, "all are refused, and tried again", every=0.2)
    said = [row for row in worker.lines("dead_letter") if "error" in row]
    assert "use cleanup.policy=delete" in said[0]["why"], said
    scene.produce(topic, [bad(partition=1, key=b"%d" % number) for number in range(5)], is_told=False)
    found = letters_of(scene, letters, 5, 30)
    assert {one.at() for one in found} == {(1, offset) for offset in range(5)}
    until(lambda: scene.committed(topic)[1][0] == 5, 60, "the other unit is committed", every=0.2)
