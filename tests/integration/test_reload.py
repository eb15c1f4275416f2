"""SIGHUP: other pipelines in a running worker."""

import contextlib
import signal
import socket
import urllib.request

from process import folder, free_port
from scene import BOTH, event, field, shop, test, until

USERS = 200


def purchases(count, amount=1):
    return [event(number % USERS, amount=amount) for number in range(count)]


def settled(scene, redis, views, *topics):
    for topic in topics:
        scene.until_committed(topic)
    scene.until_right(redis, views)


def accepted(worker, view):
    """Events that a view has taken, as told at the end."""
    return int(worker.lines("events", view=view)[-1]["accepted"])


def told(scene, topic):
    return sum(record[0] == topic for record in scene.records)


def generations(redis, view):
    """{key of a unit: generation of the view's state}"""
    with redis.client() as client:
        metas = [key for key in client.keys() if key.startswith(b"{tw:") and key.endswith(b"}:m")]
        found = {key: client.call("HGET", key, f"{view}:gen") for key in metas}
    return {key: gen for key, gen in found.items() if gen is not None}


def rebalances(worker):
    return len(worker.lines("owned"))


class Stage:
    """Two topics: of one the views change while events flow, those of the other stay. All write to the
    same hashes, so that a longer window anywhere is a longer expiry for all."""

    def __init__(self, scene, before, workers=2):
        self.scene, self.redis = scene, scene.redis()
        self.topic, self.calm = scene.topic(2), scene.topic(2, name="calm")
        self.mall = shop(self.calm, view="mall")
        self.views = [*before(self.topic), self.mall]
        self.worker = scene.worker(self.redis, self.views, workers=workers)
        self.is_checkpointed = scene.form == "checkpointed"
        self.produce(1500)
        settled(scene, self.redis, self.views, self.topic, self.calm)
        self.rebalances = rebalances(self.worker)
        self.generations = generations(self.redis, "mall")
        assert self.is_checkpointed == bool(self.generations)

    def produce(self, count, rate=None):
        for topic in (self.topic, self.calm):
            self.scene.produce(topic, purchases(count), rate)

    def begin(self, count, rate):
        return [self.scene.begin(topic, purchases(count, 2), rate) for topic in (self.topic, self.calm)]

    def reload(self, after, **counts):
        """While events flow; all is right after it, and the other topic's views have noticed nothing."""
        self.views = [*after(self.topic), self.mall]
        self.worker.configure(self.views)
        flows = self.begin(3000, 1500)
        row = self.worker.reload()
        assert row["state"] == "done", row
        for name, count in counts.items():
            assert row[name] == str(count), f"{name} is not {count}: {row}"
        for flow in flows:
            self.scene.finish(flow)
        settled(self.scene, self.redis, self.views, self.topic, self.calm)
        assert rebalances(self.worker) == self.rebalances, self.worker.tail()
        assert generations(self.redis, "mall") == self.generations

    def end(self, *kept, is_undisturbed=False):
        """Of no view that was kept was an event read twice; the plain form reads a changed topic again."""
        self.worker.drain()
        is_kept = self.is_checkpointed or is_undisturbed
        assert accepted(self.worker, "mall") == told(self.scene, self.calm), self.worker.tail()
        for view in kept if is_kept else ():
            assert accepted(self.worker, view) == told(self.scene, self.topic), self.worker.tail(30)


def outlet(topic):
    return shop(topic, "[1h]", "outlet")


@test(forms=BOTH)
def a_changed_view_is_filled_behind_and_the_others_notice_nothing(scene):
    stage = Stage(scene, lambda topic: [shop(topic), outlet(topic)])
    before = generations(stage.redis, "outlet")
    stage.reload(lambda topic: [shop(topic, "[1h, 12h, 24h, 48h]"), outlet(topic)], views_kept=2,
                 views_changed=1, views_new=0, views_gone=0)
    assert generations(stage.redis, "outlet") == before
    stage.end("outlet")


@test(forms=BOTH)
def a_new_view_is_filled_and_stands_before_the_others(scene):
    stage = Stage(scene, lambda topic: [outlet(topic)])
    stage.reload(lambda topic: [shop(topic), outlet(topic)], views_kept=2, views_new=1)
    stage.end("outlet")


