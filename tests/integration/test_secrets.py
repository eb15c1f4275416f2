"""A canary in every place where a secret can be, and none in anything that is shown.

A canary is two random words with what has to be escaped between them, so that neither an encoding nor a
cut hides it: each word is looked for by itself, as it is, in hexadecimal, and in base64 at each of the
three places where it may begin.

Not looked into: /proc/PID/cmdline of `-s` and `-X`. What stands there is there for all to see; README.md
says so.
"""

import base64
import http.client
import json
import os
import secrets
import subprocess
import urllib.parse

from process import folder, until
from scene import event, shop, test
from worker import binary

ODD = "/@:%+ \"'\\;=?#é"  # between the words


class Canary:
    """odd: what stands between its words."""

    def __init__(self, place, odd=ODD):
        self.place = place
        self.words = [secrets.token_hex(8), secrets.token_hex(8)]
        self.text = odd.join(self.words)

    @property
    def encoded(self):
        return urllib.parse.quote(self.text, safe="")

    def spellings(self):
        for word in self.words:
            yield word
            yield word.encode().hex()
            for shift in range(3):
                yield base64.b64encode(b"\0" * shift + word.encode()).decode()[4:-4]

    def is_in(self, text):
        lower = text.lower()
        return any(one in text or one in lower for one in self.spellings())


def check(canaries, what, text):
    for canary in canaries:
        lines = [line for line in text.splitlines() if canary.is_in(line)]
        assert not lines, f"{what} shows the secret of {canary.place}:\n" + "\n".join(lines[:5])


# ---- commands that need no server


def nobody():
    """Whoever connects there is refused at once."""
    return "127.0.0.1:1"


def url(canary, text=None):
    return f"redis://me:{canary.encoded if text is None else text}@{nobody()}/0"


def config(properties=None, redis_url=None, more=""):
    return "\n".join([
        f"kafka: {{brokers: '{nobody()}', librdkafka: {json.dumps(properties or {})}}}",
        f"redis: {{url: {json.dumps(redis_url or 'redis://' + nobody())}}}",
        "pipelines: [view.yaml]", "http: {listen: ''}", more, ""])


