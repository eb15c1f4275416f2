#!/usr/bin/env python3
"""The oracle itself: cases computed by hand from the promises, and a second, still slower way."""

import decimal
import json
import os
import random
import sys
import unittest
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import event as ev  # noqa: E402
import histories  # noqa: E402
import oracle  # noqa: E402
import random_events  # noqa: E402
import where  # noqa: E402

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(10 ** 9)))
HOUR = 3_600_000


def pipeline(**changes):
    base = {
        "view": "v", "source": {"topic": "t", "timestamp": {"field": "ts", "unit": "ms"}},
        "entity": {"type": "user", "keys": [{"field": "u", "type": "string"}]}, "features": [{
            "name": "f", "value": "x", "aggregates": ["count", "sum", "min", "max", "avg"],
            "windows": ["1h"]}]}
    return {**base, **changes}


def line(**members):
    return json.dumps(members).encode()


def final(lines, at="end", **changes):
    """The features of the only entity."""
    lines = list(oracle.Eval([pipeline(**changes)], lines).lines(at))
    assert len(lines) == 1, lines
    return {name: value.text() for name, value in lines[0].features.items()}


def counts(window, stamps, at):
    feature = [{"name": "f", "aggregates": ["count"], "windows": [window]}]
    result = final([line(ts=ts, u="a") for ts in stamps], at, features=feature)
    return int(next(iter(result.values())))


class PromiseW(unittest.TestCase):
    def test_default_hops_are_those_of_the_page(self):
        for length, hop in (("1s", 10), ("10s", 100), ("1h", 30_000), ("24h", 600_000), ("7d",
                                                                                         HOUR),
                            ("100s", 1000), ("99s", 100), ("400d", 86_400_000), ("25h", 600_000)):
            self.assertEqual(oracle.Window(length).hop_ms, hop, length)

    def test_a_window_begins_at_the_floor_of_a_minus_w_inclusively(self):
        # A = 10:00:29.999 -> A - 1h = 9:00:29.999, floored to 30 s: 9:00:00.000.
        nine = 1_700_006_400_000
        at = nine + HOUR + 29_999
        self.assertEqual(counts("1h", [nine], at), 1)
        self.assertEqual(counts("1h", [nine - 1, nine], at), 1)
        self.assertEqual(counts("1h", [nine], at + 1), 0)
        self.assertEqual(counts("1h", [nine + 29_999], at + 1), 0)
        self.assertEqual(counts("1h", [nine + 30_000], at + 1), 1)

    def test_a_custom_hop_moves_the_beginning(self):
        window = {"length": "1h", "hop": "5m"}
        nine = 1_700_006_400_000
        self.assertEqual(nine % 300_000, 0)
        self.assertEqual(counts(window, [nine], nine + HOUR + 299_999), 1)
        self.assertEqual(counts(window, [nine], nine + HOUR + 300_000), 0)

    def test_windows_that_reach_behind_the_epoch_begin_before_it(self):
        # A - 1h = -3599995 is floored to -3600000, not towards zero.
        self.assertEqual(oracle.Window("1h").start(5), -HOUR)
        self.assertEqual(counts("1h", [0, 1], 5), 2)

    def test_at_a_time_only_events_up_to_it_count(self):
        self.assertEqual(counts("1h", [1000, 2000, 2001], 2000), 2)

    def test_each_is_as_of_the_newest_event_so_far(self):
        feature = [{"name": "f", "aggregates": ["count"], "windows": ["1s"]}]
        lines = [
            line(ts=ts, u=user)
            for ts, user in ((5000, "a"), (3989, "a"), (3990, "b"), (6010, "b"))]
        got = [(one.entity, one.at_ms, one.features["f_1s_count"].text())
               for one in oracle.Eval([pipeline(features=feature)], lines).lines("each")]
        self.assertEqual(got, [(("a",), 5000, "1"), (("a",), 5000, "1"), (("b",), 5000, "0"),
                               (("b",), 6010, "1")])

    def test_the_end_is_as_of_the_newest_event_of_all_entities(self):
        lines = [line(ts=10 * HOUR, u="a", x=1), line(ts=11 * HOUR + 30_000, u="b", x=2)]
        got = [(one.entity, one.features["f_1h_count"].text())
               for one in oracle.Eval([pipeline()], lines).lines("end")]
        self.assertEqual(got, [(("a",), "0"), (("b",), "1")])