@test
def a_removed_view_is_cleaned_away(scene):
    stage = Stage(scene, lambda topic: [shop(topic), outlet(topic)])
    assert field(stage.redis, 1, "shop_purchase_24h_count") is not None
    stage.reload(lambda topic: [outlet(topic)], views_kept=2, views_gone=1)
    until(lambda: not generations(stage.redis, "shop"), 30, "nothing of it is noted any more")
    assert field(stage.redis, 1, "shop_purchase_24h_count") is None
    stage.end("outlet")


@test
def a_view_that_was_written_a_moment_ago_is_cleaned_away_as_well(scene):
    """Its entities have no blobs yet: they are saved before it goes."""
    topic, redis = scene.topic(2), scene.redis()
    worker = scene.worker(redis, [shop(topic), outlet(topic)], checkpoint="1h")
    until(lambda: worker.live_units() == 2, 60, "its units are live")
    scene.produce(topic, purchases(1000))
    until(lambda: field(redis, 1, "shop_purchase_24h_count") == 5, 60, "it is written")
    worker.configure([outlet(topic)])
    assert worker.reload()["state"] == "done"
    scene.produce(topic, purchases(USERS))  # which sets expiries anew
    scene.until_right(redis, [outlet(topic)])


@test
def a_view_that_comes_back_half_cleaned_is_written_again(scene):
    """Whoever has it then, after a crash or a rebalance, finds its state, and not its fields."""
    users = 4000
    topic, redis = scene.topic(1), scene.redis()
    views = [shop(topic), outlet(topic)]
    worker = scene.worker(redis, views, workers=1)
    scene.produce(topic, [event(user, amount=1) for user in range(users)])
    settled(scene, redis, views, topic)

    def missing():
        with redis.client() as client:
            return sum(client.call("HEXISTS", f"features:user:{user}", "shop_purchase_24h_count") == 0
                       for user in range(0, users, 20))
    worker.configure([outlet(topic)])
    worker.reload()
    until(lambda: missing() > 10, 60, "a part of it is gone", every=0.01)
    worker.kill()
    assert missing() < users // 20, "all of it is gone already"
    scene.worker(redis, views, workers=1)
    scene.until_right(redis, views)


@test
def a_topic_that_comes_back_finds_what_others_have_written(scene):
    first, other, redis = scene.topic(1), scene.topic(1, name="other"), scene.redis()
    worker = scene.worker(redis, [shop(first)], workers=1)
    scene.produce(first, [event(user, amount=1) for user in range(100)])
    settled(scene, redis, [shop(first)], first)
    scene.produce(other, [event(user, amount=5) for user in range(100)])
    for topic in (other, first):
        worker.configure([shop(topic)])
        assert worker.reload()["state"] == "done"
        settled(scene, redis, [shop(topic)], topic)


@test(forms=BOTH)
def an_expiry_that_is_changed_reads_nothing_again(scene):
    stage = Stage(scene, lambda topic: [shop(topic), outlet(topic)])
    before = generations(stage.redis, "shop")
    stage.reload(lambda topic: [shop(topic, more="output: {ttl: 30d}\n"), outlet(topic)])
    assert generations(stage.redis, "shop") == before
    stage.end("shop", "outlet", is_undisturbed=True)


@test(forms=BOTH)
def a_new_topic_is_joined_and_nothing_is_read_twice(scene):
    stage = Stage(scene, lambda topic: [shop(topic)], workers=1)
    other = scene.topic(2, name="other")
    scene.produce(other, purchases(500))
    stage.views.append(shop(other, view="plaza"))
    stage.worker.configure(stage.views)
    flows = stage.begin(2000, 1000)
    assert stage.worker.reload()["topics_new"] == "1"
    for flow in flows:
        scene.finish(flow)
    settled(scene, stage.redis, stage.views, stage.topic, stage.calm, other)
    stage.end("shop")
    assert accepted(stage.worker, "plaza") == 500


