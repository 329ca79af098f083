"""At least 10,000 mutated archives: each ends in captures or counted reasons, none in a traceback or a hang."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import FrameType

import pytest

from murk.envs.errors import UsageError
from murk.envs.web.build import Options, build
from murk.envs.web.extract import extract
from murk.envs.web.importers import Limits, Raw, Skip, importer_for
from murk.envs.web.manifest import verify

ROUNDS = 15_000
LARGEST = 100_000
SECONDS = 10
MARKS = [
    b"Content-Length: ",
    b"WARC/1.0",
    b"\r\n\r\n",
    b"HTTP/1.1 ",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b'"text"',
    b"\x1f\x8b",
]


class Dice:
    """Numbers from a seed, the same on every machine."""

    def __init__(self, seed: str) -> None:
        self.seed, self.count = seed, 0

    def roll(self, below: int) -> int:
        self.count += 1
        digest = blake2b(f"{self.seed} {self.count}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % max(1, below)


def mutate(data: bytes, dice: Dice) -> bytes:
    out = bytearray(data)
    for _ in range(1 + dice.roll(4)):
        at, kind = dice.roll(len(out)), dice.roll(8)
        if kind == 0 and out:
            out[at] = dice.roll(256)
        elif kind == 1:
            del out[at : at + 1 + dice.roll(200)]
        elif kind == 2:
            out[at:at] = bytes(dice.roll(256) for _ in range(dice.roll(50)))
        elif kind == 3:
            del out[at:]
        elif kind == 4:
            piece = out[at : at + dice.roll(2000)]
            out[at:at] = piece
        elif kind == 5:
            out[at:at] = MARKS[dice.roll(len(MARKS))]
        elif kind == 6:
            place = out.find(MARKS[dice.roll(len(MARKS))], at)
            if place >= 0:
                out[place + 5 : place + 20] = str(dice.roll(10**12)).encode()
        else:
            digits = [i for i in range(at, min(len(out), at + 300)) if 48 <= out[i] <= 57]
            for i in digits[:6]:
                out[i] = 48 + dice.roll(10)
    return bytes(out)


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def originals(data: Path) -> list[Path]:
    files = sorted(path for path in (data / "webarchive").rglob("*") if path.is_file())
    return [path for path in files if importer_for(path) and path.suffix != ".jsonl" and path.stat().st_size < LARGEST]


def read(path: Path) -> Counter[str]:
    importer = importer_for(path)
    if importer is None:
        return Counter(["unknown-format"])
    found = (extract(item) if isinstance(item, Raw) else item for item in importer.read(path, Limits()))
    return Counter(item.reason if isinstance(item, Skip) else "read" for item in found)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_mutated_archives_are_read_or_refused(data: Path, tmp_path: Path) -> None:
    files = originals(data)
    assert {path.suffix for path in files} >= {".warc", ".gz", ".arc", ".wacz"}
    hars = sorted((data / "webarchive").rglob("*.har"))
    small_hars = [_small_har(path, tmp_path / path.name) for path in hars]
    total: Counter[str] = Counter()
    for number in range(ROUNDS):
        dice = Dice(f"fuzz {number}")
        source = (files + small_hars * 4)[dice.roll(len(files) + 4 * len(small_hars))]
        target = tmp_path / f"mutated{''.join(source.suffixes)}"
        target.write_bytes(mutate(source.read_bytes(), dice))
        with at_most(SECONDS):
            found = read(target)
        assert found.total() > 0, f"round {number} of {source.name}: neither read nor refused"
        total += found
    print(dict(total.most_common()))
    assert total["read"] > ROUNDS / 10
    assert len(total) > 15, "the mutations reach too few of the refusals"


def _small_har(source: Path, target: Path) -> Path:
    """A HAR with its first entries only, so that mutations meet structure more often than bodies."""
    import json

    log = json.loads(source.read_text())
    entries = [e for e in log["log"]["entries"] if len(str(e)) < 20_000]
    log["log"]["entries"] = entries[:6]
    target.write_text(json.dumps(log))
    return target


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_mutated_archives_build_or_are_refused_whole(data: Path, tmp_path: Path) -> None:
    files = originals(data)
    built = 0
    for number in range(200):
        dice = Dice(f"build {number}")
        source = files[dice.roll(len(files))]
        target = tmp_path / f"mutated{''.join(source.suffixes)}"
        target.write_bytes(mutate(source.read_bytes(), dice))
        out = tmp_path / f"out{number}"
        try:
            build([target], out, Options(workers=1))
        except UsageError:
            assert not out.exists()
            continue
        assert verify(out) == []
        built += 1
    assert built > 25
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".partial")]