class PromiseN(unittest.TestCase):
    def test_an_empty_window_is_zero_or_nothing(self):
        got = final([line(ts=0, u="a", x=5), line(ts=9 * HOUR, u="a")])
        self.assertEqual(
            got, {
                "f_1h_count": "0", "f_1h_sum": "0", "f_1h_min": "null", "f_1h_max": "null",
                "f_1h_avg": "null"})

    def test_values_by_hand(self):
        values = (1.5, "2.5", None, -4, True, "x", " 1", [1], "1e0")
        got = final([line(ts=1000, u="a", x=x) for x in values])
        self.assertEqual(got, {
            "f_1h_count": "4", "f_1h_sum": "1", "f_1h_min": "-4", "f_1h_max": "2.5",
            "f_1h_avg": "0.25"})

    def test_what_is_not_finite_is_no_value_and_no_result(self):
        got = final([b'{"ts":1,"u":"a","x":%s}' % x for x in (b"1e999", b"1e308", b"1e308")])
        self.assertEqual((got["f_1h_count"], got["f_1h_sum"]), ("2", "null"))
        self.assertEqual(float(got["f_1h_avg"]), 1e308)

    def test_sums_are_exact(self):
        got = final([
            b'{"ts":1,"u":"a","x":%s}' % x
            for x in (b"1e308", b"1e308", b"0.1", b"-1e308", b"-1e308", b"0.2")])
        self.assertEqual(got["f_1h_sum"], "0.30000000000000004")

    def test_minus_zero_is_zero(self):
        self.assertEqual(final([b'{"ts":1,"u":"a","x":-0.0}'])["f_1h_min"], "0")
        self.assertFalse(oracle.Value(Fraction(0)).matches("-0"))

    def test_a_value_matches_within_two_units_in_the_last_place(self):
        value = oracle.Value(Fraction(1, 3), Fraction(1, 3))
        for steps, is_right in ((0, True), (2, True), (3, False), (-2, True), (-4, False)):
            got = 1 / 3 + steps * 2.0 ** -54
            self.assertEqual(value.matches(repr(got)), is_right, steps)
        self.assertFalse(value.matches("0.33333333333333331482"))
        self.assertFalse(oracle.Value(3, is_count=True).matches("3.0"))
        self.assertFalse(oracle.Value(Fraction(1, 4)).matches(repr(0.25 + 2.0 ** -54)))
        self.assertTrue(oracle.Value(Fraction(0), Fraction(2)).matches(repr(2.0 ** -84)))
        self.assertFalse(oracle.Value(Fraction(0), Fraction(2)).matches(repr(2.0 ** -83)))


def reason(text, **changes):
    result = oracle.Eval([pipeline(**changes)], [text])
    return result.reasons[0][0] or "accepted"


