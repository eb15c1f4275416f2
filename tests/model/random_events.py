"""Random pipelines, and random events that aim at their edges.

Events go by a clock of their own: it moves so that earlier events stand just inside or just outside
of a window, and late ones are put on `floor_h(A - w)` and 1 ms before it.
"""

import datetime
import json

import oracle
from event import TIMESTAMP_END_MS

DAY_MS = 86_400_000


class Raw(str):
    """JSON text that goes into an event as it is."""


# ---- pipelines

LENGTHS = [
    "1s", "1500ms", "1234ms", "2s", "5s", "10s", "30s", "60s", "1m", "90s", "5m", "1h", "24h", "1d",
    "7d", "30d", "400d"]
HOPS = ["1ms", "3ms", "10ms", "100ms", "250ms", "500ms", "1s", "2s", "5s", "10s", "30s", "1m", "5m",
        "1h", "6h", "1d", "7d"]
TIMES = {"ts": "ms", "time.s": "s", "us": "us", "ns": "ns", "at": "rfc3339"}
VALUES = [
    "amount", "order.total", "items.0.price", "items.1.price", "prix.été", "a.b.0.1", "num", "?"]
AGGREGATES = oracle.AGGREGATES


def random_pipelines(rng):
    topics = rng.choice([["events"], ["events"], ["events", "others"]])
    return [random_pipeline(rng, f"view{n}", rng.choice(topics))
            for n in range(rng.choice([1, 1, 2, 2, 3, 4]))]


def random_pipeline(rng, name, topic):
    time = rng.choice(list(TIMES))
    pipeline = {
        "view": name,
        "source": {"topic": topic, "timestamp": {"field": time, "unit": TIMES[time]}},
        "entity": {"type": "user", "keys": random_keys(rng)},
        "features": [
            random_feature(rng, f"{name}_{n}") for n in range(rng.choice([1, 1, 2, 3, 4]))],
    }
    if rng.random() < 0.3:
        pipeline["entity"]["type"] = "member"  # a tenant "features" must not reach a user's key
        pipeline["entity"]["tenant"] = {"field": rng.choice(["org", "owner.org"])}
    if rng.random() < 0.2:
        pipeline["output"] = {"field": rng.choice(["{feature}.{aggregate}.{window}",
                                                   "{aggregate}:{feature}:{window}"])}
    if rng.random() < 0.2:
        pipeline["clock"] = rng.choice(["event", "wall"])
    if rng.random() < 0.02:
        del pipeline["source"]["timestamp"]
    return pipeline


def random_keys(rng):
    fields = [("user_id", "string"), ("num", "int64"), ("owner.id", "string"), ("ids.0", "int64"),
              ("num", "string")]
    keys = rng.sample(fields, rng.choice([1, 1, 1, 2, 3]))
    unique = dict(keys)
    return [{"field": field, "type": kind} for field, kind in unique.items()]


def random_feature(rng, name):
    feature = {"name": name}
    if rng.random() < 0.7:
        feature["where"] = random_where(rng)
    has_value = rng.random() < 0.75
    if has_value:
        feature["value"] = rng.choice(VALUES)
    count = rng.randint(1, 5)
    feature["aggregates"] = rng.sample(AGGREGATES, count) if has_value else ["count"]
    feature["windows"] = random_windows(rng)
    return feature


def random_windows(rng):
    """Lengths differ, custom hops divide their length, and all hops nest."""
    windows, hops, lengths = [], [], set()
    for text in rng.sample(LENGTHS, rng.choice([1, 2, 3, 3, 4])):
        window = text
        if rng.random() < 0.4:
            fitting = [hop for hop in HOPS if is_fitting(hop, text)]
            coarsest = max(fitting, key=oracle.duration_ms, default=None)
            hop = rng.choice([coarsest, *fitting])
            window = {"length": text, "hop": hop} if hop else text
        length, hop = oracle.Window(window).length_ms, oracle.Window(window).hop_ms
        nests = all(max(hop, other) % min(hop, other) == 0 for other in hops)
        if nests and length not in lengths:
            windows.append(window)
            hops.append(hop)
            lengths.add(length)
    return windows


def is_fitting(hop, length):
    """A hop divides its window, and makes no more than 100,000 of it."""
    hop_ms, length_ms = oracle.duration_ms(hop), oracle.duration_ms(length)
    return length_ms % hop_ms == 0 and length_ms <= 100_000 * hop_ms


