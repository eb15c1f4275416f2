"""What one event says, by the letter of RFC 8259: the oracle's own reading of bytes.

    read(b'{"a":{"b":[1.50]}}') -> Object     find(it, "a.b.0") -> Number "1.50"

Numbers stay text and are compared and floored as decimals; strings stay raw bytes until somebody
uses them, because only a field that is used may reject an event for what is in its string.
"""

import datetime
import re
import sys

sys.set_int_max_str_digits(0)

TIMESTAMP_END_MS = 253402300800000

SPACE = re.compile(rb"[ \t\n\r]*+")
STRING = re.compile(
    rb'"([^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+)"')
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
NUMBER_TEXT = re.compile(r"(-?)(0|[1-9][0-9]*+)(?:\.([0-9]++))?(?:[eE]([+-]?[0-9]++))?")
INTEGER_TEXT = re.compile(r"-?(?:0|[1-9][0-9]*+)")
ELEMENT = re.compile(r"0|[1-9][0-9]*")
ESCAPE = re.compile(rb"(\\u[0-9a-fA-F]{4}|\\[^u])")
ESCAPES = {b'\\"': '"', b"\\\\": "\\", b"\\/": "/", b"\\b": "\b", b"\\f": "\f", b"\\n": "\n",
           b"\\r": "\r", b"\\t": "\t"}
RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")
UNIT_EXPONENTS = {"s": 3, "ms": 0, "us": -3, "ns": -6}


class BadJson(Exception):
    """The bytes are no JSON text, or one that is nested too deeply."""


class BadString(Exception):
    """A string that is used holds a lone surrogate, NUL or invalid UTF-8."""


class Number(str):
    """A JSON number, as written."""


class Array(list):
    pass


class String:
    def __init__(self, raw):
        self.raw = raw

    def text(self):
        """The decoded text; None if it is none that may be used."""
        pieces = ESCAPE.split(self.raw)
        try:
            for i, piece in enumerate(pieces):
                if i % 2 == 0:
                    pieces[i] = piece.decode("utf-8")
                elif piece[1:2] == b"u":
                    pieces[i] = chr(int(piece[2:], 16))
                else:
                    pieces[i] = ESCAPES[piece]
            # Two escapes in a row may be one character; a surrogate that is alone is none.
            text = "".join(pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            return None
        return None if "\0" in text else text


class Object(list):
    """Pairs of (String, value), in order."""

    members = None

    def member(self, name):
        """The first value of that name; None if there is none."""
        if self.members is None:
            self.members = {}
            for key, value in self:
                self.members.setdefault(key.text(), value)
        return self.members.get(name)


LITERALS = ((b"true", True), (b"false", False), (b"null", None))


def read(text, nesting_max=64):
    """The value that text is; raises BadJson."""
    value, at = _value(text, SPACE.match(text).end(), nesting_max)
    if SPACE.match(text, at).end() != len(text):
        raise BadJson
    return value


def _value(text, at, depth):
    first = text[at:at + 1]
    if first == b"{" or first == b"[":
        if depth == 0:
            raise BadJson
        return (_object if first == b"{" else _array)(text, SPACE.match(text, at + 1).end(),
                                                      depth - 1)
    if first == b'"':
        match = STRING.match(text, at)
        if not match:
            raise BadJson
        return String(match[1]), match.end()
    match = NUMBER.match(text, at)
    if match:
        return Number(match[0].decode()), match.end()
    for word, value in LITERALS:
        if text.startswith(word, at):
            return value, at + len(word)
    raise BadJson


def _object(text, at, depth):
    result = Object()
    if text[at:at + 1] == b"}":
        return result, at + 1
    while True:
        match = STRING.match(text, at)
        if not match:
            raise BadJson
        at = SPACE.match(text, match.end()).end()
        if text[at:at + 1] != b":":
            raise BadJson
        value, at = _value(text, SPACE.match(text, at + 1).end(), depth)
        result.append((String(match[1]), value))
        at = SPACE.match(text, at).end()
        if text[at:at + 1] == b"}":
            return result, at + 1
        if text[at:at + 1] != b",":
            raise BadJson
        at = SPACE.match(text, at + 1).end()


def _array(text, at, depth):
    result = Array()
    if text[at:at + 1] == b"]":
        return result, at + 1
    while True:
        value, at = _value(text, at, depth)
        result.append(value)
        at = SPACE.match(text, at).end()
        if text[at:at + 1] == b"]":
            return result, at + 1
        if text[at:at + 1] != b",":
            raise BadJson
        at = SPACE.match(text, at + 1).end()


def find(value, path):
    """What lies at a dotted path; None for null and for nothing (promise N: they are the same)."""
    for segment in path.split("."):
        if isinstance(value, Object):
            value = value.member(segment)
        elif isinstance(value, Array) and ELEMENT.fullmatch(segment) and int(segment) < len(value):
            value = value[int(segment)]
        else:
            return None
    return value


def used(value, path):
    """What lies at a path that is used, strings as str; raises BadString."""
    value = find(value, path)
    if isinstance(value, String):
        value = value.text()
        if value is None:
            raise BadString
    return value


def number_text(value):
    """The JSON number that a value is: itself, or a string that is exactly one. Else None."""
    if isinstance(value, str) and NUMBER_TEXT.fullmatch(value):
        return str(value)
    return None


def to_float(text):
    """The double that a number's text means; None if it is not finite. Minus zero is zero."""
    number = float(text)
    return number + 0.0 if abs(number) != float("inf") else None


def to_decimal(text):
    """(is negative, digits without zeros at their ends, exponent of ten): one for each number."""
    sign, integer, fraction, exponent = NUMBER_TEXT.fullmatch(text).groups()
    fraction = fraction or ""
    digits = (integer + fraction).lstrip("0")
    exponent = int(exponent or 0) - len(fraction) + len(digits) - len(digits.rstrip("0"))
    digits = digits.rstrip("0")
    return (sign == "-", digits, exponent) if digits else (False, "", 0)


def timestamp(value, unit):
    """Unix ms, floored; None if the value is no time or out of range."""
    if unit == "rfc3339":
        return rfc3339(value) if isinstance(value, str) and not isinstance(value, Number) else None
    text = number_text(value)
    if text is None:
        return None
    negative, digits, exponent = to_decimal(text)
    exponent += UNIT_EXPONENTS[unit]
    if not digits:
        return 0
    if negative or len(digits) + exponent > 15:
        return None
    if exponent >= 0:
        ms = int(digits) * 10 ** exponent
    else:
        ms = int(digits[:max(0, len(digits) + exponent)] or "0")
    return ms if ms < TIMESTAMP_END_MS else None


def rfc3339(text):
    match = RFC3339.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    offset_hour, offset_minute = int(match[9] or 0), int(match[10] or 0)
    if hour > 23 or minute > 59 or second > 60 or offset_hour > 23 or offset_minute > 59:
        return None
    try:
        days = (datetime.date(year, month, day) - datetime.date(1970, 1, 1)).days
    except ValueError:
        return None
    offset = (offset_hour * 60 + offset_minute) * (-1 if match[8] == "-" else 1)
    seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second
    ms = seconds * 1000 + int(((match[7] or "") + "000")[:3])
    return ms if 0 <= ms < TIMESTAMP_END_MS else None
