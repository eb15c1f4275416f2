"""A Kafka broker for the tests: Apache Kafka in KRaft mode, or librdkafka's mock cluster.

    kafka = start()                  KAFKA_BROKERS, else Apache Kafka, else the mock cluster
    kafka.servers                    what goes into kafka.brokers
    kafka.lacks                      what it cannot do: {"timestamps", "transactions", ...}
    kafka.worker_servers             and worker_properties: how a worker connects
    kafka.allow("topic", name, "read")

Apache Kafka has two doors: the kit's own tools go through the plain one and may do anything; workers
go through TLS, log in by SCRAM, and may do what README.md says (rights.py). SECURE=0 lets them through the
plain one, too.

Kafka's jars are named by kafka/pom.xml, fetched once by Maven, and kept in a cache outside the tree.
KAFKA_VERSION tries another version. REQUIRE_KAFKA=1 refuses the mock cluster.
"""

import base64
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import uuid

import rights
from process import BUILD, Process, folder, free_port, until

POM = pathlib.Path(__file__).with_name("kafka") / "pom.xml"
TOOL_PACKAGE = "org.apache.kafka.tools"
TOOL_FLAGS = {"consumer.group.ConsumerGroupCommand": ["--timeout", "60000"]}  # 5 s are few for a JVM

# What the mock cluster of librdkafka cannot do, by the names that the tests ask for.
MOCK_LACKS = {"timestamps", "transactions", "growth", "tools", "restart", "large records",
              "commits in a rebalance", "security"}

