"""What a PromQL expression asks for, and what /metrics has: enough of both languages to compare them.

    selectors('sum by (view) (rate(a_total{view=~"x|y"}[5m]))')   [Selector("a_total", [("view", "=~", "x|y")])]
    groupings(...)                                                [(["view"], [Selector(...)])]
    parse_metrics(text)                                           {"a_total": Metric("counter", [{"view": "x"}])}
"""

import json
import re

import yaml

from process import TREE

PROMETHEUS = TREE / "config" / "prometheus"
DASHBOARD = TREE / "config" / "grafana" / "dashboards" / "tidewheel.json"

LABELLED = {"by", "without", "on", "ignoring", "group_left", "group_right"}  # a list of labels comes after them
WORDS = LABELLED | {"and", "or", "unless", "bool", "offset", "inf", "nan"}
TARGET_LABELS = {"job", "instance"}  # that Prometheus itself adds to each series
TOKEN = re.compile(r"""
    (?P<text>"(?:[^"\\]|\\.)*")
  | (?P<range>\[[^\]]*\])
  | (?P<number>(?<![\w:])[0-9.]+(?:e[+-]?[0-9]+)?(?:ms|[smhdwy])?\b)
  | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
  | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^=<>(){},])
""", re.X)
SAMPLE = re.compile(r'([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Selector:
    def __init__(self, name):
        self.name = name
        self.matchers = []  # (label, operator, value)

    def __repr__(self):
        return self.name + "{" + ",".join(f"{label}{op}{value!r}" for label, op, value in self.matchers) + "}"


def tokens(expr):
    """(kind, text) of all of it; ValueError where there is something that this does not know."""
    at, found = 0, []
    for match in TOKEN.finditer(expr):
        if expr[at:match.start()].strip():
            break
        at = match.end()
        found.append((match.lastgroup, match[0]))
    if expr[at:].strip():
        raise ValueError(f"{expr!r}: cannot read {expr[at:]!r}")
    return found


def closing(words, at):
    """The place of the parenthesis that closes the one at `at`."""
    depth = 0
    for place in range(at, len(words)):
        depth += {"(": 1, ")": -1}.get(words[place][1], 0) if words[place][0] == "sign" else 0
        if depth == 0:
            return place
    raise ValueError("a parenthesis is not closed")


def selectors(expr):
    return _selectors(tokens(expr))


def _selectors(words):
    found, at = [], 0
    while at < len(words):
        kind, text = words[at]
        after = words[at + 1][1] if at + 1 < len(words) else ""
        if kind == "name" and text in LABELLED and after == "(":
            at = closing(words, at + 1)  # labels
        elif kind == "name" and text not in WORDS and after not in ("(", "by"):
            one = Selector(text)
            if after == "{":
                at += 2
                while words[at][1] != "}":
                    one.matchers.append((words[at][1], words[at + 1][1], json.loads(words[at + 2][1])))
                    at += 3 + (words[at + 3][1] == ",")
            found.append(one)
        at += 1
    return found


def groupings(expr):
    """Of each `by (labels) (operand)`: the labels, and the operand's selectors; of each `on (labels)`: those of
    the whole."""
    words, found = tokens(expr), []
    for at, (kind, text) in enumerate(words):
        if kind == "name" and text in ("by", "on") and words[at + 1][1] == "(":
            end = closing(words, at + 1)
            labels = [word for name, word in words[at + 2:end] if name == "name"]
            inner = words
            if text == "by":
                if words[end + 1][1] != "(":
                    raise ValueError(f"{expr!r}: write `sum by (labels) (...)`")
                inner = words[end + 1:closing(words, end + 1) + 1]
            found.append((labels, _selectors(inner)))
    return found


# ---- what is asked


class Query:
    def __init__(self, where, expr, legend=""):
        self.where, self.expr, self.legend = where, expr, legend

    def filled(self, **variables):
        """The expression with Grafana's variables put in; those that are not given match all."""
        def value(match):
            return variables.get(match[1], "15s" if match[1].startswith("__") else ".*")
        return re.sub(r"\$(\w+)", value, self.expr)


def rule_groups(file):
    return yaml.safe_load((PROMETHEUS / file).read_text(encoding="utf-8"))["groups"]


def rules(file, kind):
    """All rules with the key `kind`: "alert" or "record"."""
    return [rule for group in rule_groups(file) for rule in group["rules"] if kind in rule]


def alert_queries():
    return [Query(f"alert {rule['alert']}", rule["expr"]) for rule in rules("alerts.yml", "alert")]


def record_queries():
    return [Query(f"record {rule['record']}", rule["expr"]) for rule in rules("rules.yml", "record")]


def dashboard():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def panel_queries():
    return [Query(f"panel {panel['title']!r} ({panel['id']}) {target['refId']}", target["expr"],
                  target["legendFormat"])
            for panel in dashboard()["panels"] for target in panel.get("targets", [])]


def other_queries():
    """Of the dashboard's variables and annotations."""
    board = dashboard()
    values = [(one["name"], re.fullmatch(r"label_values\((.*), (\w+)\)", one["definition"]))
              for one in board["templating"]["list"] if one["type"] == "query"]
    return [*(Query(f"variable {name}", f"count by ({match[2]}) ({match[1]})") for name, match in values),
            *(Query(f"annotation {one['name']}", one["expr"])
              for one in board["annotations"]["list"] if "expr" in one)]


# ---- what there is


class Metric:
    def __init__(self, kind):
        self.kind = kind
        self.series = []  # the labels of each

    def labels(self):
        return set().union(*self.series) if self.series else set()

    def values(self, label):
        return {labels[label] for labels in self.series if label in labels}


def parse_metrics(text):
    """Text format 0.0.4: a metric for each name that a query can ask for; those of a histogram are three."""
    metrics, kinds = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            kinds[name] = kind
            for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
                metrics[name + suffix] = Metric(kind)
        elif line and not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            if not match:
                raise ValueError(f"not a sample: {line!r}")
            metrics[match[1]].series.append(dict(LABEL.findall(match[2] or "")))
    return metrics


def add_recorded(metrics):
    """The metrics with those that rules.yml records: their labels are what they are grouped by."""
    for rule in rules("rules.yml", "record"):
        labels, _ = groupings(rule["expr"])[0]
        metrics[rule["record"]] = Metric("gauge")
        metrics[rule["record"]].series.append(dict.fromkeys(labels, ""))
    return metrics


def problems(query, metrics, known=()):
    """What the query asks for and nobody has. known: of names that begin so it is not asked."""
    asked = [one for one in selectors(query.filled()) if not one.name.startswith(tuple(known))]
    found = [f"{query.where}: there is no metric {one.name}" for one in asked if one.name not in metrics]
    for one in asked:
        metric = metrics.get(one.name)
        for label, operator, value in one.matchers if metric else []:
            if label in TARGET_LABELS or not metric.series:
                continue
            if label not in metric.labels():
                found.append(f"{query.where}: {one.name} has no label {label}")
            elif value not in (".*", ".+") and operator in ("=", "=~"):
                words = value.split("|") if operator == "=~" else [value]
                found += [f"{query.where}: {one.name} is never {label}={word}"
                          for word in words if word not in metric.values(label)]
    for labels, inner in groupings(query.filled()):
        for metric in filter(None, (metrics.get(one.name) for one in inner)):
            if metric.series:
                found += [f"{query.where}: groups by {label}, which is no label of what it groups"
                          for label in sorted(set(labels) - metric.labels() - TARGET_LABELS)]
    return sorted(set(found))
