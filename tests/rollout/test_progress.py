"""What a person and a monitoring system see of a run while it goes on, and what its summary says of its machinery."""

import errno
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from murk.envs.errors import UsageError
from murk.rollout import gauges
from murk.rollout.build import Episode
from murk.rollout.journal import Journal
from murk.rollout.machinery import machinery
from murk.rollout.outcome import Load, Outcome
from murk.rollout.progress import Progress
from murk.rollout.table import render
from murk.rollout.tally import Tally, caches

SPENT = {"calls": 7.0, "tokens_in": 900.0, "tokens_out": 100.0, "retrievals_asked": 4.0, "retrievals_hit": 3.0}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def outcome(
    policy: str = "react",
    status: str = "answered",
    reward: float | None = 0.5,
    spending: Mapping[str, float] = SPENT,
    intensity: float = 0.2,
    attempts: int = 1,
) -> Outcome:
    episode = Episode("id", policy, "task", 0, intensity)
    return Outcome(episode, status, reward, spending=spending, attempts=attempts)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = "faults: {name: blackout}\nworld: {}\npolicy: {}\nenv: {}\nrollout: {}\nsamples: 1\n"
    (tmp_path / "config.yaml").write_text(config)
    return tmp_path


def test_tally_counts_by_group_and_sums_every_name() -> None:
    tally = Tally(10, 2, "flaky")
    tally.add(outcome(reward=0.25))
    tally.add(outcome(reward=0.75))
    tally.add(
        outcome(status="errored", reward=None, spending={"odd": 2.0, "tokens": 5.0, "tokens_in": 3.0}, attempts=3)
    )
    tally.add(outcome(policy="naive", reward=-1.0))
    react, naive = tally.groups["react", "flaky", 0.2], tally.groups["naive", "flaky", 0.2]
    assert (react.statuses, react.mean, naive.mean) == ({"answered": 2, "errored": 1}, 0.5, -1.0)
    assert (tally.done, tally.episodes, tally.errors, tally.calls, tally.tokens) == (6, 4, 1, 21.0, 3_005.0)
    assert tally.sums == {name: 3 * amount for name, amount in SPENT.items()} | {
        "odd": 2.0,
        "tokens": 5.0,
        "tokens_in": 2_703.0,
    }
    assert caches(tally.sums) == {"retrievals": {"asked": 12.0, "hit": 9.0, "rate": 0.75}}
    assert tally.retried == 2
    tally.hear(Load(1, 2, 3, retried=7))
    assert tally.retried == 7


def test_rates_are_of_the_whole_run_and_of_late(clock: Clock) -> None:
    tally = Tally(1_000, clock=clock)
    assert (tally.recent(), tally.left()) == ((0, 0, 0), None)
    for _ in range(100):
        clock.now += 1
        tally.add(outcome())
    for _ in range(200):
        clock.now += 0.5
        tally.add(outcome())
    assert tally.rates() == pytest.approx((1.5, 1_500, 10.5))
    assert tally.recent() == pytest.approx((2, 2_000, 14))
    assert tally.left() == pytest.approx(700 / 2)
    clock.now += 300  # nothing ends: the pace of late falls, and the estimate rests on the whole run
    assert tally.recent().episodes < 0.3
    assert tally.left() == pytest.approx(700 / tally.rates().episodes)


def test_metrics_for_prometheus_are_read_by_its_own_parser(folder: Path, clock: Clock) -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    odd = 'a "b"\\\nc'
    with Progress(9, 3, folder=folder, clock=clock) as progress:
        progress.finished(outcome(odd, reward=0.25))
        progress.finished(outcome(odd, "errored", None))
        clock.now += 2
        progress.load(Load(5, 2, 1, retried=4))
        families = {
            one.name: one for one in parser.text_string_to_metric_families((folder / "metrics.prom").read_text())
        }
    found: dict[tuple[str, ...], float] = {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels) if name != "run")): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert found == {
        ("murk_episodes_planned",): 9,
        ("murk_episodes_done",): 5,
        ("murk_episodes_total", "0.2", odd, "answered", "blackout"): 1,
        ("murk_episodes_total", "0.2", odd, "errored", "blackout"): 1,
        ("murk_tokens_total",): 2_000,
        ("murk_tool_calls_total",): 14,
        ("murk_queue_length",): 5,
        ("murk_running",): 2,
        ("murk_workers",): 1,
        ("murk_retries_total",): 4,
        ("murk_reward_mean", "0.2", odd, "blackout"): 0.25,
        ("murk_cache_requests_total", "retrievals"): 8,
        ("murk_cache_hits_total", "retrievals"): 6,
    } | {("murk_usage_total", name): 2 * amount for name, amount in SPENT.items()}
    assert all(sample.labels["run"] == str(folder) for one in families.values() for sample in one.samples)
    assert {one.type for one in families.values()} == {"counter", "gauge"}
    assert all(one.documentation for one in families.values())
    ended = (folder / "metrics.prom").read_text()
    assert f'murk_running{{run="{folder}"}} 0.0' in ended
    assert not list(folder.glob("*.partial"))


