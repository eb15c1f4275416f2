"""A minimal Redis client: RESP2 over a unix or TCP socket, with pipelining.

    redis = Redis("/tmp/x/redis.sock")      or "127.0.0.1:6379", "redis://...", "unix://..."
    redis.call("HGETALL", "k") -> [b"f", b"v"]
    redis.pipeline([("PTTL", "a"), ("PTTL", "b")]) -> [-1, -2]

Replies: bytes, int, None, list; an error reply is a RespError, raised by call() and returned in
place by pipeline().
"""

import socket

PIPELINE_MAX = 500  # commands sent before their replies are read


class RespError(Exception):
    pass


class Redis:
    def __init__(self, address, timeout_s=10.0):
        address = address.removeprefix("redis://")
        database = "0"
        if address.startswith("unix://"):
            address = address.removeprefix("unix://")
        elif "/" in address and not address.startswith("/"):
            address, _, database = address.partition("/")
        if address.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout_s)
            try:
                self.socket.connect(address)
            except OSError:
                self.socket.close()
                raise
        else:
            host, _, port = address.partition(":")
            self.socket = socket.create_connection((host, int(port or 6379)), timeout_s)
        self.stream = self.socket.makefile("rb")
        if database not in ("", "0"):
            self.call("SELECT", database)

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, *command):
        reply = self.pipeline([command])[0]
        if isinstance(reply, RespError):
            raise reply
        return reply

    def pipeline(self, commands):
        replies = []
        for at in range(0, len(commands), PIPELINE_MAX):
            part = commands[at:at + PIPELINE_MAX]
            self.socket.sendall(b"".join(map(encode, part)))
            replies += [self.read() for _ in part]
        return replies

    def hash(self, key):
        """A hash as a dict of bytes; empty if there is no such key."""
        return pairs(self.call("HGETALL", key))

    def keys(self):
        """All keys, by SCAN."""
        found, cursor = set(), b"0"
        while True:
            cursor, keys = self.call("SCAN", cursor, "COUNT", 1000)
            found.update(keys)
            if cursor == b"0":
                return found

    def read(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RespError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.read_exactly(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        raise ConnectionError(f"not RESP: {line!r}")

    def read_exactly(self, size):
        data = self.stream.read(size)
        if len(data) != size:
            raise ConnectionError("Redis closed the connection")
        return data


def encode(command):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word)
                                              for word in words)


def pairs(reply):
    """[name, value, ...] as a dict; what is no list (an error) stays as it is."""
    return dict(zip(reply[::2], reply[1::2])) if isinstance(reply, list) else reply