JAVA_FLAGS = ["-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
              "-XX:-UsePerfData", "-Djava.awt.headless=true",
              "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{secure_listener}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{secure_advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL
log.dirs={path}/data
num.network.threads=2
num.io.threads=4
num.partitions=1
auto.create.topics.enable=false
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
min.insync.replicas=1
log.retention.hours=360
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=100
"""


# Whoever comes through the plain door is ANONYMOUS, and may do anything.
SECURE_SETTINGS = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=SCRAM-SHA-256
listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={path}/kafka.pem
"""
PASSWORD = "the password of tests"


class Unavailable(Exception):
    """The broker cannot be had; the text says why."""


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "tidewheel"


def fetch():
    """The folder of Kafka's jars, filled by Maven if it is not there yet."""
    version = os.environ.get("KAFKA_VERSION", "")
    name = hashlib.sha256(POM.read_bytes() + version.encode()).hexdigest()[:16]
    jars = cache() / f"kafka-{name}"
    if jars.is_dir():
        return jars
    if not shutil.which("mvn") or not shutil.which("java"):
        raise Unavailable("Maven or Java is not installed")
    print("fetching Apache Kafka by Maven (40 MB, once)", file=sys.stderr, flush=True)
    partial = cache() / f"kafka-{name}.{os.getpid()}"
    argv = ["mvn", "-B", "-q", "-C", "-Dstyle.color=never", "-f", str(POM),
            "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
            f"-DoutputDirectory={partial}", "-DincludeScope=runtime"]
    if version:
        argv.append(f"-Dkafka.version={version}")
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable("Maven has not ended within 600 s") from None
    if done.returncode != 0 or not partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
        text = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
        raise Unavailable("Maven could not fetch it: " + " ".join(text[:1])[:300])
    try:
        partial.rename(jars)
    except OSError:  # another run was quicker
        shutil.rmtree(partial, ignore_errors=True)
    return jars


def java(jars, *argv):
    return ["java", *JAVA_FLAGS, "-cp", f"{jars}/*", *argv]


class Broker:
    """What all of them can do."""

    lacks = frozenset()
    session_ms = 6000
    worker_properties = {}

    @property
    def worker_servers(self):
        return self.servers

    def allow(self, kind, name, operation):
        """The worker's user may do this; where everybody may do anything, nothing happens."""

    def fresh(self):
        """A broker for one test: the same one for all, where topics can be made at any time."""
        return self

    def topics(self, action, *operands):
        """tidewheel-topics: the lines that it prints, as lists of words."""
        done = subprocess.run([BUILD / "tidewheel-topics", "-b", self.servers, action, *operands],
                              capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(f"topics {action} {' '.join(operands)}: {done.stderr.strip()}")
        return [line.split(" ") for line in done.stdout.splitlines()]

    def create(self, topic, partitions):
        self.topics("create", f"{topic}:{partitions}")

    def stop(self):
        pass


class Kafka(Broker):
    """Apache Kafka in KRaft mode: broker and controller in one process, on loopback."""

    kind = "Apache Kafka"

    def __init__(self):
        self.jars = fetch()
        self.path = folder("kafka")
        self.port = free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self.settings = self.path / "server.properties"
        self.is_secure = os.environ.get("SECURE") != "0"
        self.secure_port = free_port()
        self.granted = set()
        self.lacks = frozenset() if self.is_secure else frozenset({"security"})
        names = {"port": self.port, "controller": free_port(), "path": self.path,
                 "secure_listener": "", "secure_advertised": ""}
        if self.is_secure:
            names["secure_listener"] = f",SECURE://127.0.0.1:{self.secure_port}"
            names["secure_advertised"] = f",SECURE://localhost:{self.secure_port}"
            self.secure()
        settings = SETTINGS + (SECURE_SETTINGS if self.is_secure else "")
        self.settings.write_text(settings.format(**names))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(
            java(self.jars, "kafka.tools.StorageTool", "format",
                 f"--cluster-id={cluster}",  # it may begin with a dash
                 f"--add-scram=SCRAM-SHA-256=[name={rights.KAFKA_USER},password={PASSWORD}]",
                 "-c", self.settings),
            capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise Unavailable(f"its storage could not be formatted: {done.stdout}{done.stderr}")
        self.start()

    def secure(self):
        """The broker's certificate, and how a worker connects then."""
        certs = rights.certs()
        (self.path / "kafka.pem").write_text(
            (certs / "server.key").read_text() + (certs / "server.pem").read_text())
        password = self.path / "password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        self.worker_properties = {
            "security.protocol": "sasl_ssl", "ssl.ca.location": certs / "ca.pem",
            "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": rights.KAFKA_USER,
            "sasl.password_file": password, "broker.address.family": "v4"}

    @property
    def worker_servers(self):
        return f"localhost:{self.secure_port}" if self.is_secure else self.servers

    def allow(self, kind, name, operation):
        if not self.is_secure or (kind, name, operation) in self.granted:
            return
        if (kind, operation) not in rights.kafka():
            raise AssertionError(f"README.md grants no {operation} on a {kind}")
        self.topics("allow", rights.KAFKA_USER, f"{kind}:{name}:{operation}")
        self.granted.add((kind, name, operation))

    def start(self):
        self.process = Process(java(self.jars, "kafka.Kafka", self.settings), name="kafka")
        until(self._is_ready, 120, "Kafka answers", every=0.1)

    def _is_ready(self):
        if not self.process.is_running():
            raise Unavailable("Kafka did not start\n" + self.process.tail(30))
        try:
            return self.topics("ping") == []
        except AssertionError:
            return False

    def stop(self):
        self.process.kill()

    def tool(self, name, *args):
        """Runs one of Kafka's own tools and returns what it printed."""
        argv = java(self.jars, f"{TOOL_PACKAGE}.{name}", "--bootstrap-server", self.servers,
                    *TOOL_FLAGS.get(name, []), *args)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0 or "Error:" in done.stdout:  # some end with 0 all the same
            raise AssertionError(f"{name} failed: {done.stdout}{done.stderr}")
        return done.stdout


class Mock(Broker):
    """librdkafka's mock cluster, in a process of its own that knows its topics from the start."""

    kind = "librdkafka's mock cluster"
    lacks = frozenset(MOCK_LACKS)
    session_ms = 3000  # a member that has left holds up the next join for about that long

    def __init__(self):
        self.declared = []
        self.process = None
        self.address = None

    def fresh(self):
        return Mock()

    def create(self, topic, partitions):
        if self.process:
            raise AssertionError(f"{topic} comes too late: the mock cluster is running")
        self.declared.append(f"{topic}:{partitions}")

    @property
    def servers(self):
        if not self.process:
            self.process = Process([BUILD / "mock-broker", *self.declared], name="mock-broker")
            line = until(self._line, 30, "the mock cluster says where it listens")
            self.address = line.removeprefix("brokers=")
        return self.address

    def _line(self):
        if not self.process.is_running():
            raise Unavailable("the mock cluster did not start\n" + self.process.tail())
        return self.process.output[0] if self.process.output else None

    def stop(self):
        if self.process:
            self.process.terminate()


class External(Broker):
    """A broker that somebody else runs, named by KAFKA_BROKERS."""

    kind = "KAFKA_BROKERS"
    lacks = frozenset({"tools", "restart", "security"})

    def __init__(self, servers):
        self.servers = servers


def start():
    if os.environ.get("KAFKA_BROKERS"):
        return External(os.environ["KAFKA_BROKERS"])
    try:
        if os.environ.get("KAFKA") == "mock":
            raise Unavailable("KAFKA=mock asks for the mock cluster")
        return Kafka()
    except Unavailable as reason:
        if os.environ.get("REQUIRE_KAFKA") == "1":
            raise
        print(f"no Apache Kafka, the mock cluster stands in: {reason}", file=sys.stderr, flush=True)
        return Mock()