def test_files_are_written_no_more_often_than_they_say(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float] = []

    def write(path: Path, text: str) -> None:
        written.append(clock.now)

    monkeypatch.setattr(gauges, "write_text", write)
    with Progress(10_000, folder=folder, clock=clock) as progress:
        for _ in range(2_500):  # 25 seconds
            clock.now += 0.01
            progress.finished(outcome())
    assert len(written) == 1 + 12 + 1
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["seconds"] for line in lines] == pytest.approx([10, 20, 25], abs=0.05)
    assert [line["episodes"] for line in lines] == pytest.approx([1_000, 2_000, 2_500], abs=3)
    assert lines[-1]["calls"] == 7 * 2_500
    assert lines[-1]["caches"]["retrievals"]["rate"] == 0.75


def session(folder: Path, clock: Clock, episodes: int, seconds: float, retried: int = 0) -> None:
    with Progress(100, folder=folder, clock=clock) as progress:
        for _ in range(episodes):
            clock.now += seconds / episodes
            progress.finished(outcome(spending=SPENT | {"policy_money": 0.1}))
        progress.load(Load(0, 0, 1, retried))


def test_machinery_sums_up_sessions_of_a_damaged_file(folder: Path, clock: Clock) -> None:
    assert machinery(folder) is None
    session(folder, clock, 30, 60.0, retried=2)
    path = folder / "metrics.jsonl"
    with path.open("ab") as file:  # what crashes and failing disks leave
        file.write(b'\xff\x00{"session": 1\n[1]\n{"session": 9, "seco')
    session(folder, clock, 10, 20.0, retried=1)
    session(folder, clock, 0, 5.0)  # a resumed run that had nothing to do
    *lines, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines) + last.replace(b'"episodes":10', b'"episodes":90'))
    assert machinery(folder) == {
        "sessions": 2,
        "seconds": 80.0,
        "episodes_per_second": 0.5,
        "retried": 2,  # the line that told of the third is damaged
        "usage": {name: 40 * amount for name, amount in sorted((SPENT | {"policy_money": 0.1}).items())},
        "caches": {"retrievals": {"asked": 160.0, "hit": 120.0, "rate": 0.75}},
    }
    path.unlink()
    path.mkdir()
    assert machinery(folder) is None


def test_nothing_is_printed_where_there_is_no_terminal(
    folder: Path, capfd: pytest.CaptureFixture[str], clock: Clock
) -> None:
    session(folder, clock, 30, 60.0)
    assert capfd.readouterr() == ("", "")
    with Progress(1) as progress:
        progress.finished(outcome())
    assert capfd.readouterr() == ("", "")


def test_files_that_cannot_be_written_are_given_up_with_one_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], clock: Clock
) -> None:
    session(tmp_path / "gone", clock, 30, 60.0)
    _, told = capfd.readouterr()
    assert told.count("\n") == 1
    assert told.startswith("murk: the run goes on without its metrics files: [Errno 2]")
    assert not (tmp_path / "gone").exists()


