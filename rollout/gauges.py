"""`metrics.prom`: the figures of a run as Prometheus text, for the textfile collector of the node exporter.

The file is always whole: it is written beside its place and renamed. Every series has the label `run`, the run's
folder, so that one collector can read the files of many runs.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from murk.rollout.run import write_text
from murk.rollout.tally import Tally, caches

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})

Sample = tuple[Mapping[str, str], float]


class Family(NamedTuple):
    """Series of one name: `kind` is `counter` or `gauge`, `told` says what it counts."""

    name: str
    kind: str
    told: str
    samples: Iterable[Sample]


class Gauges:
    """Writes `metrics.prom` into a run's folder."""

    every = 2.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, tally: Tally) -> None:
        """Writes the file anew; raises OSError where that fails."""
        write_text(self._folder / "metrics.prom", exposition(families(tally), str(self._folder)))

    def close(self) -> None:
        """Nothing is open between two writes."""


def families(tally: Tally) -> list[Family]:
    """The figures of a run by name; counters begin at 0 when a run is resumed."""
    found = caches(tally.sums)
    groups = [
        ({"policy": policy, "storm": storm, "intensity": f"{intensity:g}"}, tally.groups[policy, storm, intensity])
        for policy, storm, intensity in sorted(tally.groups)
    ]
    ended = [({"status": name} | of, count) for of, group in groups for name, count in sorted(group.statuses.items())]
    means = [(of, group.mean) for of, group in groups if group.mean is not None]
    asked = [({"cache": name}, cache["asked"] or 0.0) for name, cache in found.items()]
    hits = [({"cache": name}, cache["hit"] or 0.0) for name, cache in found.items()]
    spent = [({"name": name}, tally.sums[name]) for name in sorted(tally.sums)]
    load = tally.load
    return [
        Family("murk_episodes_planned", "gauge", "Episodes of the whole run.", [({}, tally.total)]),
        Family("murk_episodes_done", "gauge", "Episodes done, earlier sessions included.", [({}, tally.done)]),
        Family("murk_episodes_total", "counter", "Episodes ended in this session.", ended),
        Family("murk_tokens_total", "counter", "Tokens read and written.", [({}, tally.tokens)]),
        Family("murk_tool_calls_total", "counter", "Tool calls.", [({}, tally.calls)]),
        Family("murk_queue_length", "gauge", "Episodes that wait.", [({}, load.queued)]),
        Family("murk_running", "gauge", "Episodes in flight.", [({}, load.running)]),
        Family("murk_workers", "gauge", "Workers alive.", [({}, load.workers)]),
        Family("murk_retries_total", "counter", "Episodes begun again after a failure.", [({}, tally.retried)]),
        Family("murk_reward_mean", "gauge", "Mean reward of the episodes of this session.", means),
        Family("murk_cache_requests_total", "counter", "What a cache was asked for.", asked),
        Family("murk_cache_hits_total", "counter", "What a cache had.", hits),
        Family("murk_usage_total", "counter", "All that was spent, by its name in a trajectory.", spent),
    ]


def exposition(families: Iterable[Family], run: str) -> str:
    """Families in Prometheus' text format 0.0.4."""
    lines = []
    for name, kind, told, samples in families:
        lines += [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            inner = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in {"run": run, **labels}.items())
            lines.append(f"{name}{{{inner}}} {float(value)!r}")
    return "\n".join(lines) + "\n"