class Verdicts(unittest.TestCase):
    def check(self, cases, **changes):
        for text, expected in cases:
            self.assertEqual(reason(text, **changes), expected, text[:100])

    def test_bytes_that_are_no_event(self):
        good = b'{"ts":1,"u":"a"}'
        deep = b'{"ts":1,"u":"a","d":%s}'
        self.check([
            (b"", "empty"),
            (b" ", "bad_json"),
            (good, "accepted"),
            (b" " + good + b"\r", "accepted"),
            (b"\xef\xbb\xbf" + good, "bad_json"),
            (good + b"x", "bad_json"),
            (b"[" + good + b"]", "not_object"),
            (b"3", "not_object"),
            (b"[1", "bad_json"),
            (b"nul", "bad_json"),
            (good[:-1] + b",}", "bad_json"),
            (good[:-1] + b',"d":01}', "bad_json"),
            (good[:-1] + b',"d":"\x01"}', "bad_json"),
            (good[:-1] + b',"d":\x0b1}', "bad_json"),
            (good[:-1] + b',"d":NaN}', "bad_json"),
            (deep % (b"[" * 63 + b"]" * 63), "accepted"),
            (deep % (b"[" * 64 + b"]" * 64), "bad_json"),
            (b"[" * 64 + b"]" * 64, "not_object"),
            (b"[" * 65 + b"]" * 65, "bad_json"),
            (b"[" * 200_000, "bad_json"),
            (deep % (b'"' + b"x" * (262144 - len(deep) + 0) + b'"'), "accepted"),
            (deep % (b'"' + b"x" * (262144 - len(deep) + 1) + b'"'), "too_big"), ])

    def test_strings_reject_only_where_they_are_used(self):
        for bad in random_events.BAD_STRINGS:
            self.check([(b'{"ts":1,"u":%s}' % bad, "bad_json"),
                        (b'{"ts":1,"u":"a","x":%s}' % bad, "bad_json"),
                        (b'{"ts":1,"u":"a","unused":%s}' % bad, "accepted"),
                        (b'{"ts":1,"u":"a","x":{"y":%s}}' % bad, "accepted"),
                        (b'{"ts":1,"u":"a","u":%s}' % bad, "accepted")])
        self.check([(rb'{"ts":1,"u":"\ud83d\ude00"}', "accepted")])

    def test_of_a_name_given_twice_the_first_counts(self):
        self.check([(b'{"ts":1,"u":"a","u":7}', "accepted"), (b'{"ts":1,"u":{},"u":"a"}', "no_key"),
                    (b'{"ts":1,"u":null,"u":"a"}', "no_key"),
                    (rb'{"ts":1,"\u0075":"a","u":1.5}', "accepted")])
        nested = {"type": "user", "keys": [{"field": "p.q", "type": "string"}]}
        self.check([(b'{"ts":1,"p":1,"p":{"q":"a"}}', "no_key"),
                    (b'{"ts":1,"p":{"q":"a"},"p":1}', "accepted"),
                    (b'{"ts":1,"p.q":"a"}', "no_key")],
                   entity=nested)

    def test_keys(self):
        def entity(kind):
            return {"type": "user", "keys": [{"field": "u", "type": kind}]}
        for value, string, int64 in ((b'"a"', "a", None), (b'""', None, None), (b"42", "42", 42),
                                     (b'"42"', "42", 42), (b'"042"', "042", None), (b"-0", "0", 0),
                                     (b'"-0"', "-0", None), (b"1.0", None, None),
                                     (b"1e2", None, None), (b"true", None, None), (b"null", None,
                                                                                   None),
                                     (b"{}", None, None), (b"9223372036854775807",
                                                           "9223372036854775807", 2**63 - 1),
                                     (b"-9223372036854775808", "-9223372036854775808",
                                      -2**63), (b"9223372036854775808", "9223372036854775808",
                                                None), (b'"+7"', "+7", None)):
            for kind, expected in (("string", string), ("int64", int64)):
                result = oracle.Eval([pipeline(entity=entity(kind))], [b'{"ts":1,"u":%s}' % value])
                accepted = result.accepted[0][0]
                self.assertEqual(accepted and accepted.entity[0], expected, (value, kind))

    def test_the_key_limit_is_over_the_bytes_of_all_parts(self):
        entity = {"type": "user", "tenant": {"field": "o"},
                  "keys": [{"field": "u", "type": "string"}, {"field": "n", "type": "int64"}]}
        for user, org, expected in (("x" * 250, "o", "accepted"), ("x" * 253, "o", "accepted"),
                                    ("x" * 254, "o", "key_too_long"), ("é" * 126, "ab",
                                                                       "key_too_long"),
                                    ("é" * 126, "a", "accepted"), ("é" * 126, 5, "accepted"),
                                    ("é" * 126, 55, "key_too_long"), ("x" * 300, None, "no_key")):
            self.assertEqual(reason(line(ts=1, u=user, o=org, n=-77 if user[0] == "é" else 12),
                                    entity=entity), expected, (user, org))

    def test_timestamps(self):
        cases = {
            "ms": [("0", 0), ("-0", 0), ("1.999", 1), ("-0.5", None), ('"17"', 17), ('" 17"', None),
                   ("253402300799999.9", 253402300799999), ("253402300800000", None),
                   ("1e999", None), ("1e-999", 0), ("17e2", 1700), ("1.7e3", 1700), ("true", None),
                   ("9" * 400, None)], "s": [("1700000000.1239", 1700000000123),
                                             ('"1700000000"', 1700000000000), ("0.0009", 0),
                                             ("253402300799.9999", 253402300799999),
                                             ("253402300800", None)],
            "us": [("1999", 1), ("1999999", 1999), ("1.7e15", 1700000000000)], "ns": [
                ("1700000000123999999", 1700000000123),
                ("999999", 0)], "rfc3339": [('"2021-07-21T06:00:00Z"', 1626847200000),
                                            ('"2021-07-21t08:00:00.123456+02:00"', 1626847200123),
                                            ('"1970-01-01T00:00:00Z"', 0),
                                            ('"1969-12-31T23:59:59.999Z"', None),
                                            ('"1969-12-31T23:00:00-01:00"', 0),
                                            ('"2016-12-31T23:59:60Z"', 1483228800000),
                                            ('"2016-12-31T23:59:60.5Z"', 1483228800500),
                                            ('"9999-12-31T23:59:59.999Z"', 253402300799999),
                                            ('"9999-12-31T23:59:60Z"', None),
                                            ('"2023-02-29T00:00:00Z"', None), ("1626847200", None),
                                            ('"2021-07-21 06:00:00Z"', None),
                                            ('"2021-07-21T06:00:00"', None),
                                            ('"2021-07-21T06:00:00.Z"', None),
                                            ('"2021-07-21T06:00:00+24:00"', None),
                                            ('"2021-07-21T24:00:00Z"', None)]}
        for unit, pairs in cases.items():
            source = {"topic": "t", "timestamp": {"field": "ts", "unit": unit}}
            for text, expected in pairs:
                result = oracle.Eval([pipeline(source=source)],
                                     [b'{"ts":%s,"u":"a"}' % text.encode()])
                accepted = result.accepted[0][0]
                self.assertEqual(accepted and accepted.ts, expected, (unit, text))
        self.assertEqual(reason(b'{"u":"a"}', source={"topic": "t"}), "bad_timestamp")

    def test_the_order_of_reasons(self):
        self.check([(b'{"ts":-1}', "bad_timestamp"), (b'{"ts":1}', "no_key"),
                    (b'{}', "bad_timestamp")])

    def test_future_is_judged_by_the_record_time_unless_that_lies(self):
        view = oracle.View(pipeline())
        for ts, record, wall, expected in ((100_000, 40_000, 0, False), (100_001, 40_000, 0, True),
                                           (100_001, None, 40_000, True), (100_000, None, 40_000,
                                                                           False),
                                           (130_001, 100_001, 40_000, True), (130_001, 100_000,
                                                                              40_000, False)):
            self.assertEqual(oracle.is_future(view, ts, record, wall), expected, (ts, record, wall))
        by_record = oracle.View(pipeline(source={"topic": "t"}))
        self.assertTrue(oracle.is_future(by_record, 100_001, 100_001, 40_000))


