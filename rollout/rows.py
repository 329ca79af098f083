"""A trajectory as a row of a Parquet table, and back.

`messages` are chat messages as SFT trainers read them: the system prompt, the question, then the turns of `assistant`
and `tool`. What is not chat stands beside them.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from murk.envs.codec import canonical_json, encode
from murk.envs.records import Trajectory, decode

if TYPE_CHECKING:
    import pyarrow

_PLAIN = ("id", "task", "policy", "storm", "intensity", "sample", "seed", "status", "answer", "error", "snapshot")
_JSON = ("citations", "spending", "budget", "pages", "commands", "events")


def schema() -> "pyarrow.Schema":
    """Columns of the table of trajectories."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    texts = {name: pa.string() for name in _PLAIN}
    columns = texts | {"intensity": pa.float64(), "sample": pa.int64(), "seed": pa.int64()}
    columns |= {"messages": pa.list_(message), "steps": pa.list_(pa.string())}
    tokens = [("prompt_ids", pa.list_(pa.int32())), ("token_ids", pa.list_(pa.int32()))]
    tokens += [("logprobs", pa.list_(pa.float64())), ("prefix", pa.string()), ("version", pa.int64())]
    columns["sampled"] = pa.list_(pa.struct([*tokens, ("usage", pa.string())]))
    return pa.schema([*columns.items(), *((name, pa.string()) for name in _JSON), ("digest", pa.string())])


def to_row(trajectory: Trajectory, digest: str, system: str) -> dict[str, Any]:
    """The row of a trajectory.

    Args:
        digest: Of the trajectory.
        system: The system prompt, first of the messages.
    """
    data = encode(trajectory)
    messages = [{"role": "system", "content": system}, {"role": "user", "content": trajectory.question}]
    steps = []
    for step in data["steps"]:
        messages.append({"role": "assistant", "content": step.pop("action")})
        messages.append({"role": "tool", "content": step.pop("observation")})
        steps.append(canonical_json(step))
    if trajectory.answer is not None:
        messages.pop()  # the world says nothing to an answer
    row = {name: data[name] for name in _PLAIN} | {name: canonical_json(data[name]) for name in _JSON}
    sampled = [turn | {"usage": canonical_json(turn["usage"])} for turn in data["sampled"]]
    return row | {"messages": messages, "steps": steps, "sampled": sampled, "digest": digest}


def from_row(row: Mapping[str, Any]) -> Trajectory:
    """The trajectory of a row.

    Raises:
        ValueError: the row is damaged.
    """
    try:
        messages = row["messages"]
        turns = messages[2:] + ([{"role": "tool", "content": ""}] if len(messages) % 2 else [])
        steps = [
            json.loads(rest) | {"action": turns[2 * i]["content"], "observation": turns[2 * i + 1]["content"]}
            for i, rest in enumerate(row["steps"])
        ]
        data = {name: row[name] for name in _PLAIN} | {name: json.loads(row[name]) for name in _JSON}
        sampled = [turn | {"usage": json.loads(turn["usage"])} for turn in row["sampled"] or ()]
        data |= {"type": "Trajectory", "question": messages[1]["content"], "steps": steps, "sampled": sampled}
        trajectory: Trajectory = decode(data)
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"a row is no trajectory: {error!r}") from None
    return trajectory
