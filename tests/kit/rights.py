"""The least that the worker may do, as README.md says it: what stands there is what the tests grant.

    rights.redis()     ("tidewheel", "secret", ["on", ">secret", "~features:*", ..., "+hset", ...])
    rights.kafka()     {("topic", "read"), ("group", "read"), ("topic", "write")}

    rights.certs()     a folder with a CA and certificates of it (certs.sh), made once
"""

import functools
import re
import shlex
import subprocess
import threading

from process import TREE, folder

KAFKA_USER = "tidewheel"
KAFKA_LINE = re.compile(r"kafka-acls\.sh .*--operation (\w+) .*--(topic|group) ")
LOCK = threading.Lock()


@functools.cache
def readme():
    return (TREE / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")


@functools.cache
def redis():
    """(user, password, rules) of `acl setuser`."""
    line = next(line for line in readme().splitlines() if "redis-cli acl setuser " in line)
    user, *rules = shlex.split(line)[3:]
    return user, next(rule[1:] for rule in rules if rule.startswith(">")), rules


@functools.cache
def kafka():
    """{(kind of resource, operation)} of the lines with kafka-acls.sh."""
    return {(kind, operation.lower()) for operation, kind in KAFKA_LINE.findall(readme())}


def certs():
    with LOCK:
        return _certs()


@functools.cache
def _certs():
    path = folder("certs")
    subprocess.run([TREE / "tests" / "kit" / "certs.sh", path], check=True, timeout=60)
    return path