@test(forms=BOTH)
def a_topic_that_is_gone_is_left_and_comes_back(scene):
    stage = Stage(scene, lambda topic: [shop(topic)], workers=1)
    stage.worker.configure([stage.mall])
    flows = stage.begin(2000, 1000)
    assert stage.worker.reload()["topics_gone"] == "1"
    for flow in flows:
        scene.finish(flow)
    scene.until_committed(stage.calm)
    until(lambda: len(stage.worker.units()) == 2, 30, "only the calm topic's units are left")
    stage.worker.configure(stage.views)
    assert stage.worker.reload()["topics_new"] == "1"
    settled(scene, stage.redis, stage.views, stage.topic, stage.calm)
    stage.end("shop")


@test(forms=BOTH)
def what_is_wrong_is_refused_as_a_whole_and_the_old_views_go_on(scene):
    topic, redis = scene.topic(2), scene.redis()
    views = [shop(topic)]
    worker = scene.worker(redis, views)
    scene.produce(topic, purchases(500))
    settled(scene, redis, views, topic)
    wrong = [outlet(topic), shop(topic).replace("aggregates", "aggregatez")]
    worker.configure(wrong)
    row = worker.reload()
    assert row["state"] == "refused" and row["views_kept"] == "1", row
    said = [line for line in worker.output if "at=reload" in line and "level=error" in line]
    assert len([line for line in said if "pipeline-1.yaml:" in line]) >= 2, said
    worker.configure(views)
    (worker.folder / "pipeline-0.yaml").unlink()
    assert worker.reload()["state"] == "refused"
    worker.configure([])
    assert worker.reload()["state"] == "refused"
    scene.produce(topic, purchases(500))
    settled(scene, redis, views, topic)
    worker.configure([outlet(topic), *views])
    assert worker.reload()["state"] == "done"
    settled(scene, redis, [outlet(topic), *views], topic)


@test
def a_dead_letter_topic_in_force_is_not_to_be_read(scene):
    topic, redis = scene.topic(1), scene.redis()
    letters = scene.topic(1, name="letters", right="write")
    worker = scene.worker(redis, [shop(topic)], extra=f"dead_letter: {{topic: {letters}}}")
    until(lambda: worker.live_units() == 1, 60, "its unit is live")
    worker.configure([shop(topic), shop(letters, view="mall")], extra="dead_letter: {topic: elsewhere}")
    assert worker.reload()["state"] == "refused", worker.tail()


@test
def nothing_changed_is_said_and_other_options_are_named(scene):
    topic, redis = scene.topic(1), scene.redis()
    worker = scene.worker(redis, [shop(topic)])
    until(lambda: worker.lines("start"), 30, "it begins")
    worker.signal(signal.SIGHUP)  # before it has joined
    until(lambda: worker.lines("reload", state="unchanged"), 30, "it has reloaded")
    worker.configure([shop(topic, more="description: Other words.\n")], workers=3,
                     extra="flush: {interval: 20ms}")
    assert worker.reload()["state"] == "unchanged"
    assert worker.lines("reload", options="workers,flush.interval"), worker.tail()
    assert not worker.lines("adopt")


@test(forms=BOTH)
def ten_reloads_in_a_row_while_events_flow(scene):
    topic, redis = scene.topic(2), scene.redis()
    choices = [[shop(topic), outlet(topic)], [outlet(topic)], [shop(topic, "[1h, 24h]", "mall"), shop(topic)],
               [outlet(topic), shop(topic, "[1h]")]]
    worker = scene.worker(redis, choices[0])
    until(lambda: worker.live_units() == 2, 60, "its units are live")
    flow = scene.begin(topic, purchases(6000), rate=1500)
    for number in range(9):
        worker.configure(choices[number % len(choices)])
        worker.signal(signal.SIGHUP)
        until(lambda: len(worker.lines("reload", state="begun")) > min(number, 3), 30, "it reloads")
    worker.configure(choices[3])
    worker.signal(signal.SIGHUP)
    scene.finish(flow)
    scene.until_committed(topic)
    def is_left(_, name):
        """What views have written that are gone: the plain form keeps no notes of it."""
        return scene.form == "plain" and (name.startswith(b"mall") or b"_24h_" in name)

    scene.until_right(redis, choices[3], ignore_field=is_left)


