"""The digest of a trajectory: equal for equal episodes, on any machine, in any order and number of workers.

It covers what happened: snapshot, task, environment, actions, observations, exchanges, fault events, spending and
status. Scores, log-probabilities, retries, versions and timings stay outside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from murk.envs.codec import canonical_json, encode
from murk.envs.records import Trajectory
from murk.rollout.episode import text_digest

_CACHES = ("retrievals",)  # they change no byte of an episode
_OUTSIDE = ("type", "error", "id", "policy", "seed", "sampled")


def record(trajectory: Trajectory, environment: Mapping[str, Any]) -> dict[str, Any]:
    """What the digest covers, as JSON values.

    Args:
        environment: Settings of the environment and of the faults.
    """
    covered = encode(replace(trajectory, sampled=()))
    fields = {name: value for name, value in covered.items() if name not in _OUTSIDE}
    return fields | {"environment": {name: value for name, value in environment.items() if name not in _CACHES}}


def digest(trajectory: Trajectory, environment: Mapping[str, Any]) -> str:
    """The sha256 of the canonical JSON of `record`, in hex."""
    return text_digest(canonical_json(record(trajectory, environment)))


def digest_of_run(digests: Iterable[str]) -> str:
    """The sha256 over the sorted digests of a run's trajectories, in hex."""
    return sha256("\n".join(sorted(digests)).encode()).hexdigest()
