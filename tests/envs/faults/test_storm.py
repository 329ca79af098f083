"""Storms from configs, and a fault that another package brings."""

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from murk.envs import plugins
from murk.envs.errors import UnknownName, UsageError
from murk.envs.faults.storm import Storm
from murk.envs.records import Call, Failure, Open, Request, Run, Search, World
from murk.envs.tasks import Task

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = {name: ROOT / "configs" / "faults" / f"{name}.yaml" for name in (
    "none", "flaky", "blackout", "ratelimited", "drift", "paywall", "stale"
)}  # fmt: skip
URL = "https://vale.example/lighthouse"


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """All faults as plugins, whether they are declared in the installed package or not yet."""
    monkeypatch.setattr(plugins, "_registered", {})
    known = plugins.names("faults")
    for path in CONFIGS.values():
        for name in read(path)["faults"]:
            if name not in known:
                module = import_module(f"murk.envs.faults.{name}")
                plugins.register("faults", name, getattr(module, name.title().replace("_", "")))


def read(path: Path) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return settings


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_are_storms_whose_weights_keep_the_meaning_of_the_intensity(name: str) -> None:
    settings = read(CONFIGS[name])
    assert list(settings)[:2] == ["name", "intensity"]
    assert settings["name"] == name
    storm = Storm.of(settings)
    assert list(storm.rules) == list(settings["faults"])
    for request in (Search, Open, Run):
        kept = 1.0
        for rule in storm.rules.values():
            kept *= 1 - rule.intensity if request in rule.fault.requests else 1
        assert kept == pytest.approx(1 - storm.intensity) or kept == 1


@pytest.mark.parametrize("name", CONFIGS)
def test_without_intensity_a_storm_is_none(name: str, town: World) -> None:
    world = Storm.of(read(CONFIGS[name]) | {"intensity": 0}).around(town, None, 1, Task("task", "?"), 0)
    requests: list[Request] = [Open(URL), Search("harbour"), Run("ls")]
    for n, request in enumerate(requests):
        assert world.answer(request, Call(step=n)) == town.answer(request, Call())
    assert world.ledger.events == []


def test_faults_have_their_usual_schedule_and_their_share() -> None:
    faults = {
        "paywall": {"weight": 0.5},
        "stale_capture": {"schedule": "sticky", "hosts": ["*.gov"], "intensity": 0.9},
        "timeout": None,
        "slowly": {"plugin": "timeout", "seconds": 5},
    }
    rules = Storm.of({"intensity": 0.36, "faults": faults}).rules
    assert rules["paywall"].schedule == "sticky"
    assert rules["paywall"].intensity == pytest.approx(0.2)
    stale = rules["stale_capture"]
    assert (stale.schedule, stale.hosts, stale.intensity) == ("sticky", ("*.gov",), 0.9)
    assert rules["timeout"].intensity == 0.36
    assert rules["slowly"].fault == type(rules["timeout"].fault)(5)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"timeout": {"secnds": 3}}, "setting of fault timeout: 'secnds'. Did you mean 'seconds'"),
        ({"timeout": {"seconds": "long"}}, "fault timeout: seconds is 'long'"),
        ({"timeout": {"intensity": 2}}, "fault timeout: intensity is 2"),
        ({"timeout": {"schedule": "windw"}}, "fault timeout: unknown schedule 'windw'. Did you mean 'window'"),
        ({"timeout": {"tools": "find"}}, "fault timeout: tools is 'find'"),
        ({"timeout": {"weight": 0}}, "fault timeout: weight is 0"),
        ({"timeout": 3}, "fault timeout: its settings are 3"),
        ({"timout": {}}, "'timout'. Did you mean 'timeout'"),
        ({"renamed_fields": {"schedule": "sticky"}}, "setting of fault renamed_fields: 'schedule'"),
        (["timeout"], "faults of the storm"),
    ],
)
def test_wrong_settings_are_refused_by_fault_and_setting(faults: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Storm.of({"faults": faults})
    assert message in str(caught.value)


def test_wrong_storms_are_refused() -> None:
    wrong: list[dict[str, Any]] = [{"intensity": 1.5}, {"intensity": True}, {"scope": "run"}, {"fault": {}}]
    for settings in wrong:
        with pytest.raises((UsageError, UnknownName), match=f"{next(iter(settings))}"):
            Storm.of(settings)


def test_samples_share_the_faults_of_their_task_or_do_not(town: World) -> None:
    def fates(scope: str, task: str, sample: int) -> list[bool]:
        storm = Storm.of({"intensity": 0.5, "scope": scope, "faults": {"server_error": {}}})
        world = storm.around(town, None, 1, Task(task, "?"), sample)
        return [isinstance(world.answer(Open(URL), Call(attempt=n)), Failure) for n in range(30)]

    assert fates("task", "a", 0) == fates("task", "a", 1) != fates("task", "b", 0)
    assert fates("episode", "a", 0) != fates("episode", "a", 1)
    assert fates("episode", "a", 1) == fates("episode", "a", 1)


PROBE = """
import json
from murk.envs import plugins
from murk.envs.errors import UsageError
from murk.envs.faults.storm import Storm
from murk.envs.records import Call, Open, Page
from murk.envs.tasks import Task

class Town:
    def answer(self, request, call):
        return Page(request.url, "A town", "It has a harbour.")

world = Storm.of({"faults": {"captcha": {"rounds": 2}}}).around(Town(), None, 1, Task("task", "?"), 0)
page = world.answer(Open("https://vale.example/a"), Call())
try:
    Storm.of({"faults": {"captcha": {"rounds": 0}}})
except UsageError as error:
    refused = str(error)
events = [[event.fault, event.unit] for event in world.ledger.events]
print(json.dumps([plugins.names("faults").count("captcha"), page.text, events, refused]))
"""


def test_another_package_brings_a_fault(tmp_path: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(ROOT / "tests" / "plugin", source, ignore=shutil.ignore_patterns("__pycache__"))
    install = ["pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", site, source]
    subprocess.run([sys.executable, "-m", *map(str, install)], check=True, capture_output=True)
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, check=True, capture_output=True, text=True)
    found, text, events, refused = json.loads(done.stdout)
    assert found == 1
    assert text.startswith("Before you go on:")
    assert events == [["captcha", "host vale.example"]]
    assert refused == "fault captcha: rounds is 0; allowed are numbers from 1 to 10."
