"""A private redis-server: started, killed, frozen, and restarted empty or from an older snapshot.

    redis = redis.Server()       redis.url, redis.client() (resp.py)
    redis.kill()                 as by kill -9; redis.start() comes back empty
    older = redis.snapshot()     redis.kill(); redis.start(older) comes back with what was then
"""

import shutil

import resp
from process import Process, folder, free_port, until


class Server:
    def __init__(self, unix=False):
        self.path = folder("redis")
        self.socket = self.path / "socket"
        self.port = 0 if unix else free_port()
        self.url = f"unix://{self.socket}" if unix else f"redis://127.0.0.1:{self.port}/0"
        self.process = None
        self.snapshots = 0
        self.start()

    def start(self, snapshot=None):
        """Empty, or with what the snapshot holds."""
        file = self.path / "dump.rdb"
        file.unlink(missing_ok=True)
        if snapshot:
            shutil.copy(snapshot, file)
        self.process = Process(
            ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.socket,
             "--save", "", "--appendonly", "no", "--dir", self.path, "--loglevel", "warning",
             "--daemonize", "no"], name="redis")
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
