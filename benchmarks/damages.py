"""Damaged content of every kind of file that the commands read."""

import json
import random
from collections.abc import Iterator
from typing import Any

# what may stand where something else is expected in JSON
STRANGERS = [None, True, -1, 10**400, 1e308, float("nan"), "", "\ud800", [], {}, [[]], {"a": 1}]
STRANGE_TEXTS = [
    *("", "\n", "[", "{}", "[]", "5", '"x"', "null", "[" * 100_000, '{"a":' * 50_000),
    *("9" * 5000, "1 " * 5000, "8 nan nan inf 1", "\x00", "1 1 -9 99999999999999999999"),
]
STRANGE_NUMBERS = ["9" * 400, "-1", "nan", "1e999", "9223372036854775808", "0x1", ""]


def damaged(content: bytes, suffix: str, draw: random.Random) -> bytes:
    """The content of a file, in one of many ways not what it was."""
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    ways = [
        *(flipped(content, draw) for _ in range(2)),
        content[:start],
        content[:start] + bytes(end - start) + content[end:],
        content[:end] + content[start:],
        draw.choice(STRANGE_TEXTS).encode(),
    ]
    if suffix in (".txt", ".svg", ".json", ".jsonl", ".csv"):
        text = content.decode()
        ways += [text.encode(code) for code in ("utf-8-sig", "utf-16", "utf-32-be")]
        ways += [b"\xe4\xff" + content, other_number(text, draw), other_number(text, draw)]
    if suffix == ".json":
        ways += [other_value(content, draw) for _ in range(4)]
    return draw.choice(ways)


def flipped(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(draw.choice((1, 1, 16))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def other_number(text: str, draw: random.Random) -> bytes:
    """One of the words of a text gives way to a number that is none, or far too large."""
    words = text.split(" ")
    words[draw.randrange(len(words))] = draw.choice(STRANGE_NUMBERS)
    return " ".join(words).encode()


def other_value(content: bytes, draw: random.Random) -> bytes:
    """One of the values in JSON gives way to one of another type, or is gone."""
    whole = [json.loads(content)]
    inside, key = draw.choice(list(places_in(whole)))
    if isinstance(inside, dict) and draw.random() < 0.2:
        del inside[key]
    else:
        inside[key] = draw.choice(STRANGERS)
    return json.dumps(whole[0]).encode()


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """(list or dict, index or key) of everything in a value."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_in(value[key])
