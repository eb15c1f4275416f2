"""Pipeline files without a YAML library: writes dicts in several styles, reads the plain subset.

The subset: block mappings and sequences, flow [..] and {..} on one line, plain and quoted scalars,
comments, documents of one mapping. No anchors, tags, block scalars or folded lines. Numbers are
read as event.Number, so that they stay as written.
"""

import json
import re

from event import NUMBER_TEXT, Number

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
WORDS = {"true": True, "false": False, "null": None, "~": None}
NOT_PLAIN = {*WORDS, "yes", "no", "on", "off", "y", "n"}  # words that some YAML takes for a bool


# ---- writing


def scalar(value, rng=None):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str) or isinstance(value, Number):
        return str(value)
    value = value.replace("$", "$$")
    styles = [json.dumps(value, ensure_ascii=False)]
    if PLAIN.fullmatch(value) and value.lower() not in NOT_PLAIN:
        styles.append(value)
    if value.isprintable() and value:
        styles.append("'" + value.replace("'", "''") + "'")
    return rng.choice(styles) if rng else styles[0]


def flow(value, rng=None):
    if isinstance(value, dict):
        pairs = (f"{scalar(key, rng)}: {flow(item, rng)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item, rng) for item in value) + "]"
    return scalar(value, rng)


def block(value, rng, indent=0):
    """Lines of a non-empty dict or list."""
    pad = " " * indent
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        head = pad + (scalar(key, rng) + ":" if isinstance(value, dict) else "-")
        if isinstance(item, (dict, list)) and item and rng.random() < 0.6:
            inner = list(block(item, rng, indent + 2))
            if isinstance(value, list):
                yield head + " " + inner.pop(0).lstrip(" ")
            else:
                yield head
            yield from inner
        else:
            yield head + " " + flow(item, rng)


def dump(value, rng=None):
    """The text of a file; without rng as JSON, which is YAML too."""
    if rng is None:
        return flow(value) + "\n"
    style = rng.random()
    if style < 0.2:
        return flow(value, rng) + "\n"
    text = "\n".join(block(value, rng)) + "\n"
    return "# A random pipeline.\n---\n" + text if style < 0.4 else text


# ---- reading


def load(text):
    lines = []
    for line in text.split("\n"):
        line = without_comment(line).rstrip()
        if line.strip() and line != "---":
            lines.append((len(line) - len(line.lstrip(" ")), line.strip()))
    if lines[0][1].startswith("{"):
        return read_flow_all(" ".join(text for _, text in lines))
    value, rest = read_block(lines, lines[0][0])
    if rest:
        raise ValueError(f"not in the subset: {rest[0][1]!r}")
    return value


def without_comment(line):
    quote = None
    for at, char in enumerate(line):
        if quote:
            quote = None if char == quote and line[at - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char == "#" and (at == 0 or line[at - 1] in " \t"):
            return line[:at]
    return line


def read_block(lines, indent):
    """lines: (indent, text). Reads the mapping or sequence that begins here."""
    is_list = lines[0][1].startswith("- ")
    result = [] if is_list else {}
    while lines and lines[0][0] == indent and lines[0][1].startswith("- ") == is_list:
        text = lines[0][1]
        if is_list:
            inner = text[2:].lstrip(" ")
            if is_entry(inner):
                inner_indent = indent + len(text) - len(inner)
                item, lines = read_block([(inner_indent, inner), *lines[1:]], inner_indent)
            else:
                item, lines = read_flow_all(inner), lines[1:]
            result.append(item)
            continue
        key, at = read_flow(text, 0, ":")
        after = text[at + 1:].strip()
        lines = lines[1:]
        if after:
            result[str(key)] = read_flow_all(after)
        elif lines and (lines[0][0] > indent or
                        (lines[0][0] == indent and lines[0][1].startswith("- "))):
            result[str(key)], lines = read_block(lines, lines[0][0])
        else:
            result[str(key)] = None
    return result, lines


def is_entry(text):
    """Is it `key:` or `key: value` of a block mapping, or `- item`?"""
    if text[0] in "[{":
        return False
    return text.startswith("- ") or re.match(r"""("[^"]*"|'[^']*'|[^"'][^:]*):( |$)""",
                                             text) is not None


def read_flow_all(text):
    value, at = read_flow(text, 0, "")
    if text[at:].strip():
        raise ValueError(f"not in the subset: {text!r}")
    return value


def read_flow(text, at, ends):
    """A flow value at text[at:]; plain scalars end before a character of ends."""
    while text[at:at + 1] == " ":
        at += 1
    first = text[at:at + 1]
    if first == "{" or first == "[":
        return read_collection(text, at)
    if first == '"':
        value, at = json.JSONDecoder().raw_decode(text, at)
        return value.replace("$$", "$"), skip(text, at)
    if first == "'":
        match = re.compile(r"'((?:[^']|'')*)'").match(text, at)
        return match[1].replace("''", "'").replace("$$", "$"), skip(text, match.end())
    end = at
    while end < len(text) and not (text[end] in ends and
                                   (text[end] != ":" or text[end + 1:end + 2] in ("", " "))):
        end += 1
    plain = text[at:end].strip()
    if plain in WORDS:
        return WORDS[plain], end
    is_number = NUMBER_TEXT.fullmatch(plain)
    return Number(plain) if is_number else plain.replace("$$", "$"), end


def read_collection(text, at):
    is_dict = text[at] == "{"
    close = "}" if is_dict else "]"
    result = {} if is_dict else []
    at = skip(text, at + 1)
    while text[at] != close:
        if is_dict:
            key, at = read_flow(text, at, ":,}")
            result[str(key)], at = read_flow(text, at + 1, ",}")
        else:
            item, at = read_flow(text, at, ",]")
            result.append(item)
        at = skip(text, at)
        if text[at] == ",":
            at = skip(text, at + 1)
    return result, skip(text, at + 1)


def skip(text, at):
    while text[at:at + 1] == " ":
        at += 1
    return at
