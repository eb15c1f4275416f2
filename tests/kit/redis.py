"""A private redis-server: started, killed, frozen, and restarted empty or from an older snapshot.

    redis = redis.Server()       redis.url, redis.client() (resp.py): may do anything
    redis.worker_options         redis.* of a worker: the user of README.md (rights.py)
    redis.Server(tls=True)       no other port than one of TLS, which lets in who has a certificate
    redis.kill()                 as by kill -9; redis.start() comes back empty
    older = redis.snapshot()     redis.kill(); redis.start(older) comes back with what was then

    pair = redis.Pair()          a primary and a replica, each with an append-only file; pair.url is a
                                 symlink to the primary's socket, so that it can lead elsewhere
"""

import os
import shutil

import resp
import rights
from process import Process, folder, free_port, until


# Keys of templates of the tests' own, beside those of README.md.
MORE_KEYS = ("~*:post:*", "~*:freshness:*", "~life:*")


def login():
    user, password, _ = rights.redis()
    return f"{user}:{password}@"


class Server:
    def __init__(self, unix=False, flags=(), tls=False):
        """flags: more of redis-server's own; the later of two wins."""
        self.flags = flags
        self.path = folder("redis")
        self.socket = self.path / "socket"
        self.port = 0 if unix else free_port()
        self.url = f"unix://{self.socket}" if unix else f"redis://127.0.0.1:{self.port}/0"
        self.worker_options = {"url": self.url.replace("://", f"://{login()}")}
        if tls:
            self._wear_tls()
        self.process = None
        self.snapshots = 0
        self.start()

    def _wear_tls(self):
        certs = rights.certs()
        self.flags = (*self.flags, "--port", "0", "--tls-port", self.port, "--tls-auth-clients", "yes",
                      "--tls-cert-file", certs / "server.pem", "--tls-key-file", certs / "server.key",
                      "--tls-ca-cert-file", certs / "ca.pem")
        self.worker_options = {
            "url": f"rediss://{login()}localhost:{self.port}/0",
            "tls": {"ca_file": certs / "ca.pem", "cert_file": certs / "client.pem",
                    "key_file": certs / "client.key"}}

    def start(self, snapshot=None):
        """Empty, or with what the snapshot holds."""
        file = self.path / "dump.rdb"
        file.unlink(missing_ok=True)
        if snapshot:
            shutil.copy(snapshot, file)
        user, _, rules = rights.redis()
        self.process = Process(
            ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.socket,
             "--save", "", "--appendonly", "no", "--dir", self.path, "--loglevel", "warning",
             "--daemonize", "no", "--user", user, *rules, *MORE_KEYS, *self.flags], name="redis")
        until(self._is_ready, 30, "redis-server answers")

    def _is_ready(self):
        if not self.process.is_running():
            raise AssertionError("redis-server did not start\n" + self.process.tail())
        try:
            with self.client() as client:
                return client.call("PING") == b"PONG"
        except (OSError, resp.RespError):
            return False

    def client(self):
        return resp.Redis(str(self.socket))

    def call(self, *args):
        with self.client() as client:
            return client.call(*args)

    def snapshot(self):
        self.call("SAVE")
        self.snapshots += 1
        return shutil.copy(self.path / "dump.rdb", self.path / f"older-{self.snapshots}.rdb")

    def kill(self):
        self.process.kill()

    def freeze(self):
        self.process.freeze()

    def thaw(self):
        self.process.thaw()


class Pair:
    """A primary and its replica. Whoever connects to `url` comes to whoever is the primary now."""

    FLAGS = ("--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0",
             "--repl-ping-replica-period", "1")

    def __init__(self):
        self.path = folder("redis-pair")
        self.socket = self.path / "socket"
        self.worker_options = {"url": f"unix://{login()}{self.socket}"}
        self.servers = []
        self.primary = self.add()
        self.replica = self.add()
        self.lead_to(self.primary)
        self.follow()

    def add(self):
        server = Server(flags=self.FLAGS)
        self.servers.append(server)
        return server

    def client(self, timeout_s=10.0):
        return resp.Redis(str(self.socket), timeout_s)

    def call(self, *args):
        with self.client() as client:
            return client.call(*args)

    def lead_to(self, server):
        new = self.path / "socket.new"
        os.symlink(server.socket, new)
        os.replace(new, self.socket)
        self.primary = server

    def follow(self):
        """The replica copies the primary, and follows it."""
        self.replica.call("REPLICAOF", "127.0.0.1", self.primary.port)

    def is_followed(self):
        """Has the replica all that the primary had a moment ago?"""
        return b"master_link_status:up" in self.replica.call("INFO", "replication")

    # ---- the primary is lost, and comes back

    def log_size(self):
        """Bytes of the primary's append-only file, for restart()."""
        return self._log().stat().st_size

    def kill(self):
        self.primary.kill()

    def restart(self, log_size=None):
        """log_size: as after a loss of power, everything behind it is gone."""
        log = self._log()
        if log_size is not None and log_size < log.stat().st_size:
            os.truncate(log, log_size)
        self.primary.start()

    def _log(self):
        return max((self.primary.path / "appendonlydir").glob("*.incr.aof"),
                   key=lambda file: int(file.name.split(".")[-3]))

    # ---- failover

    def cut_off(self):
        """The replica falls behind: it holds what it has now, whatever is written from here on."""
        self.replica.call("REPLICAOF", "NO", "ONE")

    def fail_over(self, how):
        """The replica leads from now on. What becomes of the old primary:
        killed    it dies, and a new server follows
        demoted   it follows, and its connections are closed, as Sentinel does it
        readonly  it follows, and its connections stay
        """
        old = self.primary
        self.lead_to(self.replica)
        if how == "killed":
            old.kill()
            self.servers.remove(old)
            shutil.rmtree(old.path, ignore_errors=True)
            old = self.add()
        self.replica = old
        self.follow()
        if how == "demoted":
            old.call("CLIENT", "KILL", "TYPE", "normal")

    def stop(self):
        for server in self.servers:
            server.kill()