def random_where(rng, depth=0):
    terms = {}
    for _ in range(rng.choice([1, 1, 1, 2])):
        kind = rng.random()
        if depth < 2 and kind < 0.12:
            terms["any"] = [random_where(rng, depth + 1) for _ in range(rng.randint(1, 3))]
        elif depth < 2 and kind < 0.24:
            terms["not"] = random_where(rng, depth + 1)
        else:
            path, operand = random_term(rng)
            terms[path] = operand
    return terms


def random_term(rng):
    path = rng.choice(["type", "type", "country", "flag", "amount", "order.total", "items.0.price",
                       "coupon", "tags.1", "order", "num", "?"])
    kind = rng.choice(["equal", "equal", "in", "exists", "range", "both"])
    if kind == "equal":
        return path, rng.choice(OPERANDS)
    if kind == "in":
        return path, {"in": rng.sample(OPERANDS, rng.randint(1, 4))}
    if kind == "exists":
        return path, {"exists": rng.random() < 0.6}
    terms = {rng.choice(["gt", "gte"]): rng.choice([0, 1, -5, 0.5, 10])}
    if kind == "both":
        terms[rng.choice(["lt", "lte"])] = rng.choice([1, 10, 12.5, 1000, 1e300])
    return path, terms


OPERANDS = [
    "buy", "view", "buy", "view", "DE", "fr", "", "1", "true", "null", "a$b", "é", "😀", True,
    False, 1, 0, -1, 1.5, 100, 2**53, 2**53 + 1, 10**30 + 1]

# ---- events

ODD_VALUES = [
    Raw(text) for text in
    ("1e308 1.7976931348623157e308 -1.7976931348623157e308 -1e308 5e-324 -5e-324 1e-310 1e999"
     " -1e999 1e-999 -0 -0.0 0 0.0 0e7 1E2 1.5e+3 1e0 9007199254740993 9007199254740992 true false"
     " null {} [] [1] 9223372036854775808 1000000000000000000000000000001"
     " 1000000000000000000000000000000"
     ).split()]
ODD_VALUES += [Raw("9" * 400), Raw("9" * 300), Raw("0." + "3" * 400), Raw('{"x":[1,{"y":2}]}'),
               "", " 1", "1 ", "+1", "01", "0x1", "1.", ".5", "NaN", "Infinity", "-", "1e", "1,5",
               "12.5", "1e3", "-0", "1e999", "5e-324", "null", "true", "9" * 400, "１"]
ODD_KEYS = [
    "", "a:b", "{x}", "new\nline", "é", "😀", "a b", "%3A", "x" * 256, "x" * 257, "x" * 240,
    "é" * 128, "é" * 129, "42", "042", "-0", "+7", "9223372036854775807", "-9223372036854775808",
    "9223372036854775808", "\x7f\x01", "\"\\/",
    *map(Raw, ("42 -0 0 9223372036854775807 9223372036854775808 -9223372036854775808"
               " -9223372036854775809 1.0 1e2 true null {} [] 12345678901234567890123").split()),
    Raw("1" + "0" * 300),
    Raw(r'"\u0075\u0031"'),
    Raw(r'"\ud83d\ude00"'),
    Raw(r'"u\/1"')]
ODD_TIMES = [
    Raw(text) for text in "-1 -0 0 1e999 1e-999 -0.5 true null {} [] 253402300800000".split()]
ODD_TIMES += ["", "abc", " 1", "1 ", "0x10", "2023-02-30T00:00:00Z", "2023-01-01 00:00:00Z",
              "2023-01-01T24:00:00Z", "2023-01-01T00:60:00Z", "2023-01-01T00:00:61Z",
              "2023-01-01T00:00:00", "2023-01-01T00:00:00.Z", "2023-01-01T00:00:00+24:00",
              "2023-1-1T00:00:00Z", "9999-12-31T23:59:60Z", "1969-12-31T23:59:59.999Z",
              "0000-01-01T00:00:00Z", "2023-02-29T00:00:00Z", "20230101T000000Z", Raw("1" * 400),
              "2023-01-01T00:00:00ZZ", "+2023-01-01T00:00:00Z", "2023-01-01T00:00:00 Z"]


