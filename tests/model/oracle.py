#!/usr/bin/env python3
"""A naive oracle: it holds all events and applies the promises by definition.

    value of a window at A = the aggregate of the events with floor_h(A - w) <= ts

No buckets, no timers, no floating-point sums: each look scans all events of the entity, and sums
are integers in units of 2^-1074, the smallest double. Slow, short, and unlike the real code.

    oracle.py PIPELINE.yaml... -e EVENTS.ndjson [--at TIME|end|each]   what `tidewheel eval` prints
"""

import argparse
import json
import math
import re
import sys
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import event as ev  # noqa: E402
import where  # noqa: E402
import yaml_text  # noqa: E402

EVENT_BYTES_MAX = 256 * 1024
KEY_BYTES_MAX = 256
NESTING_MAX = 64

UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LADDER_MS = [10, 100, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
             21_600_000, 86_400_000]
REJECTIONS = ("empty", "too_big", "bad_json", "not_object", "bad_timestamp", "no_key",
              "key_too_long", "future")
AGGREGATES = ("count", "sum", "min", "max", "avg")

SMALLEST = 1 << 1074  # of the smallest doubles make one
DOUBLE_END = Fraction(1 << 1024)


def duration_ms(text):
    number, unit = re.fullmatch(r"([0-9]+)(ms|s|m|h|d)", text).groups()
    return int(number) * UNITS_MS[unit]


def floor_to(value, step):
    return value // step * step


def default_hop_ms(length_ms):
    return max(hop for hop in LADDER_MS if hop * 100 <= length_ms)


# ---- what a pipeline says


class Window:
    def __init__(self, written):
        if not isinstance(written, dict):
            written = {"length": written}
        self.text = written["length"]
        self.length_ms = duration_ms(self.text)
        self.hop_ms = default_hop_ms(self.length_ms)
        if "hop" in written:
            self.hop_ms = duration_ms(written["hop"])

    def start(self, at_ms):
        return floor_to(at_ms - self.length_ms, self.hop_ms)


class Feature:
    def __init__(self, written):
        self.name = written["name"]
        self.is_match = where.compile_terms(written.get("where"))
        self.paths = where.paths_of(written.get("where"))
        self.value = written.get("value")
        self.aggregates = written["aggregates"]
        self.windows = [Window(window) for window in written["windows"]]
        if self.value:
            self.paths.add(self.value)

    def judge(self, get):
        """(unmatched | missing | bad_type | matched, the value)."""
        if not self.is_match(get):
            return "unmatched", None
        if not self.value:
            return "matched", 0.0
        value = get(self.value)
        if value is None:
            return "missing", None
        text = ev.number_text(value)
        number = None if text is None else ev.to_float(text)
        return ("matched", number) if number is not None else ("bad_type", None)

    def holds(self, ts, at_ms):
        return any(window.start(at_ms) <= ts for window in self.windows)


class View:
    def __init__(self, pipeline):
        source, entity = pipeline["source"], pipeline["entity"]
        output = pipeline.get("output") or {}
        self.name = pipeline["view"]
        self.version = pipeline.get("version", 1)
        self.topic = source["topic"]
        time = source.get("timestamp")
        self.time_path, self.time_unit = (time["field"], time["unit"]) if time else (None, None)
        self.entity_type = entity["type"]
        self.keys = [(key["field"], key["type"]) for key in entity["keys"]]
        self.tenant = entity["tenant"]["field"] if "tenant" in entity else None
        self.features = [Feature(feature) for feature in pipeline["features"]]
        self.clock = pipeline.get("clock", "wall")
        self.future_max_ms = duration_ms(pipeline.get("future_max", "1m"))
        tenant = "{tenant}:" if self.tenant else ""
        self.key = output.get("key", tenant + "{entity_type}:{entity_id}" if self.tenant else
                              "features:{entity_type}:{entity_id}")
        self.field = output.get("field", "{feature}_{window}_{aggregate}")
        self.freshness_key = output.get("freshness_key",
                                        tenant + "freshness:{entity_type}:{entity_id}")
        longest = max(window.length_ms for feature in self.features for window in feature.windows)
        self.ttl_ms = duration_ms(output["ttl"]) if "ttl" in output else 2 * longest
        self.paths = {path for path, _ in self.key_specs()}
        self.paths.update(*(feature.paths for feature in self.features))
        if self.time_path:
            self.paths.add(self.time_path)

    def key_specs(self):
        """The parts of the identity: the tenant first, if there is one."""
        return ([(self.tenant, "string")] if self.tenant else []) + self.keys

    def fields(self):
        """(name, feature number, window, aggregate) in the order of declaration."""
        for number, feature in enumerate(self.features):
            for window in feature.windows:
                for aggregate in feature.aggregates:
                    words = {"feature": feature.name, "window": window.text, "aggregate": aggregate}
                    yield fill(self.field, {**self.constants(), **words}), number, window, aggregate

    def constants(self):
        return {"view": self.name, "version": str(self.version), "entity_type": self.entity_type}


