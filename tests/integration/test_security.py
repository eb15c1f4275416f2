"""Doors that are shut: what the worker says, and how it ends."""

import resp
import rights
from scene import Record, event, shop, test, until
from test_access import asked


def ends_with(worker, *words):
    """It ends with 69, and its last sentence has these words."""
    assert worker.wait(60) == 69, worker.tail()
    last = worker.lines("exit", level="error")
    assert len(last) == 1, worker.tail()
    for word in words:
        assert word in last[0]["why"], last[0]["why"]


# ---- Kafka


@test(needs={"security"})
def a_wrong_password_of_kafka_ends_the_worker_and_is_said(scene):
    worker = scene.worker(scene.redis(), [shop(scene.topic())],
                          flags=["-X", "sasl.password=hunter2"])
    ends_with(worker, "Kafka refuses our credentials", "invalid credentials")
    assert not worker.has_said("hunter2")


@test(needs={"security"})
def a_kafka_of_an_unknown_ca_is_not_spoken_with(scene):
    other = rights.certs() / "other_ca.pem"
    worker = scene.worker(scene.redis(), [shop(scene.topic())],
                          flags=["-X", f"ssl.ca.location={other}"])
    ends_with(worker, "Kafka and we do not agree on TLS", "certificate verify failed")


@test(needs={"security"})
def a_topic_that_may_not_be_read_ends_the_worker_and_is_named(scene):
    topic = scene.topic(right=None)
    worker = scene.worker(scene.redis(), [shop(topic)])
    ends_with(worker, "we may not read a topic; give this user READ", topic)


@test(needs={"security"})
def a_group_that_may_not_be_used_ends_the_worker(scene):
    worker = scene.worker(scene.redis(), [shop(scene.topic())], is_allowed=False)
    ends_with(worker, "we may not use the group; give this user READ on it")


# ---- Redis


@test
def files_that_tls_cannot_use_are_wrong_configuration(scene):
    topic, redis = scene.topic(), scene.redis(tls=True)
    certs = rights.certs()
    for flag, words in {
            f"redis.tls.ca_file={certs}/ca.key": "-s: redis.tls.ca_file: '",
            f"redis.tls.key_file={certs}/server.key": "-s: redis.tls.key_file: '",
            "redis.tls.cert_file=": "expected redis.tls.cert_file beside it"}.items():
        worker = scene.worker(redis, [shop(topic)], flags=["-s", flag])
        assert worker.wait(30) == 78, worker.tail()
        assert worker.has_said(words), worker.tail()


@test
def a_redis_whose_certificate_is_refused_is_tried_again_and_said(scene):
    topic, redis = scene.topic(), scene.redis(tls=True)
    file = rights.certs() / f"ca-{scene.number}.pem"
    file.write_text((rights.certs() / "other_ca.pem").read_text())
    scene.produce(topic, [event(1, amount=1)])
    worker = scene.worker(redis, [shop(topic)], flags=["-s", f"redis.tls.ca_file={file}"])
    until(lambda: worker.has_said("the certificate of localhost comes from a CA that we do not know"),
          30, "it is said")
    file.write_text((rights.certs() / "ca.pem").read_text())
    scene.until_committed(topic)
    scene.until_right(redis, [shop(topic)])
    worker.drain()


class Missing:
    """A server as the user of README.md sees it, without one right, in a database of its own."""

    def __init__(self, redis):
        user, password, rules = rights.redis()
        self.server = redis
        self.user = user
        self.rights = [rule[1:] for rule in rules if rule.startswith("+") and rule[1:] not in RARE]
        self.worker_options = {"url": f"redis://{user}:{password}@127.0.0.1:{redis.port}/3"}

    def set(self, right, sign):
        self.server.call("ACL", "SETUSER", self.user, f"{sign}{right}")
        self.server.call("ACL", "LOG", "RESET")

    def refused(self):
        """The rights that were missed, by Redis's own account."""
        return {dict(zip(row[::2], row[1::2]))[b"object"].decode()
                for row in self.server.call("ACL", "LOG")}

    def stand_in_the_way(self, user):
        """Keys of somebody else's where the worker would write; what it does to their expiry it undoes."""
        with resp.Redis(f"127.0.0.1:{self.server.port}/3") as client:
            client.call("SET", f"features:user:{user}", "theirs")
            client.call("SET", f"freshness:user:{user}", "theirs", "EX", 10 ** 8)


# By what a right is missed, where that is not a worker that takes up its own state.
CHANGED = {"hdel", "unlink"}  # one with another definition, so that something is cleaned away
PLAIN = {"get", "set", "incr", "incrby"}
STATE = {"hlen", "memory|usage"}
RARE = {"hexists"}  # asked of state of more than 1,000 entities in one of 256 hashes: test_loader.c


@test
def without_any_one_of_its_rights_the_worker_says_so(scene):
    topic, redis = scene.topic(2), Missing(scene.redis())
    views = [[shop(topic), shop(topic, "[1h]", "outlet")], [shop(topic, "[1m, 1h]")]]
    worker = scene.worker(redis, views[1], workers=1)
    scene.produce(topic, [event(user, amount=1) for user in range(50)])
    scene.until_committed(topic)
    worker.drain()
    for number, right in enumerate(sorted(redis.rights, key=lambda right: right in CHANGED)):
        redis.set(right, "-")
        redis.stand_in_the_way(user=1000 + number)
        worker = scene.worker(redis, views[right not in CHANGED], workers=1, session_ms=1500,
                              checkpoint="off" if right in PLAIN else "1s")
        scene.produce(topic, [event(user, amount=1) for user in (1, 2, 3, 1000 + number)])
        if right in STATE:
            until(lambda: worker.live_units() == 2, 30, "it is live")  # pylint: disable=all
            asked(worker, "state")
        else:
            until(lambda: worker.has_said("NOPERM"), 30, f"{right} is missed")
        assert redis.refused() == {right}, f"{right}: {redis.refused()}"
        worker.kill()
        redis.set(right, "+")


@test(needs={"security"})
def letters_that_may_not_be_written_are_waited_for_and_said(scene):
    topic, letters, redis = scene.topic(), scene.topic(name="letters", right=None), scene.redis()
    worker = scene.worker(redis, [shop(topic)], extra=f"dead_letter: {{topic: {letters}}}")
    scene.produce(topic, [event(1, amount=1)])
    scene.until_committed(topic)
    scene.produce(topic, [Record(b"{oops", key=b"k")], is_told=False)
    said = until(lambda: worker.lines("dead_letter"), 60, "it says so", every=0.2)
    assert said[0]["topic"] == letters and "give this user WRITE" in said[0]["why"], said
    assert not scene.is_committed(topic)
    scene.kafka.allow("topic", letters, "write")
    scene.until_committed(topic)
    worker.drain()
