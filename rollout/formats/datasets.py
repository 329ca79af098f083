"""A local folder that `datasets.load_dataset` reads: Parquet files with all columns of the run's table, and a card."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from murk.rollout.compaction import row_size
from murk.rollout.formats import Source
from murk.rollout.rows import schema
from murk.rollout.tables import write_tables

_CARD = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
size_categories:
- {size}
tags:
- agent
- deep-research
- murk
---

# {title}

{about}

| policy | storm | intensity | status | episodes |
|---|---|---|---|---|
{counts}

`messages` is a chat of system, user, assistant and tool. `steps`, `citations`, `spending`, `budget`, `pages`,
`commands`, `events` and the `usage` in `sampled` are JSON text. `reward` is null where an episode has no score; `kind`
is the task's.

| column | type |
|---|---|
{columns}
"""
_SIZES = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
_COUNTED = ("policy", "storm", "intensity", "status")


def write(rows: Iterable[Mapping[str, Any]], out: Path, source: Source) -> None:
    """Writes a folder of Parquet files and `README.md`."""
    import pyarrow as pa

    out.mkdir()
    columns = schema().append(pa.field("reward", pa.float64())).append(pa.field("kind", pa.string()))
    counts: Counter[tuple[Any, ...]] = Counter()
    write_tables(out / "data", columns, _told(rows, source, counts), row_size)
    (out / "README.md").write_text(_card(source, counts, columns), "utf-8")


def _told(
    rows: Iterable[Mapping[str, Any]], source: Source, counts: "Counter[tuple[Any, ...]]"
) -> Iterator[dict[str, Any]]:
    """The rows with the kind of their task; they are counted as they pass."""
    for row in rows:
        counts[tuple(row[name] for name in _COUNTED)] += 1
        task = source.tasks.get(row["task"])
        yield dict(row) | {"kind": task.kind if task else ""}


def _card(source: Source, counts: Mapping[tuple[Any, ...], int], columns: Any) -> str:
    total = sum(counts.values())
    lines = [[*key[:2], f"{key[2]:g}", key[3], str(counts[key])] for key in sorted(counts)]
    return _CARD.format(
        title=f"{total:,} research trajectories",
        about=source.about,
        size=next((name for bound, name in _SIZES if total < bound), "n>1M"),
        counts="\n".join(f"| {' | '.join(line)} |" for line in lines),
        columns="\n".join(f"| `{column.name}` | {column.type} |" for column in columns),
    )
