"""What the dashboard shows and what the alerts ask is there: a real Prometheus scrapes a real worker."""

import math
import re
import subprocess

import prometheus
import promql
from process import Process, Timeout, free_port
from scene import Record, event, now_ms, shop, test, until

# Queries that may find nothing, and why.
MAY_BE_EMPTY = {
    "annotation Starts": "nothing has started within its two minutes but once",
    "annotation Reloads": "nothing was reloaded",
    "annotation Alerts": "no alert fires",
    "panel 'Lag in records' (16) B": "the log has lost nothing",
}

# Metrics of ours that neither a panel nor an alert asks for, and why.
NOT_SHOWN = {}

# Verdicts that no record brings about: it takes three crashes.
NOT_SEEN = {"poison"}

EXPORTER = ("redis_",)  # metrics of redis_exporter begin so
NOT_SCRAPED = ("ALERTS", "up")  # Prometheus's own

# Features leave a window of 2 s again and again, so that there is decay to be seen.
WINDOWS = "[2s, 1h]"


def everything():
    """Records of every kind: some for each verdict."""
    now = now_ms()
    return [
        *(event(number % 50, amount=number, ts=now) for number in range(200)),
        *(event(number % 50, type="page_view", ts=now) for number in range(50)),
        event(1, type="nothing we want", ts=now), event(1, ts=now), event(1, amount="x", ts=now),
        event(1, amount=1, ts=now - 7_200_000), event(1, amount=1, ts=now + 600_000, record_ms=now),
        event(2, amount=1e308, ts=now), event(2, amount=1e308, ts=now),
        Record(b'{"user_id":"1","user_id":"2","event_type":"purchase","ts":%d,"amount":1}' % now, key=1),
        Record(b"{", key=1), Record(b"[]", key=1), Record(None, key=1), Record(b"x" * 2000, key=1),
        Record({"user_id": "1", "event_type": "purchase"}, key=1), Record({"ts": now}, key=1),
        Record({"user_id": "u" * 300, "ts": now}, key=1),
    ]


class Observed:
    """A worker with metrics, a Redis with its exporter if it is installed, and a Prometheus that scrapes both."""

    def __init__(self, scene):
        self.scene = scene
        self.topic, dead = scene.topic(2), scene.topic(1, name="dead", right="write")
        self.redis = scene.redis(flags=("--maxmemory", "1gb"))
        self.address = f"127.0.0.1:{free_port()}"
        self.views = [shop(self.topic, WINDOWS), shop(self.topic, "[10s]", "outlet")]
        scene.produce(self.topic, everything())
        self.worker = scene.worker(self.redis, self.views, http=self.address, extra=(
            f"dead_letter: {{topic: {dead}}}\nlimits: {{event_bytes: 1000B}}"))
        self.targets = {"tidewheel": self.address}
        if prometheus.has_exporter():
            self.targets["redis"] = self.start_exporter()
        self.prometheus = prometheus.Prometheus(self.targets)
        scene.processes.append(self.prometheus)

    def start_exporter(self):
        address = f"127.0.0.1:{free_port()}"
        self.scene.processes.append(Process(
            ["prometheus-redis-exporter", f"-redis.addr={self.redis.url.removesuffix('/0')}",
             f"-web.listen-address={address}"], name="exporter"))
        return address

    def metrics(self):
        return prometheus.get(f"http://{self.address}/metrics")

    def metrics_soon(self):
        until(self.worker.live_units, 60, "the worker reads")
        return self.metrics()

    def rules(self):
        return [rule for group in self.prometheus.ask("rules")["groups"] for rule in group["rules"]]

    def finds(self, expr):
        """What the query finds, without what is no number: 0/0, as long as nothing happens."""
        return [row for row in self.prometheus.query(expr) if not math.isnan(float(row["value"][1]))]


def all_queries():
    return [*promql.panel_queries(), *promql.other_queries(), *promql.record_queries(), *promql.alert_queries()]


