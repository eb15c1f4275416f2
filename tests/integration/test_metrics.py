"""What a worker says of itself: metrics, health, and that neither tells of entities."""

import json
import shutil
import socket
import subprocess
import time

from scene import BOTH, OWN_MOUNTS, Record, Skip, event, now_ms, process, shop, test, until
from worker import binary

ANYWHERE = "127.0.0.1:0"
NAME = "entity-that-nobody-may-see"


def listed():
    """The rows of `list metrics`: {name: (type, label names)}."""
    text = subprocess.run([binary(), "list", "metrics"], check=True, capture_output=True, text=True).stdout
    lines = text.splitlines()
    third, fourth = lines[0].index("version,"), lines[0].index("Always 1")
    rows = {}
    for line in lines:
        name, kind = line[:third].split()
        labels = line[third:fourth].strip()
        rows[name] = (kind, tuple(sorted(labels.split(","))) if labels else ())
    return rows


def is_ready(worker):
    return worker.get("/readyz")[0] == 200


def until_ready(worker):
    until(lambda: is_ready(worker), 60, "the worker is ready", every=0.1)


@test(forms=BOTH)
def every_metric_that_is_listed_is_exposed_and_no_other(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    scene.produce(topic, [event(user, amount=1) for user in range(20)])
    worker = scene.worker(redis, views, http=ANYWHERE)
    scene.until_committed(topic)
    until_ready(worker)
    metrics, rows = worker.metrics(), listed()
    assert metrics.types == {name: kind for name, (kind, _) in rows.items()}
    absent = {"tidewheel_checkpoint_age_seconds"} if scene.form == "plain" else set()
    for name, (kind, labels) in rows.items():
        found = [names for (own, names) in metrics.samples
                 if own == name or (kind == "histogram" and own == name + "_count")]
        assert bool(found) == (name not in absent), f"{name} has samples: {found}"
        for names in found:
            assert tuple(name for name, _ in names) == labels, (name, names, labels)


def bad_events():
    return [Record(b"{", key="x"), Record(b"[]", key="x"), Record(b"", key="x"), Record(None, key="x"),
            Record({"event_type": "purchase", "ts": now_ms()}, key="x"),
            event(1, ts=now_ms() + 3_600_000), event(1, ts=0, amount=1), event(1, amount="no number")]


@test(forms=BOTH)
def metrics_agree_with_what_was_produced_and_with_the_log(scene):
    topic, redis = scene.topic(3), scene.redis()
    views = [shop(topic), shop(topic, "[10s]", "other")]
    scene.produce(topic, [event(f"{NAME}-{user}", amount=user) for user in range(300)])
    worker = scene.worker(redis, views, http=ANYWHERE)
    until(lambda: worker.live_units() == 3, 60, "all is live")
    until_ready(worker)
    scene.produce(topic, [event(f"{NAME}-{user % 40}", amount=1) for user in range(400)] + bad_events())
    scene.until_committed(topic)
    # Cells of units are shown once a second.
    until(lambda: worker.metrics().sum("tidewheel_kafka_consumer_lag") == 0, 30, "the lag is 0", every=0.2)
    metrics = worker.metrics()
    assert metrics.value("tidewheel_records_total") == 708
    assert metrics.sum("tidewheel_kafka_consumer_lag_seconds") == 0
    assert len(metrics.values("tidewheel_kafka_consumer_lag_seconds")) == 3
    assert metrics.value("tidewheel_partitions", state="live") == 3
    assert metrics.value("tidewheel_ready") == 1
    for view in ("shop", "other"):
        of = {verdict: metrics.value("tidewheel_events_total", view=view, result=verdict)
              for verdict in ("accepted", "bad_json", "not_object", "empty", "no_key", "future", "late", "bad_type")}
        assert of == {"accepted": 702, "bad_json": 1, "not_object": 1, "empty": 2, "no_key": 1, "future": 1,
                      "late": 1, "bad_type": 1}, of
        assert 0 <= metrics.value("tidewheel_feature_freshness_seconds", view=view) < 60
        count = metrics.value("tidewheel_end_to_end_latency_seconds_count", view=view)
        assert 0 < count <= metrics.value("tidewheel_redis_entity_writes_total")
        assert metrics.value("tidewheel_end_to_end_latency_seconds_sum", view=view) < 60 * count
    assert metrics.value("tidewheel_kafka_commits_total", result="ok") > 0
    assert metrics.value("tidewheel_kafka_rebalances_total") >= 1
    entities = metrics.sum("tidewheel_state_entities")
    assert entities >= 300, entities
    assert (metrics.value("tidewheel_checkpoints_total") > 0) == (scene.form == "checkpointed")
    worker.drain()
    for row in worker.lines("events"):
        for name, count in row.items():
            if count.isdigit() and name != "rejected":
                assert metrics.value("tidewheel_events_total", view=row["view"], result=name) == int(count), row


@test(forms=BOTH)
def nothing_that_is_said_names_an_entity(scene):
    topic, redis = scene.topic(2), scene.redis()
    scene.produce(topic, [event(f"{NAME}-{user}", amount=1) for user in range(50)])
    worker = scene.worker(redis, [shop(topic)], http=ANYWHERE)
    scene.until_committed(topic)
    until_ready(worker)
    for path in ("/metrics", "/livez", "/readyz?verbose", "/version", "/debug/state"):
        status, text = worker.get(path)
        assert status == 200 and text and NAME not in text, (path, status, text)
    state = json.loads(worker.get("/debug/state")[1])
    assert [(row["topic"], row["partition"], row["state"]) for row in state["partitions"]] == [
        (topic, 0, "live"), (topic, 1, "live")], state
    until(lambda: all(row["lag"] == 0 and row["position"] == row["end"] == row["committed"] for row in
                      json.loads(worker.get("/debug/state")[1])["partitions"]), 30, "offsets agree", every=0.2)


@test(needs={"growth"}, forms=BOTH)
def a_topic_that_is_missing_makes_it_unready_until_it_is_there(scene):
    topic, redis, later = scene.topic(1), scene.redis(), f"no_such_topic-{scene.number}"
    scene.kafka.allow("topic", later, "read")
    views = [shop(topic), shop(later, view="later")]
    worker = scene.worker(redis, views, http=ANYWHERE, refresh_ms=1000)
    scene.produce(topic, [event(1, amount=1)])
    scene.until_right(redis, views[:1], seconds=60)  # what is there is served
    until(lambda: worker.metrics().value("tidewheel_kafka_topics_missing") == 1, 30, "it is counted", every=0.2)
    status, text = worker.get("/readyz")
    assert status == 503 and f"[-]topics failed: worker 0 has not found {later}\n" in text, text
    assert json.loads(worker.get("/debug/state")[1])["topics_missing"] == [later]
    assert text.count("[-]") == 1, text
    scene.kafka.create(later, 1)
    until_ready(worker)
    assert worker.metrics().value("tidewheel_kafka_topics_missing") == 0
    assert json.loads(worker.get("/debug/state")[1])["topics_missing"] == []


@test(forms=BOTH)
def a_frozen_redis_makes_it_unready_and_not_dead(scene):
    topic, redis = scene.topic(2), scene.redis()
    scene.produce(topic, [event(user, amount=1) for user in range(20)])
    worker = scene.worker(redis, [shop(topic)], http=ANYWHERE, workers=1)
    listen = f"http.listen={worker.address()}"
    check = [binary(), "healthcheck", "-c", worker.config, "-s", listen]
    until_ready(worker)
    assert subprocess.run([*check, "ready"], check=False).returncode == 0
    redis.freeze()
    scene.produce(topic, [event(1, amount=1)])
    until(lambda: not is_ready(worker), 30, "it is not ready", every=0.1)
    until(lambda: worker.metrics().value("tidewheel_intake_paused") == 1, 30, "intake is paused", every=0.2)
    assert "[-]redis failed: worker " in worker.get("/readyz")[1]
    assert worker.get("/livez") == (200, "ok\n")
    assert worker.metrics().value("tidewheel_redis_up") == 0
    asked = subprocess.run([*check, "ready"], check=False, capture_output=True, text=True)
    assert asked.returncode == 69 and "/readyz says 503" in asked.stderr, asked
    assert subprocess.run(check, check=False).returncode == 0
    scene.produce(topic, [event(user, amount=1) for user in range(30)])
    until(lambda: worker.metrics().sum("tidewheel_kafka_consumer_lag") >= 30, 30, "the lag grows", every=0.2)
    assert worker.metrics().sum("tidewheel_kafka_consumer_lag_seconds") > 0
    redis.thaw()
    until_ready(worker)
    assert worker.metrics().value("tidewheel_redis_up") == 1
    assert worker.metrics().value("tidewheel_intake_paused") == 0


@test
def a_file_that_is_wrong_by_now_makes_nobody_dead(scene):
    topic, redis = scene.topic(1), scene.redis()
    worker = scene.worker(redis, [shop(topic)], http=ANYWHERE, workers=1)
    until_ready(worker)
    text = worker.config.read_text().replace(ANYWHERE, worker.address())
    worker.config.write_text(text + "flsh: {}\nredis: {tls: {ca_file: nowhere.pem}}\n")
    check = [binary(), "healthcheck", "-c", worker.config]
    asked = subprocess.run(check, check=False, capture_output=True, text=True)
    assert asked.returncode == 0 and not asked.stderr, asked
    worker.kill()
    asked = subprocess.run(check, check=False, capture_output=True, text=True)
    assert asked.returncode == 78 and "flsh" in asked.stderr and "Connection refused" in asked.stderr, asked


@test(needs={"mounts"})
def a_name_server_that_does_not_answer_makes_nobody_dead(scene):
    """As in a cluster: each lookup tries the whole search list."""
    topic, redis = scene.topic(1), scene.redis()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.53", 53))
        names = process.folder("names") / "resolv.conf"
        names.write_text("nameserver 127.0.0.53\nsearch ns.svc.cluster.local svc.cluster.local cluster.local\n"
                         "options ndots:5\n")
        worker = scene.worker(redis, [shop(topic)], http=ANYWHERE, workers=1, launcher=(*OWN_MOUNTS, names),
                              flags=["-s", "redis.url=redis://redis.shop.svc:6379"])
        turns = []
        for _ in range(36):
            time.sleep(1)
            turns.append(worker.get("/livez")[0])
        assert set(turns) == {200}, turns
        assert worker.lines("redis", state="away"), worker.tail()
        worker.kill()


@test
def a_drain_is_not_ready(scene):
    topic, redis = scene.topic(1), scene.redis()
    scene.produce(topic, [event(1, amount=1)])
    worker = scene.worker(redis, [shop(topic)], http=ANYWHERE, workers=1)
    until_ready(worker)
    redis.freeze()  # so that the drain takes as long as it may
    scene.produce(topic, [event(2, amount=1)])
    until(lambda: worker.metrics().value("tidewheel_records_total") == 2, 30, "it is applied", every=0.05)
    worker.signal(15)
    until(lambda: "drains" in worker.get("/readyz")[1], 10, "it says that it drains", every=0.05)
    assert worker.get("/livez")[0] == 200
    redis.thaw()
    assert worker.wait(60) == 0


@test(forms=BOTH)
def an_entity_whose_key_has_another_type_is_counted(scene):
    topic, redis = scene.topic(1), scene.redis()
    redis.call("SET", "features:user:7", "a string")
    scene.produce(topic, [event(7, amount=1), event(8, amount=1)])
    worker = scene.worker(redis, [shop(topic)], http=ANYWHERE, workers=1)
    until(lambda: worker.metrics().value("tidewheel_redis_refused_entities") == 1, 30, "it is counted", every=0.2)
    until_ready(worker)
    assert "view shop has 1 whose keys have another type" in worker.get("/readyz?verbose")[1]


@test
def an_address_in_use_is_said_before_anything_is_taken(scene):
    topic, redis = scene.topic(1), scene.redis()
    worker = scene.worker(redis, [shop(topic)], http=ANYWHERE)
    other = scene.worker(redis, [shop(topic)], http=worker.address())
    assert other.wait(30) == 69, other.tail()
    assert other.has_said("something listens there already"), other.tail()
    assert not other.lines("owned") and not other.lines("kafka"), other.tail()


@test(alone=True)
def a_second_worker_does_without_the_default_address(scene):
    """Both have the configuration of the examples: the first that comes has the port."""
    topic, redis = scene.topic(2), scene.redis()
    default = "127.0.0.1:4196"
    workers = [scene.worker(redis, [shop(topic)], http=default, workers=1) for _ in range(2)]
    until(lambda: sum(bool(worker.lines("owned")) for worker in workers) == 2, 60, "both have joined", every=0.1)
    assert any(worker.lines("http", then="it goes on, and cannot be asked") for worker in workers)
    scene.produce(topic, [event(user, amount=1) for user in range(20)])
    scene.until_right(redis, [shop(topic)])


@test
def promtool_finds_nothing_to_complain_of(scene):
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    topic, redis = scene.topic(2), scene.redis()
    scene.produce(topic, [event(user, amount=1) for user in range(20)])
    worker = scene.worker(redis, [shop(topic)], http=ANYWHERE)
    scene.until_committed(topic)
    until_ready(worker)
    checked = subprocess.run(["promtool", "check", "metrics"], input=worker.get("/metrics")[1], check=False,
                             capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
