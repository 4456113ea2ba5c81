"""How valid files are changed at random: as bytes, as JSON, as archives, and chunk by chunk."""

import copy
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

Files = Mapping[str, bytes]
Mutator = Callable[[random.Random, bytes], bytes]

MAX_BYTES = 2**20  # of a changed file
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
FORMS = ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 99, 100, 9_999, 10_000, 10**6, 2**31, 2**63, 10**400, -(10**400), 0.5, -0.0,
    1e-300, 1e308, float("inf"), float("-inf"), float("nan"), "", "a", "\x1b[31m", "\ud800", "\n", "\0", "../../x",
    "a" * 10_000,
    "lstm", "crnn", "fused", "unrolled", "image", "text", [], {}, [[]], [1] * 1000, {"a": 1}, [0, 0, 0],
)  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\n"


def changed_bytes(rng: random.Random, content: bytes) -> bytes:
    """One to eight changes of bytes."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(_CHANGES)(rng, found)
    return bytes(found[:MAX_BYTES])


def _flip(rng: random.Random, content: bytearray) -> None:
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, content: bytearray) -> None:
    if content:
        content[rng.randrange(len(content))] = rng.randrange(256)


def _number(rng: random.Random, content: bytearray) -> None:
    form = rng.choice(FORMS)
    size = struct.calcsize(form)
    if len(content) >= size:
        place = rng.randrange(len(content) - size + 1)
        content[place : place + size] = struct.pack(form, rng.choice(NUMBERS) % 256**size)


def _early(rng: random.Random, content: bytearray) -> None:
    """Headers are at the beginning, and changed more often."""
    if content:
        content[rng.randrange(min(64, len(content)))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _cut(rng: random.Random, content: bytearray) -> None:
    del content[rng.randrange(len(content) + 1) :]


def _remove(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content) + 1)
    del content[start : start + rng.choice((1, 2, 4, 16, 100))]


def _repeat(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content) + 1)
    piece = content[start : start + rng.choice((1, 4, 16, 100, 1000))]
    content[start:start] = piece * rng.choice((1, 2, 20))


def _insert(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content) + 1)
    content[start:start] = rng.randbytes(rng.choice((1, 2, 4, 16)))


_CHANGES = (_flip, _flip, _set, _number, _number, _early, _early, _cut, _remove, _repeat, _insert)


def changed_json(rng: random.Random, content: bytes) -> bytes:
    """One to four values of a JSON text replaced, removed, renamed or repeated."""
    try:
        tree = json.loads(content)
    except ValueError:
        return changed_bytes(rng, content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = _places(tree)
        if not places:
            break
        _change_place(rng, *rng.choice(places))
    try:
        text = json.dumps(tree)
    except ValueError:  # a number of more digits than Python writes
        return changed_bytes(rng, content)
    if rng.random() < 0.1:
        text = text.replace("1", "1" * 400, 1)
    return text.encode()[:MAX_BYTES]


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key) of each value in a tree."""
    found, left = list[tuple[Any, Any]](), [tree]
    while left and len(found) < 5000:
        part = left.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        found += [(part, key) for key in keys]
        left += [part[key] for key in keys]
    return found


def _change_place(rng: random.Random, part: Any, key: Any) -> None:
    how = rng.randrange(8)
    if how == 0:
        del part[key]
    elif how == 1 and isinstance(part, dict):
        part[rng.choice(("", "a", "\x1b[31m", "\ud800", "format", "x" * 300))] = part.pop(key)
    elif how == 2 and isinstance(part, list):
        part += [copy.deepcopy(part[key]) for _ in range(rng.choice((1, 10, 1000)))]
    elif how == 3 and isinstance(part[key], (int, float)) and not isinstance(part[key], bool):
        part[key] = part[key] * rng.choice((-1, 2, 10, 1000)) + rng.choice((-1, 0, 1))
    else:
        part[key] = copy.deepcopy(rng.choice(VALUES))


def changed_zip(rng: random.Random, content: bytes) -> bytes:
    """A member of an archive changed, which it is then packed with again."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:
        return changed_bytes(rng, content)
    name = rng.choice(sorted(members))
    as_json = name.endswith(".json") and rng.random() < 0.7
    members[name] = (changed_json if as_json else changed_bytes)(rng, members[name])
    if rng.random() < 0.1:
        members[rng.choice(("x", "../x", "a.npy", "\x1b.npy"))] = members.pop(name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, each in members.items():
            archive.writestr(name, each)
    return packed.getvalue()


def changed_png(rng: random.Random, content: bytes) -> bytes:
    """The bytes of a chunk changed and its checksum made right; other images as bytes."""
    if not content.startswith(PNG):
        return changed_bytes(rng, content)
    chunks, place = [], len(PNG)
    while place + 12 <= len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + size]))
        place += 12 + size
    number = rng.randrange(len(chunks))
    kind, body = chunks[number]
    if kind == b"IDAT" and rng.random() < 0.5:  # what is compressed, and not how
        body = zlib.compress(changed_bytes(rng, zlib.decompress(body)))
    else:
        body = changed_bytes(rng, body)
    chunks[number] = (kind, body)
    packed = (len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
              for kind, body in chunks)  # fmt: skip
    return PNG + b"".join(packed)