class Where(unittest.TestCase):
    def holds(self, terms, text):
        value = ev.read(text)
        return where.compile_terms(terms)(lambda path: ev.used(value, path))

    def test_terms(self):
        for terms, text, expected in (({"a": 1}, b'{"a":1.0}',
                                       True), ({"a": 1}, b'{"a":"1"}',
                                               False), ({"a": "1"}, b'{"a":1}',
                                                        False), ({"a": True}, b'{"a":true}', True),
                                      ({"a": True}, b'{"a":1}',
                                       False), ({"a": 1}, b'{"a":true}',
                                                False), ({"a": 100}, b'{"a":1e2}',
                                                         True), ({"a": 0}, b'{"a":-0.0}', True),
                                      ({"a": 2**53}, b'{"a":9007199254740993}',
                                       False), ({"a": 1, "b": 2}, b'{"a":1}', False),
                                      ({"a": {"gt": 0, "lte": 10}}, b'{"a":"10"}',
                                       True), ({"a": {"gt": 0, "lte": 10}}, b'{"a":10.5}',
                                               False), ({"a": {"gt": 0}}, b'{"a":0}', False),
                                      ({"a": {"gt": 0}}, b'{"a":1e999}',
                                       False), ({"a": {"lt": 0}}, b'{"a":null}',
                                                False), ({"a": {"exists": True}}, b'{"a":{}}',
                                                         True), ({"a": {"exists": True}},
                                                                 b'{"a":null}', False),
                                      ({"a": {"exists": False}}, b'{}',
                                       True), ({"a": {"in": ["x", 2]}}, b'{"a":2}',
                                               True), ({"a": {"in": ["x", 2]}}, b'{"a":"2"}',
                                                       False), ({"not": {"a": 1}}, b'{}', True),
                                      ({"not": {"a": 1, "b": 2}}, b'{"a":1}',
                                       True), ({"any": [{"a": 1}, {"b": 2}]}, b'{"b":2}',
                                               True), ({"any": [{"a": 1, "c": 1}, {"b": 2}]},
                                                       b'{"a":1}', False), ({}, b'{}', True),
                                      ({"a.0.b": 1}, b'{"a":[{"b":1}]}',
                                       True), ({"a.0.b": 1}, b'{"a":{"0":{"b":1}}}',
                                               True), ({"a.00": 1}, b'{"a":[1]}',
                                                       False), ({"a.1": 1}, b'{"a":[1]}', False)):
            self.assertEqual(self.holds(terms, text), expected, (terms, text))