@test(needs={"prometheus"})
def what_dashboard_and_alerts_ask_for_is_there(scene):
    observed = Observed(scene)
    observed.metrics_soon()
    scene.until_committed(observed.topic)
    text = observed.metrics()
    metrics = promql.add_recorded(promql.parse_metrics(text))
    found = [problem for query in all_queries()
             for problem in promql.problems(query, metrics, known=(*EXPORTER, *NOT_SCRAPED))]
    assert not found, "\n  ".join(["queries ask for what the worker does not show:", *found])
    rejections = metrics["tidewheel_dead_letters_total"].values("reason") - {"empty"}  # which is nobody's fault
    counted = promql.selectors(next(query.expr for query in promql.record_queries()
                                    if query.where == "record job_view:tidewheel_events_rejected:rate5m"))
    assert set(counted[0].matchers[0][2].split("|")) == rejections, (counted, rejections)
    asked = {one.name for query in all_queries() for one in promql.selectors(query.filled())}
    unasked = {name for name in metrics if name.startswith("tidewheel_")
               and re.sub("_(bucket|sum|count)$", "", name) not in
               {re.sub("_(bucket|sum|count)$", "", one) for one in asked}}
    assert unasked == set(NOT_SHOWN), f"neither shown nor alerted on: {unasked}; listed: {NOT_SHOWN}"
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@test(needs={"prometheus"})
def every_query_of_the_dashboard_finds_something_and_every_rule_can_be_evaluated(scene):
    observed = Observed(scene)
    exporter = "redis" in observed.targets
    results = promql.parse_metrics(observed.metrics_soon())["tidewheel_events_total"].values("result")
    happening = [promql.Query(f"it is {result}", f'sum(tidewheel_events_total{{result="{result}"}}) > 0')
                 for result in results - NOT_SEEN]
    happening += [promql.Query("dead letters", "sum(tidewheel_dead_letters_total) > 0"),
                  promql.Query("decay", "sum(tidewheel_decay_writes_total) > 0")]
    waiting = [query for query in promql.panel_queries() + promql.other_queries() + promql.record_queries()
               if query.where not in MAY_BE_EMPTY and (exporter or not asks_exporter(query))] + happening

    def all_found():
        scene.produce(observed.topic, everything())
        for query in list(waiting):
            rows = observed.finds(query.filled())
            labels = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
            for row in rows:
                missing = labels - set(row["metric"])
                assert not missing, f"{query.where}: its legend names {missing}, the series is {row['metric']}"
            if rows:
                waiting.remove(query)
        return not waiting

    try:
        until(all_found, 60, "every query finds something", every=1)
    except Timeout as late:
        lines = [f"{query.where}: {query.expr}" for query in waiting]
        raise Timeout("\n  ".join([str(late), *lines])) from None
    for query in promql.alert_queries():
        observed.prometheus.query(query.expr)
    rules = observed.rules()
    assert len(rules) == len(promql.alert_queries()) + len(promql.record_queries()), len(rules)
    until(lambda: all(rule["health"] != "unknown" for rule in observed.rules()), 30, "all rules were evaluated")
    bad = [rule for rule in observed.rules() if rule["health"] != "ok"]
    assert not bad, bad
    for target in observed.prometheus.ask("targets")["activeTargets"]:
        assert target["health"] == "up" and not target["lastError"], target
    # And they see what is wrong.
    assert not observed.prometheus.query("tidewheel_redis_up == 0"), "Redis is there"
    observed.redis.kill()
    for alert in ("TidewheelRedisAway", "TidewheelNotReady"):
        until(lambda name=alert: observed.prometheus.query(f'ALERTS{{alertname="{name}"}}'), 60, f"{alert} is noticed")


def asks_exporter(query):
    return any(one.name.startswith(EXPORTER) for one in promql.selectors(query.filled()))
