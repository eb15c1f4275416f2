"""The worker lives with what config/systemd/tidewheel.service allows it."""

import signal
import subprocess
import sys

import prometheus
import promql
from process import free_port
from scene import BOTH, event, shop, test
from worker import CONFINED


@test(needs={"confinement"})
def what_the_unit_does_not_allow_ends_a_program(_scene):
    """Else what lives would prove nothing."""
    for code, ended in (("import os; os.chroot('/')", -signal.SIGSYS),
                        ("import socket; socket.socket(socket.AF_PACKET)", -signal.SIGSYS),
                        ("import mmap; mmap.mmap(-1, 4096, prot=7)", 1)):
        done = subprocess.run([*CONFINED, sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
        assert done.returncode == ended, (code, done)


@test(needs={"confinement"}, forms=BOTH)
def the_worker_lives_with_what_its_unit_allows(scene):
    topic, redis = scene.topic(2), scene.redis()
    address = f"127.0.0.1:{free_port()}"
    worker = scene.worker(redis, [shop(topic)], launcher=CONFINED, http=address)
    scene.produce(topic, [event(number, amount=number) for number in range(500)])
    scene.until_right(redis, [shop(topic)])
    scene.until_committed(topic)
    metrics = promql.parse_metrics(prometheus.get(f"http://{address}/metrics"))
    unseen = {name for name, metric in metrics.items() if name.startswith("process_") and not metric.series}
    assert not unseen, unseen  # what the unit hides of /proc is another matter
    worker.drain()