class Case:
    """A folder with configurations, and the secrets that have been put into it."""

    def __init__(self):
        self.folder = folder("canary")
        self.canaries = []
        self.write("view.yaml", shop("events-of-nobody"))
        self.write("plain.yaml", config())

    def canary(self, place, odd=ODD):
        self.canaries.append(Canary(place, odd))
        return self.canaries[-1]

    def write(self, name, text):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o600)

    def run(self, *words, env=None):
        """(exit code, what was printed)"""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TIDEWHEEL_")}
        done = subprocess.run([binary(), *words], cwd=self.folder, env={**inherited, **(env or {})}, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        text = done.stdout.decode("utf-8", "replace")
        check(self.canaries, f"tidewheel {words[0]}", text)
        return done.returncode, text


# Commands that read the configuration, and end by themselves where Redis is away.
READERS = [["validate"], ["get", "shop", "user_id=1"], ["state"], ["stale", "shop", "--older-than", "1h"],
           ["healthcheck"], ["print-config"]]


def in_the_file(case):
    case.write("file.yaml", config({
        "sasl.password": case.canary("sasl.password in the file").text,
        "ssl.key.password": case.canary("ssl.key.password in the file").text,
        "client.rack": "https://me:" + case.canary("a URL in another property", "-").text + "@host/"},
        url(case.canary("redis.url in the file"))))
    return ["-c", "file.yaml"], {}


def by_variables(case):
    case.write("variables.yaml", config({"sasl.password": "${SASL}"}, "${URL}"))
    return ["-c", "variables.yaml"], {"SASL": case.canary("a property by ${VAR}").text,
                                      "URL": url(case.canary("redis.url by ${VAR}"))}


def in_the_environment(case):
    names = ["sasl.password", "ssl.key.password", "ssl.keystore.password", "sasl.oauthbearer.config", "ssl.key.pem"]
    pairs = [f"{name}={case.canary(name + ' in the environment', '/@ =').text}" for name in names]
    return ["-c", "plain.yaml"], {"TIDEWHEEL_KAFKA_LIBRDKAFKA": ";".join(pairs),
                                  "TIDEWHEEL_REDIS_URL": url(case.canary("TIDEWHEEL_REDIS_URL"))}


def by_flags(case):
    return ["-c", "plain.yaml", "-X", f"sasl.oauthbearer.config={case.canary('-X').text}",
            "-s", f"kafka.librdkafka.sasl.password={case.canary('-s of a property').text}",
            "-s", "redis.url=" + url(case.canary("-s redis.url"))], {}


def by_files(case):
    case.write("redis-password", case.canary("redis.password_file").text + "\n")
    case.write("sasl-password", case.canary("sasl.password_file").text + "\n")
    return ["-c", "plain.yaml", "-s", "redis.password_file=redis-password",
            "-X", "sasl.password_file=sasl-password"], {}


@test
def no_command_shows_a_secret_of_a_configuration_that_loads(scene):
    del scene
    for place in (in_the_file, by_variables, in_the_environment, by_flags, by_files):
        case = Case()
        flags, env = place(case)
        code, text = case.run("print-config", *flags, env=env)
        assert code == 0 and ("***" in text or place is by_files), f"{place.__name__}: {text}"
        for words in READERS:
            case.run(words[0], *flags, "-s", "log.level=debug", *words[1:], env=env)
        for words in (["list", "options"], ["eval", "view.yaml"], ["generate", "man"]):
            case.run(*words, env=env)


# Slips: (flags or None, file or None, environment). CANARY stands for a secret, ENCODED for it within a URL.
SLIPS = [
    (["-s", "redis.url=redis://me:ENCODED"], None, {}),
    (["-s", "redis.url=redis://:CANARY@host:port/x"], None, {}),
    (["-s", "redis.url=CANARY"], None, {}),
    (["-s", "redis.url=http://me:ENCODED@host"], None, {}),
    (["-s", "redis.url=redis://me:ENCODED@host" + "x" * 5000], None, {}),
    (["-s", "redis.url", "redis://me:ENCODED@host"], None, {}),
    (["-s", "redis.url:redis://me:ENCODED@host"], None, {}),
    (["-s", "redis.ulr=redis://me:ENCODED@host"], None, {}),
    (["-s", "redis.password=CANARY"], None, {}),
    (["-s", "kafka.librdkafka.sasl.pasword=CANARY"], None, {}),
    (["-s", "kafka.librdkafka.sasl.password:CANARY"], None, {}),
    (["-s", "kafka.librdkafka=sasl.password:CANARY"], None, {}),
    (["-X", "sasl.pasword=CANARY"], None, {}),
    (["-X", "sasl.oauthbearer.client.secret=CANARY", "-X", "no.such=1"], None, {}),
    (["-X", "sasl.password", "CANARY"], None, {}),
    (["-X", "enable.auto.commit=CANARY"], None, {}),
    ([], None, {"TIDEWHEEL_REDIS_URL": "redis://me:CANARY"}),
    ([], None, {"TIDEWHEEL_REDIS_URL": "CANARY"}),
    ([], None, {"TIDEWHEEL_REDIS_ULR": "CANARY"}),
    ([], None, {"TIDEWHEEL_KAFKA_LIBRDKAFKA": "sasl.password:CANARY"}),
    ([], None, {"TIDEWHEEL_KAFKA_LIBRDKAFKA": "sasl.pasword=CANARY"}),
    ([], None, {"TIDEWHEEL_KAFKA_LIBRDKAFKA": "sasl.password=a;ENCODED=b"}),
    ([], None, {"TIDEWHEEL_KAFKA_LIBRDKAFKA": "sasl.password=a;ENCODED"}),
    (["-s", "kafka.librdkafka=sasl.password=a;ENCODED=b"], None, {}),
    ([], "redis: {url: 'redis://me:CANARY}", {}),
    ([], "redis: {url: \"redis://me:\\qCANARY@host\"}", {}),
    ([], "redis: {url: redis://me:ENCODED}", {}),
    ([], "redis: {url:redis://me:ENCODED@host}", {}),
    ([], "redis: {pasword: 'ENCODED'}", {}),
    ([], "redis: {url: 'redis://me:ENCODED@${HOST'}", {}),
    ([], "redis: {url: 'redis://me:${NO_SUCH:-ENCODED${X}}@host'}", {}),
    ([], "redis: {url: 'redis://me:${NO_SUCH:ENCODED}@host'}", {}),
    ([], "redis: {url: [ENCODED]}", {}),
    *[([], f"kafka: {{librdkafka: {{sasl.password: {mark}ENCODED}}}}", {}) for mark in "&*!"],
    ([], "kafka: {librdkafka: {sasl.password: [ENCODED]}}", {}),
    ([], "kafka: {librdkafka: {sasl.pasword: ENCODED}}", {}),
    ([], "kafka: {librdkafka: {sasl.password:ENCODED}}", {}),
    ([], "kafka: {librdkafka: [sasl.password=ENCODED]}", {}),
    ([], "kafka: {librdkafka: sasl.password=ENCODED}", {}),
]


@test
def nor_of_one_that_does_not_load(scene):
    del scene
    for flags, file, env in SLIPS:
        case = Case()
        canary = case.canary(f"{flags or file or env}", ODD if not file else "-")

        def put(text):
            return text.replace("CANARY", canary.text).replace("ENCODED", canary.encoded)

        case.write("wrong.yaml", put(file or config()))
        words = ["-c", "wrong.yaml", *map(put, flags)]
        inherited = {name: put(value) for name, value in env.items()}
        for command in (["run"], ["validate"], ["get", "shop", "user_id=1"], ["print-config"]):
            code, text = case.run(command[0], *words, *command[1:], env=inherited)
            wanted = (0, 78) if "TIDEWHEEL_REDIS_ULR" in env else (64, 78)
            assert code in wanted or command[0] == "get", f"{words} {env}: {code} {text}"


# ---- a worker


def properties(scene, canaries):
    """Secrets that are never asked for: the door is the plain one."""
    names = ["sasl.password", "ssl.keystore.password", "sasl.oauthbearer.config", "ssl.key.password",
             "sasl.kerberos.kinit.cmd"]  # librdkafka redacts the others by itself
    flags = []
    for name in names:
        canaries.append(Canary(f"{name} of the worker"))
        flags += ["-X", f"{name}={canaries[-1].text}"]
    plain = {"security.protocol": "plaintext", "sasl.mechanism": "PLAIN", "debug": "all"}
    flags += [word for name, value in plain.items() for word in ("-X", f"{name}={value}")]
    return [*flags, "-s", f"kafka.brokers={scene.kafka.servers}", "-s", "log.level=debug"]


@test
def nor_does_a_worker_that_says_all_it_can(scene):
    topic, redis, canaries = scene.topic(), scene.redis(), []
    for log_format in ("text", "json"):
        login = Canary("redis.url of the worker", "/@:%+\"'\\;=?#")
        user, *rules = redis.call("ACL", "LIST")[-1].split()[1:]
        redis.call("ACL", "SETUSER", user, *[rule for rule in rules if not rule.startswith(b"#")], "resetpass",
                   f">{login.text}")
        canaries.append(login)
        flags = properties(scene, canaries)
        worker = scene.worker(redis, [shop(topic)], flags=[*flags, "-s", f"log.format={log_format}"],
                              http="127.0.0.1:0", env={
            "TIDEWHEEL_REDIS_URL": f"redis://{user.decode()}:{login.encoded}@127.0.0.1:{redis.port}/0"})
        until(lambda: worker.has_said("sasl.oauthbearer.config"), 60, "librdkafka tells its configuration")
        scene.produce(topic, [event(number, amount=number) for number in range(20)])
        scene.until_committed(topic)
        address = next(filter(None, (json.loads(line)["listen"] if log_format == "json" else worker.address()
                                     for line in worker.output if "listen" in line)))
        for path in ("/metrics", "/debug/state", "/readyz?verbose", "/version", "/livez", "/"):
            check(canaries, path, fetch(address, path))
        worker.drain()
        check(canaries, f"the log as {log_format}", "\n".join(worker.output))
        assert worker.has_said("***"), "what librdkafka shows, we mask"


# What librdkafka cites in part: {properties}, and what its log has when it does.
CITED = [
    ({"sasl.mechanisms": "GSSAPI",
      "sasl.kerberos.kinit.cmd": ": CANARY; kinit %{sasl.kerberos.principal}"}, "ticket refresh failed"),
    ({"sasl.mechanisms": "OAUTHBEARER", "enable.sasl.oauthbearer.unsecure.jwt": "true",
      "sasl.oauthbearer.config": "principal=admin clientSecret=CANARY"}, "Unrecognized"),
]


@test
def nor_of_a_secret_that_librdkafka_cites_in_part(scene):
    topic, redis = scene.topic(), scene.redis()
    for properties_of_it, sign in CITED:
        canary = Canary(properties_of_it["sasl.mechanisms"], "-")
        flags = [word for name, value in {"security.protocol": "SASL_PLAINTEXT", **properties_of_it}.items()
                 for word in ("-X", f"{name}={value.replace('CANARY', canary.text)}")]
        worker = scene.worker(redis, [shop(topic)], workers=1, flags=[*flags, "-s", f"kafka.brokers={nobody()}"])
        until(lambda: worker.has_said(sign), 60, f"librdkafka says {sign}", every=0.1)
        worker.kill()
        check([canary], "the log", "\n".join(worker.output))


def fetch(address, path):
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = f"{answer.status} {answer.headers} {answer.read().decode()}"
    connection.close()
    return text


@test(needs=("security",))
def nor_one_whose_logins_are_refused(scene):
    topic, redis = scene.topic(), scene.redis()
    of_redis, of_kafka = Canary("a wrong password of Redis"), Canary("a wrong password of Kafka")
    url = f"redis://tidewheel:{of_redis.encoded}@127.0.0.1:{redis.port}/0"
    for canary, flags, env, why in ((of_redis, [], {"TIDEWHEEL_REDIS_URL": url}, "WRONGPASS"),
                                    (of_kafka, ["-X", f"sasl.password={of_kafka.text}"], {}, "credentials")):
        worker = scene.worker(redis, [shop(topic)], env=env,
                              flags=["-s", "log.level=debug", "-X", "debug=all", *flags])
        assert worker.wait(90) == 69
        assert why in worker.lines("exit", code=69)[0]["why"]
        check([canary], "the log", "\n".join(worker.output))
    redis.call("ACL", "LOG", "RESET")  # it was to be refused
