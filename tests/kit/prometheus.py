"""A private Prometheus, as config/prometheus configures it, but for where it scrapes and how often.

    prometheus = Prometheus({"tidewheel": "127.0.0.1:4196"})
    prometheus.query("up")          [{"metric": {...}, "value": [when, "1"]}]
"""

import json
import shutil
import urllib.error
import urllib.parse
import urllib.request

import yaml

import promql
from process import Process, folder, free_port, until


def is_installed():
    return bool(shutil.which("prometheus") and shutil.which("promtool"))


def has_exporter():
    return bool(shutil.which("prometheus-redis-exporter"))


class Prometheus(Process):
    def __init__(self, targets):
        """targets: {job: host:port}; jobs that are not named are left out."""
        path = folder("prometheus")
        config = yaml.safe_load((promql.PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(promql.PROMETHEUS / file) for file in config["rule_files"]]
        config["scrape_configs"] = [
            {**job, "static_configs": [{"targets": [targets[job["job_name"]]]}]}
            for job in config["scrape_configs"] if job["job_name"] in targets]
        assert len(config["scrape_configs"]) == len(targets), f"of {targets} not all are jobs"
        file = path / "prometheus.yml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        self.url = f"http://127.0.0.1:{free_port()}"
        super().__init__(["prometheus", f"--config.file={file}", f"--storage.tsdb.path={path}/data",
                          f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"],
                         name="prometheus")
        until(self._is_ready, 30, "Prometheus answers")

    def _is_ready(self):
        if not self.is_running():
            raise AssertionError("Prometheus did not start\n" + self.tail())
        try:
            return "Ready" in get(f"{self.url}/-/ready")
        except OSError:
            return False

    def ask(self, path, **parameters):
        """What the HTTP API answers; an error of it is an AssertionError."""
        try:
            reply = get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from None
        return json.loads(reply)["data"]

    def query(self, expr):
        return self.ask("query", query=expr)["result"]


def get(url):
    """The body; of what is not 2xx an HTTPError."""
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()