class EventMaker:
    def __init__(self, rng, pipelines):
        self.rng = rng
        views = [oracle.View(pipeline) for pipeline in pipelines]
        self.windows = [window for view in views for feature in view.features
                        for window in feature.windows]
        self.base = rng.choice([rng.randrange(0, DAY_MS)] +
                               [rng.randrange(10**12, 2 * 10**12)] * 8 +
                               [TIMESTAMP_END_MS - 1 - rng.randrange(DAY_MS)])
        self.clock = self.base
        self.seen = [self.base]
        self.users = rng.sample(["u1", "u2", "Zoë", "a:b", "u 5", "42"], rng.randint(1, 3))
        self.values = rng.choice([
            self.money, self.money, self.small, self.any_size, self.cancelling])
        self.odd = rng.choice([0.02, 0.02, 0.15])

    # -- time

    def next_time(self):
        ts = min(max(self.random_time(), 0), TIMESTAMP_END_MS - 1)
        self.clock = max(self.clock, ts)
        self.seen.append(ts)
        return ts

    def random_time(self):
        rng, window = self.rng, self.rng.choice(self.windows)
        kind = rng.random()
        if kind < 0.25:
            return self.clock + rng.randint(0, window.hop_ms)
        if kind < 0.45:  # the clock comes to where an earlier event leaves a window
            return max(self.leaving(rng.choice(self.seen), window), self.clock - window.hop_ms)
        if kind < 0.70:  # late, at the very beginning of a window
            return window.start(self.clock) + rng.choice([
                0, 0, -1, -1, 1, -window.hop_ms, window.hop_ms])
        if kind < 0.80:
            return rng.choice(self.seen)
        if kind < 0.95:
            return self.clock - rng.randint(0, 2 * window.length_ms)
        return self.clock + rng.randint(0, window.length_ms)

    def leaving(self, ts, window):
        """The first time at which the window has let go of ts, or the moment before or after."""
        first = oracle.floor_to(ts, window.hop_ms) + window.hop_ms + window.length_ms
        return first + self.rng.choice([0, 0, -1, -1, 1])

    def look_time(self):
        """A time worth looking at from outside: --at TIME."""
        rng = self.rng
        ts = rng.choice(self.seen)
        times = [ts, ts - 1, self.clock, self.clock + 1, self.leaving(ts, rng.choice(self.windows))]
        return min(max(rng.choice(times), 0), TIMESTAMP_END_MS - 1)

    def write_times(self, ts):
        """The same moment in every unit; what lies below a ms is floored away."""
        rng = self.rng
        below = rng.choice([0, 0, 1, 999_999, rng.randrange(1_000_000)])  # ns
        ns = ts * 1_000_000 + below
        times = {"ms": decimal(ns, 6), "s": decimal(ns, 9), "us": decimal(ns, 3), "ns": str(ns)}
        times = {
            unit: Raw(rng.choice([text, text, exponent_form(text)]))
            for unit, text in times.items()}
        times = {unit: str(text) if rng.random() < 0.2 else text for unit, text in times.items()}
        times["rfc3339"] = self.rfc3339(ts, below)
        return times

    def rfc3339(self, ts, below):
        rng = self.rng
        offset = rng.choice([0, 0, 0, 90, -150, 1439, -1439])
        local = ts + offset * 60_000
        if not 0 <= local < TIMESTAMP_END_MS:
            offset, local = 0, ts
        is_leap = local // 1000 % 60 == 0 and local >= 60_000 and rng.random() < 0.2
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(
            seconds=local // 1000 - (1 if is_leap else 0))
        fraction = f"{local % 1000 * 1_000_000 + below:09}"
        fraction = rng.choice([fraction, fraction + "123", fraction.rstrip("0")])
        zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
        zone = rng.choice(["Z", "Z", "z", "-00:00", zone]) if offset == 0 else zone
        second = 60 if is_leap else moment.second
        date = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
        time = f"{moment.hour:02}:{moment.minute:02}:{second:02}"
        return date + rng.choice("TTt") + time + ("." if fraction else "") + fraction + zone

    # -- values

    def money(self):
        return Raw(f"{self.rng.randint(-500, 20000)}.{self.rng.randint(0, 99):02}")

    def small(self):
        return self.rng.randint(-3, 12)

    def any_size(self):
        return Raw(repr(self.rng.uniform(-1, 1) * 10.0 ** self.rng.randint(-320, 308)))

    def cancelling(self):
        return self.one_of("1e16 -1e16 1 -1 1e-9 1e308 -1e308 0.1 -0.1 3e-17 -1e-320")

    def largest(self):
        return self.one_of(
            "1.7976931348623157e308 -1.7976931348623157e308 1e308 -9e307 1e292 -1e292 1")

    def smallest(self):
        return self.one_of("5e-324 -5e-324 -5e-324 1e-323 -0 -0.0 0 2.2250738585072014e-308")

    def one_of(self, texts):
        return Raw(self.rng.choice(texts.split()))

    def value(self):
        if self.rng.random() < self.odd:
            return self.rng.choice(ODD_VALUES)
        value = self.values()
        return str(value) if self.rng.random() < 0.1 else value

    def key(self, odd=ODD_KEYS):
        return self.rng.choice(odd if self.rng.random() < self.odd / 2 else self.users)

    # -- events

    def event(self):
        """A dict; Raw stands for JSON text."""
        rng = self.rng
        times = self.write_times(self.next_time())
        for unit in times:
            if rng.random() < self.odd / 3:
                times[unit] = rng.choice(ODD_TIMES)
        number = rng.choice(ODD_KEYS) if rng.random() < self.odd / 2 else rng.choice([
            7, 7, 8, "8", -9])
        event = {
            "ts": times["ms"],
            "time": {"s": times["s"]},
            "us": times["us"],
            "ns": times["ns"],
            "at": times["rfc3339"],
            "user_id": self.key(),
            "num": number,
            "owner": {"id": self.key(), "org": rng.choice(["o1", "o2", 3])},
            "org": self.key(["", Raw("null"), 5, Raw("1.5"), "x" * 250]),
            "ids": [rng.choice([1, 1, "2"]), 5],
            "type": rng.choice(["buy", "buy", "view", "other", 1]),
            "amount": self.value(),
            "order": {"total": self.value()},
            "items": self.items(),
            "prix": {"été": self.value()},
            "a": {"b": [[0, self.value()]]},
            "?": self.value(),
            "country": rng.choice(OPERANDS),
            "flag": rng.choice([Raw("true"), Raw("false"),
                                Raw("null"), "true", 1, 0]),
            "tags": rng.choice([[], ["x", "DE"], ["x", rng.choice(OPERANDS)]]),
            "order.total": 77, }
        if rng.random() < 0.3:
            event["coupon"] = rng.choice(["", "X", Raw("null"), 0, {}])
        for name in list(event):
            if rng.random() < self.odd / 3:
                del event[name]
        if rng.random() < self.odd:
            event[rng.choice(list(event))] = rng.choice(ODD_VALUES)
        names = list(event)
        rng.shuffle(names)
        return {name: event[name] for name in names}

    def items(self):
        prices = [{"price": self.value(), "n": 1} for _ in range(self.rng.choice([0, 1, 2, 2, 3]))]
        if self.rng.random() < 0.05:
            return {"0": {"price": self.value()}, "1": 5}
        return prices

    def line(self):
        rng = self.rng
        line = write(self.event(), rng).encode()
        if rng.random() < self.odd:
            line = rng.choice(BREAKS)(line, rng)
        return line


def decimal(number, places):
    """number / 10^places, as text."""
    text = f"{number:0{places + 1}}"
    return (text[:-places] + "." + text[-places:]).rstrip("0").rstrip(".")


def exponent_form(text):
    """The same number, written with an exponent."""
    whole, _, fraction = text.partition(".")
    digits = (whole + fraction).lstrip("0") or "0"
    if len(digits) > 1:
        return f"{digits[0]}.{digits[1:]}e{len(digits) - 1 - len(fraction)}"
    return f"{digits}E{-len(fraction):+}"


def write(value, rng):
    """An event as JSON; sometimes with spaces, escapes in names, and names given twice."""
    space = " " if rng.random() < 0.2 else ""
    if isinstance(value, dict):
        pairs = [(name, write(item, rng)) for name, item in value.items()]
        if pairs and rng.random() < 0.03:  # given twice: the first counts
            pairs.append((rng.choice(pairs)[0], write(rng.choice([1, "buy", None, {}, True]), rng)))
        return "{" + ("," + space).join(f"{write_name(name, rng)}{space}:{item}"
                                        for name, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ("," + space).join(write(item, rng) for item in value) + "]"
    if isinstance(value, Raw):
        return str(value)
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def write_name(name, rng):
    if rng.random() < 0.03:
        return '"' + "".join(f"\\u{ord(char):04x}" for char in name) + '"'
    return json.dumps(name, ensure_ascii=rng.random() < 0.5)


# ---- lines that are wrong, or only look so


def add_member(member):
    """Puts `"name":value` into the object, before or behind the others."""
    def change(line, rng):
        return b"{" + member + b"," + line[1:] if rng.random(
        ) < 0.5 else line[:-1] + b"," + member + b"}"
    return change


BAD_STRINGS = [
    rb'"\ud83d"', rb'"\ude00\ud83d"', rb'"\u0000"', b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', rb'"\ud83dx"', rb'"\ud83d\u0041"']
ODD_MEMBERS = [
    b'"x":01', b'"x":.5', b'"x":1.', b'"x":-', b'"x":NaN', b'"x":tru', b'"x":truex', b'x:1',
    b'"x":\'a\'', b'"x":"\x01"', b'"x":"\t"', rb'"x":"\x41"', rb'"x":"\u12g4"', b'"x":/**/1',
    b'"x":\x0b1', b'"x":\x0c1', b'"x":\r1', b'"x":\t1', b'"x":1e', b'"x":+1', b'"x":1e999999999999',
    b'"x":[1,]', b'"x":[,1]', b'"x":{"y":1,}', b'"x" 1', b'"x":', b'', b'"x":1 2', b'"x":\x001',
    b'"x":\xff', b'"\xff":1', rb'"\ud83d":1', rb'"\u0000":1', b'"x":"\x7f"', b'"x":True', b'"":1',
    b'"items":5', b'"order":null', b'"x":"' + b"\xc3\xa9" * 99 + b'"', b'"x":\xc2\xa01']
BREAKS = [
    lambda line, rng: b"",
    lambda line, rng: rng.choice([
        b" ", b"\r", b"x", b"null", b"1", b'"x"', b"true", b"[]", b"[{}]", b"{}", b"nul", b"[1",
        b"[1]]", b'"', b"{", b"}", b"-", b"1e999", b"{}{}", b"\x00"]),
    lambda line, rng: line[:rng.randrange(len(line))],
    lambda line, rng: line + rng.choice([
        b" ", b"x", b"}", b",", b" {}", b"\x00", b"\r", b"\t ", b"\x0c", b"\xff"]),
    lambda line, rng: rng.choice([b" ", b"\t", b"\r", b"\x0b", b"\xef\xbb\xbf", b"\xa0"]) + line,
    lambda line, rng: b"[" + line + b"]",
    lambda line, rng: nested(line, rng.choice([62, 63, 64, 65, 300]), rng),
    lambda line, rng: rng.choice([b"[" * 64 + b"]" * 64, b"[" * 65 + b"]" * 65, b"[" * 5000]),
    lambda line, rng: add_member(rng.choice(ODD_MEMBERS))(line, rng),
    lambda line, rng: add_member(rng.choice(ODD_MEMBERS))(line, rng),
    lambda line, rng: bad_string(line, rng),
    lambda line, rng: bad_string(line, rng),
    lambda line, rng: with_byte(line, rng),
    lambda line, rng: sized(line, rng) if rng.random() < 0.1 else line, ]


def nested(line, depth, rng):
    """An unused member that is so many levels deep, below the object itself."""
    deep = rng.choice([b"[" * depth + b"]" * depth, b'{"y":' * depth + b"1" + b"}" * depth])
    return add_member(b'"deep":' + deep)(line, rng)


def bad_string(line, rng):
    """A string that may not be used, in a field that may or may not be."""
    name = rng.choice([
        b"user_id", b"type", b"country", b"amount", b"unused", b"org", b"coupon", b"tags"])
    return add_member(b'"' + name + b'":' + rng.choice(BAD_STRINGS))(line, rng)


def with_byte(line, rng):
    """One byte replaced, anywhere."""
    at = rng.randrange(len(line))
    byte = rng.choice(b'\x00\x01\x7f\x80\xc3\xff"\\{}[],: 0e')
    return line[:at] + bytes([byte]) + line[at + 1:]


def sized(line, rng):
    """As long as an event may be, or a byte longer."""
    size = oracle.EVENT_BYTES_MAX + rng.choice([0, 0, 1]) - len(line) - len(b'"big":"",')
    return add_member(b'"big":"' + b"x" * size + b'"')(line, rng)