def fill(template, words):
    """A template's text: {name} stands for words[name], {{ and }} for braces."""
    def one(match):
        return match[0][0] if match[0] in ("{{", "}}") else words[match[0][1:-1]]
    return re.sub(r"\{\{|\}\}|\{[^{}]*\}", one, template)


def paths_by_topic(views):
    paths = {}
    for view in views:
        paths.setdefault(view.topic, set()).update(view.paths)
    return paths


# ---- verdicts


class Accepted:
    """One event that a view accepted."""

    def __init__(self, ts, entity, judged):
        self.ts = ts
        self.entity = entity
        self.judged = judged  # per feature (verdict, value)
        self.values = [value for _, value in judged]
        self.units = [exact_units(value) for value in self.values]


def exact_units(value):
    """A double as an integer number of smallest doubles."""
    if value is None:
        return None
    numerator, denominator = value.as_integer_ratio()
    return numerator * (SMALLEST // denominator)


def decode(line, paths):
    """(reason or None, {path: value}) of a record, as all views of one topic see it."""
    if not line:
        return "empty", None
    if len(line) > EVENT_BYTES_MAX:
        return "too_big", None
    try:
        value = ev.read(line, NESTING_MAX)
        if not isinstance(value, ev.Object):
            return "not_object", None
        return None, {path: ev.used(value, path) for path in paths}
    except (ev.BadJson, ev.BadString):
        return "bad_json", None


def judge(view, values, record_ms=None, wall_ms=None):
    """(reason or None, Accepted) of a decoded event. Without a wall clock nothing is future."""
    ts = ev.timestamp(values[view.time_path], view.time_unit) if view.time_path else record_ms
    if ts is None or not 0 <= ts < ev.TIMESTAMP_END_MS:
        return "bad_timestamp", None
    entity = tuple(key_part(values[path], kind) for path, kind in view.key_specs())
    if None in entity:
        return "no_key", None
    if sum(len(str(part).encode()) for part in entity) > KEY_BYTES_MAX:
        return "key_too_long", None
    if wall_ms is not None and is_future(view, ts, record_ms, wall_ms):
        return "future", None
    return None, Accepted(ts, entity, [feature.judge(values.get) for feature in view.features])


def is_future(view, ts, record_ms, wall_ms):
    """Promise L."""
    trusted = view.time_path and record_ms is not None and record_ms - wall_ms <= view.future_max_ms
    return ts - (record_ms if trusted else wall_ms) > view.future_max_ms


def key_part(value, kind):
    """A part of the identity: str or int; None: no key."""
    if not isinstance(value, str) or not value:
        return None
    if kind == "string":
        if not isinstance(value, ev.Number):
            return value
        return ("0" if value == "-0" else str(value)) if ev.INTEGER_TEXT.fullmatch(value) else None
    if not ev.INTEGER_TEXT.fullmatch(value) or (value == "-0" and not isinstance(value, ev.Number)):
        return None
    number = int(value)
    return number if -2 ** 63 <= number < 2 ** 63 else None


# ---- values


class Value:
    """What a field must be: nothing, an exact text, or a number within an error."""

    def __init__(self, exact=None, magnitude=None, is_count=False):
        self.exact = exact          # Fraction or int; None: does not exist
        self.magnitude = magnitude  # of a sum or average: the sum of the magnitudes, else None
        self.is_count = is_count

    def is_nothing(self):
        return self.exact is None

    def matches(self, text):
        """text: as printed or stored; None: no such field."""
        if self.exact is None:
            return text is None
        if text is None:
            return self.magnitude is not None and self.may_overflow()
        if self.is_count:
            return text == str(self.exact)
        if not ev.NUMBER_TEXT.fullmatch(text) or not is_shortest(text):
            return False
        got = Fraction(float(text))
        return got == self.exact if self.magnitude is None else self.is_near(got)

    def error(self):
        """How far a sum may be from the exact value: 2 ulp, or 2^-85 of the magnitudes."""
        try:
            ulp = math.ulp(float(self.exact))
        except OverflowError:
            ulp = math.ulp(sys.float_info.max)
        return max(Fraction(ulp) * 5 / 2, self.magnitude / (1 << 85))

    def is_near(self, got):
        return abs(got - self.exact) <= self.error()

    def may_overflow(self):
        return abs(self.exact) + self.error() >= DOUBLE_END

    def text(self):
        """As eval prints it, a sum correctly rounded."""
        if self.exact is None:
            return "null"
        if self.is_count:
            return str(self.exact)
        try:
            text = repr(float(self.exact) + 0.0)
        except OverflowError:
            return "null"
        return text.removesuffix(".0")

    __repr__ = text


def is_shortest(text):
    """No zero with a sign, and no more digits than it takes to read back the same double."""
    number = float(text)
    if number == 0:
        return text == "0"
    return len(ev.to_decimal(text)[1]) <= len(ev.to_decimal(repr(number))[1])


NOTHING = Value()


def aggregate(name, values, units):
    """values: doubles, units: the same as exact integers (promise N)."""
    if name == "count":
        return Value(len(values), is_count=True)
    if not values:
        return Value(Fraction(0), Fraction(0)) if name == "sum" else NOTHING
    if name in ("min", "max"):
        return Value(Fraction(min(values) if name == "min" else max(values)))
    divisor = SMALLEST * (len(values) if name == "avg" else 1)
    value = Value(Fraction(sum(units), divisor), Fraction(sum(map(abs, units)), divisor))
    if abs(value.exact) - value.error() >= DOUBLE_END:
        return NOTHING
    return value


def field_value(events, feature, window, name, at_ms):
    """Promise W: one field of an entity at A, from all of its accepted events."""
    start = window.start(at_ms)
    held = [event for event in events if start <= event.ts and event.values[feature] is not None]
    return aggregate(name, [event.values[feature] for event in held],
                     [event.units[feature] for event in held])


def features_at(view, events, at_ms):
    return {name: field_value(events, feature, window, aggregate_name, at_ms)
            for name, feature, window, aggregate_name in view.fields()}


# ---- eval


class Line:
    """One line of eval's output."""

    def __init__(self, view, entity, at_ms, events):
        self.view = view
        self.entity = entity
        self.at_ms = at_ms
        self.features = features_at(view, events, at_ms)

    def head(self):
        parts = list(self.entity)
        tenant = [("tenant", parts.pop(0))] if self.view.tenant else []
        entity = [(path, part) for (path, _), part in zip(self.view.keys, parts)] + tenant
        return {"view": self.view.name, "entity": dict(entity), "as_of": self.at_ms}

    def difference(self, text):
        """What is wrong with a line that was printed; None if nothing is."""
        try:
            got = json.loads(text, parse_float=ev.Number, parse_int=ev.Number)
        except ValueError as error:
            return f"not JSON: {error}"
        head = json.loads(json.dumps(self.head()), parse_int=ev.Number)
        if list(got) != [*head, "features"]:
            return f"members {list(got)}"
        for name, expected in head.items():
            if outline(got[name]) != outline(expected):
                return f"{name}: expected {expected!r}, got {got[name]!r}"
        if list(got["features"]) != list(self.features):
            return f"features {list(got['features'])}, expected {list(self.features)}"
        for name, expected in self.features.items():
            text = got["features"][name]
            if not (text is None or isinstance(text, ev.Number)) or not expected.matches(text):
                return f"{name}: expected {expected}, got {text}"
        return None

    def text(self):
        head = json.dumps(self.head(), ensure_ascii=False, separators=(",", ":"))
        features = ",".join(f"{json.dumps(name)}:{value.text()}"
                            for name, value in self.features.items())
        return f'{head[:-1]},"features":{{{features}}}}}'

    __repr__ = text


def outline(value):
    """A value of the head, with order and type: "42" is not 42."""
    if isinstance(value, dict):
        return [(name, type(part), part) for name, part in value.items()]
    return type(value), value


class Eval:
    """All that `tidewheel eval` must say about some lines."""

    def __init__(self, pipelines, lines):
        self.views = [View(pipeline) for pipeline in pipelines]
        self.line_count = len(lines)
        self.reasons = [[None] * len(lines) for _ in self.views]   # per view, per line
        self.accepted = [[None] * len(lines) for _ in self.views]  # likewise: Accepted or None
        paths = paths_by_topic(self.views)
        for number, line in enumerate(lines):
            decoded = {topic: decode(line, paths[topic]) for topic in paths}
            for i, view in enumerate(self.views):
                reason, values = decoded[view.topic]
                event = None
                if not reason:
                    reason, event = judge(view, values)
                self.reasons[i][number], self.accepted[i][number] = reason, event

    def each(self):
        clocks = [-1] * len(self.views)
        known = [{} for _ in self.views]
        for number in range(self.line_count):
            for i, view in enumerate(self.views):
                event = self.accepted[i][number]
                if event:
                    clocks[i] = max(clocks[i], event.ts)
                    known[i].setdefault(event.entity, []).append(event)
                    yield Line(view, event.entity, clocks[i], known[i][event.entity])

    def at(self, at_ms):
        """at_ms None: the end."""
        for view, accepted in zip(self.views, self.accepted):
            events = [event for event in accepted if event and (at_ms is None or event.ts <= at_ms)]
            known = {}
            for event in events:
                known.setdefault(event.entity, []).append(event)
            clock = max((event.ts for event in events), default=0) if at_ms is None else at_ms
            for entity, of_entity in known.items():
                yield Line(view, entity, clock, of_entity)

    def lines(self, at):
        """at: "each", "end", or a time in Unix ms."""
        return self.each() if at == "each" else self.at(None if at == "end" else at)

    def counts(self, at):
        """accepted, rejected, each reason, applied and late; of every line and view."""
        counts = dict.fromkeys(("accepted", "rejected", *REJECTIONS, "applied", "late"), 0)
        for view, reasons, accepted in zip(self.views, self.reasons, self.accepted):
            for reason in reasons:
                counts[reason or "accepted"] += 1
                counts["rejected"] += reason is not None
            for fate in fates(view, accepted, at if isinstance(at, int) else ev.TIMESTAMP_END_MS):
                if fate in counts:
                    counts[fate] += 1
        return counts


def fates(view, accepted, until_ms):
    """What becomes of each event that a view accepted: applied, if a feature applied it; late, if
    every feature that it matched said late (promise L); None otherwise."""
    clock = -1
    for event in accepted:
        if not event or event.ts > until_ms:
            continue
        clock = max(clock, event.ts)
        said = set()
        for feature, (verdict, _) in zip(view.features, event.judged):
            if verdict == "matched":
                verdict = "applied" if feature.holds(event.ts, clock) else "late"
            said.add(verdict)
        yield "applied" if "applied" in said else "late" if said - {"unmatched"} == {"late"
                                                                                     } else None


def split_lines(data):
    """The records of a file: what newlines end, and what is left at the end."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def parse_at(text):
    if text in ("end", "each"):
        return text
    return int(text) if text.isdigit() else ev.rfc3339(text)


def main():
    parser = argparse.ArgumentParser(description="what `tidewheel eval` must print")
    parser.add_argument("pipelines", nargs="+")
    parser.add_argument("-e", dest="events", default="-")
    parser.add_argument("--at", default="end", type=parse_at)
    args = parser.parse_args()
    data = sys.stdin.buffer.read() if args.events == "-" else Path(args.events).read_bytes()
    pipelines = [yaml_text.load(Path(file).read_text()) for file in args.pipelines]
    result = Eval(pipelines, split_lines(data))
    for line in result.lines(args.at):
        print(line)
    counts = result.counts(args.at)
    print("at=eval",
          *(f"{name}={count}" for name, count in counts.items() if count or "cted" in name),
          file=sys.stderr)


if __name__ == "__main__":
    main()
