"""What a worker says of itself over HTTP, and a strict reader of Prometheus' text format 0.0.4.

    metrics = prom.read(text)                            fails where the format does not hold
    metrics.value("tidewheel_records_total")             of the one sample with exactly these labels
    metrics.values("tidewheel_state_entities")           {labels as a sorted tuple of pairs: value}
    metrics.types                                        {"tidewheel_records_total": "counter", ...}
"""

import re

LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
SUFFIXES = ("_bucket", "_sum", "_count")


class Metrics:
    def __init__(self):
        self.types = {}
        self.samples = {}

    def values(self, name):
        return {labels: value for (own, labels), value in self.samples.items() if own == name}

    def value(self, name, **labels):
        return self.samples[name, tuple(sorted(labels.items()))]

    def sum(self, name):
        return sum(self.values(name).values())


def labels_of(text):
    """Nothing but labels with commas between them; a name once."""
    labels, at = {}, 0
    while text and at <= len(text):
        found = LABEL.match(text, at)
        assert found and found[1] not in labels, f"no labels: {text}"
        labels[found[1]] = re.sub(r"\\(.)", lambda one: "\n" if one[1] == "n" else one[1], found[2])
        at = found.end() + 1
        assert text[found.end():at] in ("", ","), f"no labels: {text}"
        if at > len(text):
            break
    return tuple(sorted(labels.items()))


def read(text):
    assert text.endswith("\n"), "the last line does not end"
    metrics, name, kind, helped = Metrics(), None, None, set()
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, kind = line.split(" ", 3)[2], None
            assert name not in helped and len(line.split(" ", 3)) == 4, line
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, own, kind = line.split(" ")
            assert own == name and own not in metrics.types, line
            metrics.types[own] = kind
        else:
            found = SAMPLE.fullmatch(line)
            assert found, f"no sample: {line}"
            suffixes = SUFFIXES if kind == "histogram" else ("",)
            assert found[1] in {name + suffix for suffix in suffixes}, f"{line} among those of {name}"
            key = found[1], labels_of(found[2] or "")
            assert key not in metrics.samples, f"twice: {line}"
            metrics.samples[key] = float(found[3].replace("Inf", "inf"))
    for name, kind in metrics.types.items():
        if kind == "histogram":
            check_histogram(metrics, name)
    return metrics


def check_histogram(metrics, name):
    for labels, count in metrics.values(name + "_count").items():
        buckets = sorted((float(dict(own)["le"].replace("Inf", "inf")), value)
                         for own, value in metrics.values(name + "_bucket").items()
                         if set(labels) < set(own) or (not labels and len(own) == 1))
        values = [value for _, value in buckets]
        assert values == sorted(values) and buckets[-1] == (float("inf"), count), (name, labels, buckets)
        assert (name + "_sum", labels) in metrics.samples, name