class Output(unittest.TestCase):
    def test_a_line_is_that_of_the_page(self):
        entity = {
            "type": "user", "keys": [{"field": "u", "type": "string"},
                                     {"field": "n", "type": "int64"}], "tenant": {"field": "o"}}
        result = oracle.Eval([pipeline(entity=entity)], [line(ts=5, u="42", n="7", o="x", x=12.5)])
        text = (
            '{"view":"v","entity":{"u":"42","n":7,"tenant":"x"},"as_of":5,"features":{'
            '"f_1h_count":1,"f_1h_sum":12.5,"f_1h_min":12.5,"f_1h_max":12.5,"f_1h_avg":12.5}}')
        [one] = result.lines("end")
        self.assertEqual(one.text(), text)
        self.assertIsNone(one.difference(text))
        for old, new in (('"42"', "42"), ('"n":7', '"n":"7"'), ("12.5", "12.25"), ("_sum", "_som"),
                         (":1,", ":2,"), ('"as_of":5', '"as_of":6'), ("}}", "}"),
                         ('"n":7,"tenant":"x"', '"tenant":"x","n":7'),
                         (':12.5,"f_1h_min"', ':null,"f_1h_min"'),
                         (':12.5,"f_1h_min"', ':"12.5","f_1h_min"')):
            self.assertIn(old, text)
            self.assertIsNotNone(one.difference(text.replace(old, new, 1)), (old, new))

    def test_lines_of_a_file(self):
        self.assertEqual(oracle.split_lines(b"a\n\nb"), [b"a", b"", b"b"])
        self.assertEqual(oracle.split_lines(b"a\n"), [b"a"])
        self.assertEqual(oracle.split_lines(b"a\n\n"), [b"a", b""])


