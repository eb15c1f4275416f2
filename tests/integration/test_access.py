"""The Redis user of README.md has the rights that are needed, and no others."""

import re
import subprocess

import rights
from process import TREE
from scene import BOTH, event, field, shop, test, until
from worker import binary

# What says commands to Redis for `run`, `state` and `get`.
SPEAKERS = ["src/sink/*.c", "src/commit/*.c", "src/run/*.c", "src/cli/state.c", "src/cli/get.c"]
COMMAND = re.compile(r'"([A-Z]+)"(?:, "(USAGE)")?')
NO_RIGHT = {"auth", "readonly"}  # anybody may; a word of an error


def spoken(redis):
    """The commands that the sources say, as rights: hset, memory|usage."""
    known = {name.decode() for name in redis.call("COMMAND", "LIST")}
    files = [file for pattern in SPEAKERS for file in TREE.glob(pattern)]
    found = [match for file in files for match in COMMAND.findall(file.read_text(encoding="utf-8"))]
    return {"|".join(filter(None, words)).lower() for words in found if words[0].lower() in known}


def asked(worker, *words):
    """What `tidewheel get` or `state` prints with the worker's configuration."""
    done = subprocess.run([binary(), words[0], "-c", worker.config, *words[1:]], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{words}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout


@test
def the_user_of_the_readme_may_say_what_the_sources_say_and_nothing_else(scene):
    granted = {word[1:] for word in rights.redis()[2] if word.startswith("+")}
    needed = spoken(scene.redis()) - NO_RIGHT
    assert granted == needed, f"only granted: {granted - needed}, only needed: {needed - granted}"


@test(forms=BOTH)
def the_user_of_the_readme_can_run_the_worker_state_and_get(scene):
    topic, redis = scene.topic(2), scene.redis()
    redis.call("SET", "features:user:2", "in the way", "EX", "1000")
    scene.produce(topic, [event(number, amount=number) for number in range(100)])
    views = [shop(topic), shop(topic, "[1h]", "outlet")]
    worker = scene.worker(redis, views)
    scene.until_committed(topic)
    until(lambda: field(redis, 3, "shop_purchase_1h_sum") == 3, 30, "the others are written")
    redis.call("DEL", "features:user:2")
    scene.until_right(redis, views)
    assert "shop_purchase_1h_sum" in asked(worker, "get", "shop", "user_id=3")
    state = asked(worker, "state")
    assert ("never checkpointed" in state) == (scene.form == "plain"), state
    worker.drain()
    views = [shop(topic, "[1m, 1h]")]  # what the others have left is cleaned away
    worker = scene.worker(redis, views)
    until(lambda: worker.live_units() == 2, 60, "its units are live")
    if scene.form == "checkpointed":
        scene.until_right(redis, views)
        meta = f"{{tw:{scene.group}:{topic}:0}}:m"
        until(lambda: redis.call("HEXISTS", meta, "outlet:gen") == 0, 60, "what was removed is gone")
    worker.drain()
