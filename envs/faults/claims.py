"""Claims that can be lied about: those of the task, of published collections, or made up from its gold evidence."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from murk.envs.errors import UsageError
from murk.envs.faults import Draw
from murk.envs.faults.content import Scene
from murk.envs.faults.restate import MONTHS
from murk.envs.seeds import derive
from murk.envs.web.text import words

_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?!\w)")
_DATE = re.compile(rf"\b\d{{1,2}} (?:{'|'.join(MONTHS)})(?: \d{{4}})?\b")
_NAME = re.compile(r"\b[A-Z][\w'-]+(?: [A-Z][\w'-]+)+")
_VERB = re.compile(r"\b(is|was|are|were|has|had|did|can)\b(?! not)")


@dataclass(frozen=True, slots=True)
class Claim:
    """Something true, and something false that can be told in its place.

    Attributes:
        id: Its unit's name within the task.
        subject: What it is about.
        relation: What it says of it, in words; empty where unknown.
        true: The true value or sentence.
        false: The false one.
        url: A page that states it; empty where unknown.
        quote: How that page states it; empty where unknown.
        at: Date of that page's capture.
        texts: Passages that argue for the false one, where a collection has some.
        sentence: Whether `false` is a whole sentence.
    """

    id: str
    subject: str
    relation: str
    true: str
    false: str
    url: str = ""
    quote: str = ""
    at: str | None = None
    texts: tuple[str, ...] = ()
    sentence: bool = False


def claims_of(scene: Scene, source: str, path: str) -> list[Claim]:
    """The claims of a task by a source of `SOURCES`. None where the source has nothing for it.

    Raises:
        UsageError: the file cannot be read.
    """
    found = [claim for claim in SOURCES[source](scene, path) if claim.true.strip() and claim.false.strip()]
    return [claim for claim in found if _plain(claim.true) != _plain(claim.false)]


def _of_task(scene: Scene, path: str) -> Iterator[Claim]:
    gold = scene.task.more.get("gold") or ()
    for number, given in enumerate(scene.task.more.get("claims") or ()):
        relation, true = str(given.get("relation", "")), str(given.get("true", ""))
        url = str(given.get("url") or "")
        stating = [g for g in gold if g.get("url") == url and g.get("quote")]
        proof = next((g for g in stating if _core(true) in str(g["quote"])), stating[0] if stating else {})
        yield Claim(
            str(given.get("id", number)), str(given.get("subject", "")), relation, true, str(given.get("false", "")),
            url, str(proof.get("quote", "")), proof.get("at"), sentence=given.get("type") == "claim",
        )  # fmt: skip


def _automatic(scene: Scene, path: str) -> Iterator[Claim]:
    """Facts of the gold quotes, each perturbed to another of its type: a date, a number, a name, or a negation."""
    if scene.task.more.get("claims"):
        yield from _of_task(scene, path)
        return
    for number, gold in enumerate(scene.task.more.get("gold") or ()):
        url, quote = str(gold.get("url") or ""), str(gold.get("quote") or "")
        page = scene.page(url, gold.get("at")) if url else None
        if page is None:
            continue
        quote = quote or next((line for line in page.text.splitlines() if _NUMBER.search(line)), "")
        changed = perturbed(quote, Draw(derive(scene.seed, "perturb", number), 0.0), page.text)
        if changed is not None:
            subject = re.split(r" [-–—|:] ", page.title)[0].strip()
            label = _NUMBER.split(quote)[0]
            yield Claim(f"gold {number}", subject, label, *changed, url, quote, gold.get("at"))


def perturbed(quote: str, draw: Draw, page: str = "") -> tuple[str, str] | None:
    """A fact of a sentence and another of the same type in its place: a date, a number, a name that the page has
    elsewhere, or a negation; None where it has none.

    >>> perturbed("The tower is 41 metres high.", Draw(1, 0.0))
    ('41', '27')
    """
    if match := _DATE.search(quote):
        day, month, *year = match[0].split()
        other = MONTHS[(MONTHS.index(month) + 1 + int(draw.uniform("month") * 10)) % 12]
        years = [str(int(year[0]) - 1 - int(draw.uniform("year") * 20))] if year else []
        return match[0], " ".join([str(1 + (int(day) + 3 + int(draw.uniform("day") * 20)) % 28), other, *years])
    if match := _NUMBER.search(quote):
        return match[0], _other_number(match[0], draw)
    if match := _NAME.search(quote):
        names = [name for name in dict.fromkeys(_NAME.findall(page)) if not set(name.split()) & set(match[0].split())]
        if names:
            return match[0], draw.pick(names, "name")
    if match := _VERB.search(quote):
        return quote[match.start() :], f"{match[0]} not{quote[match.end() :]}"
    return None


def _other_number(text: str, draw: Draw) -> str:
    """A number of the same form, 20 to 60 percent off; of a year, 2 to 20 years."""
    whole, dot, part = text.replace(",", "").partition(".")
    if len(whole) == 4 and "," not in text and not dot and whole[0] in "12":
        shift = 2 + int(draw.uniform("years") * 19)
        return str(int(whole) - shift)
    factor = (1.2 + 0.4 * draw.uniform("size")) if draw.uniform("up") < 0.5 else (0.4 + 0.4 * draw.uniform("size"))
    scale = 10 ** len(part)
    value = round(int(whole + part) * factor)
    value += value == int(whole + part)
    head = f"{value // scale:,}" if "," in text else str(value // scale)
    return f"{head}.{value % scale:0{len(part)}d}" if dot else head


def _poisonedrag(scene: Scene, path: str) -> Iterator[Claim]:
    for row in _rows(path).values() if isinstance(_rows(path), dict) else ():
        if _plain(str(row.get("question", ""))) == _plain(scene.task.question):
            texts = tuple(str(text) for text in row.get("adv_texts") or ())
            true, false = str(row.get("correct answer", "")), str(row.get("incorrect answer", ""))
            yield Claim(str(row.get("id", "")), str(row["question"]), "", true, false, texts=texts)


def _creak(scene: Scene, path: str) -> Iterator[Claim]:
    meta = scene.task.more.get("meta") or {}
    subjects = {_plain(str(name)) for name in [meta.get("entity", ""), *(meta.get("entities") or ())] if name}
    subjects |= {_plain(str(claim.get("subject", ""))) for claim in scene.task.more.get("claims") or ()}
    for row in _rows(path):
        if str(row.get("label")) == "false" and _plain(str(row.get("entity", ""))) in subjects:
            true = str(row.get("explanation") or f"It is not so that {row.get('claim')}")
            name, entity, false = str(row.get("ex_id", "")), str(row["entity"]), str(row.get("claim", ""))
            yield Claim(name, entity, "", true, false, str(row.get("url") or ""), sentence=True)


SOURCES: dict[str, Callable[[Scene, str], Iterator[Claim]]] = {
    "task": _of_task,
    "auto": _automatic,
    "poisonedrag": _poisonedrag,
    "creak": _creak,
}


@lru_cache(maxsize=4)
def _rows(path: str) -> Any:
    try:
        text = Path(path).read_text(encoding="utf-8")
        return json.loads(text) if path.endswith(".json") else [json.loads(line) for line in text.splitlines() if line]
    except OSError as error:
        raise UsageError(f"cannot read claims from {path!r}: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {str(error)[:100]}.") from None


def _core(value: str) -> str:
    match = _NUMBER.search(value)
    return match[0] if match else value


def _plain(text: str) -> str:
    return " ".join(words(text))