@test
def a_kill_in_a_reload_loses_nothing(scene):
    topic, redis = scene.topic(2), scene.redis()
    before = [shop(topic), outlet(topic)]
    after = [outlet(topic), shop(topic, "[1h, 24h]", "mall")]
    worker = scene.worker(redis, before)
    scene.produce(topic, purchases(2000))
    settled(scene, redis, before, topic)
    flow = scene.begin(topic, purchases(3000), rate=1500)
    worker.configure(after)
    worker.signal(signal.SIGHUP)
    until(lambda: worker.lines("reload", state="begun"), 30, "it reloads")
    worker.kill()
    worker = scene.worker(redis, after)
    scene.finish(flow)
    settled(scene, redis, after, topic)


@test
def reloads_are_counted_and_counters_go_on(scene):
    topic, redis, port = scene.topic(1), scene.redis(), free_port()
    worker = scene.worker(redis, [outlet(topic)], http=f"127.0.0.1:{port}")

    def metric(line):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            found = [row for row in answer.read().decode().splitlines() if row.startswith(line + " ")]
        return float(found[0].split()[-1]) if found else None

    scene.produce(topic, purchases(300))
    settled(scene, redis, [outlet(topic)], topic)
    begun = metric("tidewheel_config_last_reload_success_timestamp_seconds")
    worker.configure([shop(topic), outlet(topic)])
    worker.reload()
    worker.configure(["view: wrong"])
    worker.reload()
    scene.produce(topic, purchases(200))
    settled(scene, redis, [shop(topic), outlet(topic)], topic)
    assert metric('tidewheel_config_reloads_total{result="ok"}') == 1
    assert metric('tidewheel_config_reloads_total{result="refused"}') == 1
    assert metric("tidewheel_config_last_reload_success_timestamp_seconds") > begun
    until(lambda: metric('tidewheel_events_total{view="outlet",result="applied"}') == 500, 30, "all counted")
    until(lambda: metric('tidewheel_events_total{view="shop",result="applied"}') == 500, 30, "and of the new one")


# ---- systemd


class Ear:
    """What the process says over $NOTIFY_SOCKET."""

    def __init__(self):
        path = folder("notify") / "socket"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"}
        self.said = []

    def has_heard(self, text, since=0):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.said.append(self.socket.recv(4096).decode())
        return any(text in said for said in self.said[since:])

    def until(self, text, since=0):
        until(lambda: self.has_heard(text, since), 60, f"{text} in {self.said[-5:]}")
        return next(number for number in range(since, len(self.said)) if text in self.said[number])


@test
def systemd_is_told_of_each_step(scene):
    topic, redis, ear = scene.topic(2), scene.redis(), Ear()
    worker = scene.worker(redis, [shop(topic)], env=ear.env)
    at = ear.until("READY=1")
    ear.until("WATCHDOG=1", at)
    at = ear.until("STATUS=running: 2 partitions, lag 0", at)
    worker.configure([shop(topic), outlet(topic)])
    worker.reload()
    at = ear.until("RELOADING=1\nMONOTONIC_USEC=", at)
    at = ear.until("READY=1", at)
    ear.until("WATCHDOG=1", at)
    redis.kill()
    at = ear.until("STATUS=waiting: Redis is away", at)
    ear.until("WATCHDOG=1", at)  # which is no reason to be killed
    worker.terminate()
    ear.until("STOPPING=1", at)


@test
def systemd_hears_ready_though_kafka_and_redis_are_away(scene):
    ear = Ear()
    worker = scene.worker(scene.redis(), [shop(scene.topic())], env=ear.env, flags=[
        "-s", f"kafka.brokers=127.0.0.1:{free_port()}", "-s", f"redis.url=redis://127.0.0.1:{free_port()}"])
    at = ear.until("READY=1")
    at = ear.until("STATUS=waiting: ", at)
    ear.until("WATCHDOG=1", at)
    worker.signal(signal.SIGTERM)
    ear.until("STOPPING=1", at)