def test_a_full_disk_in_mid_run_costs_the_files_alone(
    folder: Path, capfd: pytest.CaptureFixture[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Progress(100, folder=folder, clock=clock) as progress:
        for count in range(60):
            clock.now += 1
            progress.finished(outcome())
            if count == 25:
                monkeypatch.setattr(Journal, "append", full)
    assert progress.tally.episodes == 60
    _, told = capfd.readouterr()
    assert told.count("\n") == 1
    assert "No space left" in told
    assert (machinery(folder) or {})["seconds"] == 20
    assert f'murk_episodes_done{{run="{folder}"}} 60.0' not in (folder / "metrics.prom").read_text()


def test_table_shows_the_run_and_its_groups() -> None:
    rich = pytest.importorskip("rich.console")
    tally = Tally(2_000, 500, "spam")
    for number in range(30):
        tally.add(outcome(f"[bold]policy{number:02}", reward=None if number == 1 else 0.125))
    tally.hear(Load(1_400, 64, 4, retried=3))
    shown = io.StringIO()
    console = rich.Console(file=shown, width=80)
    console.print(render(tally))
    text = shown.getvalue()
    for word in ("530/2,000", "26%", "left", "episodes/s", "tokens/s", "calls/s", "1,400", "64", "retrievals 75%"):
        assert word in text
    row = next(line for line in text.splitlines() if "policy19" in line)
    assert row.split() == ["[bold]policy19", "spam", "0.2", "1", "0", "0.125"]
    assert "none" in next(line for line in text.splitlines() if "policy01" in line)
    assert "policy20" not in text
    assert "... and 10 more" in text
    assert len(text.splitlines()) == 4 + 1 + 1 + 20 + 1
    shown.truncate(0)
    console.print(render(tally, over=True))
    assert "policy" not in shown.getvalue()


ON_A_TERMINAL = """
import sys, time
sys.path.insert(0, {tests!r})
from test_progress import Load, Progress, outcome
with Progress(100_000) as progress:
    progress.load(Load(9, 8, 7, 0))
    began = time.monotonic()
    while time.monotonic() - began < {seconds}:
        progress.finished(outcome())
        time.sleep(0.001)
"""


def on_terminal(seconds: float, interrupt: bool = False) -> tuple[str, int]:
    """What a terminal is sent, and the exit status."""
    master, slave = pty.openpty()
    code = ON_A_TERMINAL.format(tests=str(Path(__file__).parent), seconds=seconds)
    env = os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    child = subprocess.Popen([sys.executable, "-c", code], stderr=slave, stdout=subprocess.DEVNULL, env=env)
    os.close(slave)
    sent = b""
    try:
        while chunk := os.read(master, 65_536):
            sent += chunk
            if interrupt and sent.count(b"episodes/s") >= 3:
                child.send_signal(signal.SIGINT)
                interrupt = False
    except OSError:  # the terminal's other side is closed
        pass
    os.close(master)
    return sent.decode(), child.wait(30)


def test_a_terminal_is_drawn_on_four_times_a_second_and_left_clean() -> None:
    sent, status = on_terminal(seconds=1.5)
    assert status == 0
    assert 3 <= sent.count("tokens/s") <= 1 + 6 + 3
    assert "mean reward" in sent
    assert sent.rfind("\x1b[?25h") > sent.rfind("\x1b[?25l") >= 0
    assert sent.index("\x1b[?25h") < sent.index("tokens/s")  # the cursor is there even if the run is killed
    assert sent.rstrip("\x1b[?25h").endswith("\n")


def test_an_interrupt_leaves_the_table_and_a_clean_terminal() -> None:
    sent, status = on_terminal(seconds=30, interrupt=True)
    assert status != 0
    assert "KeyboardInterrupt" in sent
    _, _, after = sent.rpartition("mean reward")
    assert "\x1b[?25h" in after
    assert after.index("react") < after.index("Traceback")
    assert "\x1b[2K" not in after.partition("Traceback")[2]


def test_tensorboard(folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    with Progress(100, 40, folder=folder, tensorboard=True, clock=clock) as progress:
        for _ in range(15):
            clock.now += 1
            progress.finished(outcome())
    (path,) = (folder / "tensorboard").iterdir()
    events = [event_pb2.Event.FromString(record) for record in records(path)]
    points = [{value.tag: value.simple_value for value in event.summary.value} for event in events[1:]]
    assert [event.step for event in events[1:]] == [50, 55]
    assert points[-1]["reward/react/blackout/0.2"] == 0.5
    assert points[-1]["rate/calls_per_second"] == 7
    assert points[-1]["cache/retrievals"] == 0.75
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    with pytest.raises(UsageError, match=r"pip install 'murk-gym\[tensorboard\]'"):
        Progress(1, folder=folder, tensorboard=True)
    with pytest.raises(UsageError, match="no folder"):
        Progress(1, tensorboard=True)


def records(path: Path) -> list[bytes]:
    """The records of a TFRecord file: length, its checksum, bytes, their checksum."""
    data, found = path.read_bytes(), []
    while data:
        size = int.from_bytes(data[:8], "little")
        found.append(data[12 : 12 + size])
        data = data[16 + size :]
    return found


def test_an_outcome_costs_microseconds(folder: Path) -> None:
    one: dict[str, Any] = {f"name{number}": 1.0 for number in range(15)}
    with Progress(20_000, folder=folder) as progress:
        began = time.perf_counter()
        for _ in range(20_000):
            progress.finished(outcome(spending=one))
        each = (time.perf_counter() - began) / 20_000
    assert each < 60e-6  # the aim is 20 on an idle core