class SecondWay(unittest.TestCase):
    """The same again, by other means: json, Decimal, and hop numbers in place of floors."""

    def test_random_views_by_hop_numbers_and_decimals(self):
        for index in range(60):
            history = histories.random_history(SEED, index)
            result = oracle.Eval(history.pipelines, history.lines)
            for view, accepted, lines in zip(result.views, result.accepted, self.by_view(result)):
                for one in lines:
                    events = [event for event in accepted if event and event.entity == one.entity]
                    for name, feature, window, aggregate in view.fields():
                        expected = self.slow(events, feature, window, aggregate, one.at_ms)
                        self.compare(one.features[name], expected, (SEED, index, name))

    def by_view(self, result):
        lines = list(result.lines("end"))
        return [[one for one in lines if one.view is view] for view in result.views]

    def slow(self, events, feature, window, aggregate, at_ms):
        """An event is held if its hop is not before the one that A - w lies in."""
        first_hop = (at_ms - window.length_ms) // window.hop_ms
        values = sorted(
            event.values[feature] for event in events
            if event.values[feature] is not None and event.ts // window.hop_ms >= first_hop)
        if aggregate == "count":
            return len(values)
        if aggregate == "sum" and not values:
            return 0
        if not values:
            return None
        with decimal.localcontext(decimal.Context(prec=2000, Emax=10 ** 6, Emin=-10 ** 6)):
            total = sum(map(decimal.Decimal, values), decimal.Decimal(0))
            exact = {
                "min": decimal.Decimal(values[0]), "max": decimal.Decimal(values[-1]), "sum": total,
                "avg": total / len(values)}[aggregate]
            number = float(exact)
        return number if abs(number) != float("inf") else None

    def compare(self, value, expected, where):
        text = value.text()
        if expected is None or text == "null":
            self.assertEqual(None if text == "null" else text, expected, where)
        else:
            self.assertEqual(float(text), float(expected), where)

    def test_random_lines_by_pythons_json(self):
        rng = random.Random(SEED)
        checked = 0
        for index in range(40):
            history = histories.random_history(SEED, index)
            maker = random_events.EventMaker(rng, history.pipelines)
            for text in [
                    *history.lines, *(rng.choice(random_events.BREAKS)(maker.line() or b"{}", rng)
                                      for _ in range(50))]:
                self.assertEqual(self.reads(text, ev.read), self.reads(text, self.json_read),
                                 (SEED, text[:300]))
                checked += 1
        self.assertGreater(checked, 2000)

    def reads(self, text, read):
        try:
            return self.plain(read(text))
        except (ev.BadJson, ValueError, RecursionError):
            return "no JSON"

    def json_read(self, text):
        def refuse(word):
            raise ValueError(word)
        if text.startswith(b"\xef\xbb\xbf") or self.depth(text) > 64:
            raise ValueError
        return json.loads(text.decode("utf-8", "surrogateescape"),
                          parse_int=ev.Number,
                          parse_float=ev.Number,
                          parse_constant=refuse,
                          object_pairs_hook=lambda pairs: ev.Object(pairs))

    def depth(self, text):
        """Brackets outside of strings."""
        depth = deepest = 0
        in_string = is_escaped = False
        for byte in text:
            if in_string:
                in_string = is_escaped or byte != ord('"')
                is_escaped = byte == ord("\\") and not is_escaped
            elif byte == ord('"'):
                in_string = True
            elif byte in b"[{":
                depth += 1
                deepest = max(deepest, depth)
            elif byte in b"]}":
                depth -= 1
        return deepest

    def plain(self, value):
        if isinstance(value, ev.Object):
            return {"{}": [(self.plain(name), self.plain(item)) for name, item in value]}
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if isinstance(value, ev.String):
            return "unusable" if value.text() is None else value.text()
        if isinstance(value, str) and not isinstance(value, ev.Number):
            try:
                return "unusable" if "\0" in value else value.encode().decode()
            except UnicodeEncodeError:
                return "unusable"
        return value


if __name__ == "__main__":
    print(f"test_oracle: seed {SEED} (SEED=...)", file=sys.stderr)
    unittest.main()
