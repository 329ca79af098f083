"""StrategyQA (Geva et al., 2021): yes/no questions whose steps are implicit, with facts and decomposition."""

from typing import Any

from murk.envs.task_formats.parts import addresses, chance, half, rest, text, yes_or_no
from murk.envs.task_formats.rows import Broken, Row

_USED = ("qid", "question", "answer", "gold_urls")


def task(row: Row) -> dict[str, Any]:
    """A question as it is, with a verdict and its gold pages."""
    answer, urls = row.get("answer"), addresses(row.get("gold_urls"))
    if not isinstance(answer, bool):
        raise Broken("answer is neither true nor false")
    made = yes_or_no(answer, urls) | half(urls)
    made |= {"id": row.get("qid"), "question": text(row, "question"), "kind": "yes_no", "language": "en"}
    return made | {"meta": rest(row, _USED) | {"chance": chance(made["rubric"])}}
