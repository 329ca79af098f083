"""Reading a page: its text as lines that each stand under a heading, and which of them say what is asked for."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from murk.envs.web.text import mark
from murk.rollout.policies.language import KIN, WEAK, stems

MAX_TEXT = 400_000
_LINK = re.compile(r"!?\[([^\[\]]*)\]\(<?(\S*?)>?\)")
_LABEL = re.compile(r"(?:\*\*([^*\n]{1,90}?)(?::\*\*|\*\*:)|([^\W\d_][^:.;|\n]{0,60}?):)\s+(\S.*)", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)\s+(?=[\"'“¿¡(]?[^\Wa-z_])|(?<=[。！？])")
_RULE = re.compile(r"\|?[\s:|-]+\|?$")
_ASIDE = re.compile(r"^(?:note|see also|etymology|source|history)\b", re.IGNORECASE)
_BLANK = re.compile(r"\n[ \t]*\n\s*?(?=\S|[ \t]+\S|\Z)|\n(?=#)")
_NO_TITLE = re.compile(r"[.:;|*!?,。\n]|\d{3}")
_FOLD = re.compile(r"\s#{1,6} \S+(?: [^\W\dA-Z]\S*){0,5}|\s(?=\*\*[^*]{1,80}:\*\*)")
_PROSE = re.compile(r"[^\W\d_]\.$|.{300}")
_COLUMNS = re.compile(r"(?:[-•]\s+)?([^\W\d_][^\n]{0,50}?)(?:\s?\^\w+)?\s{3,}(\S.*)")
_HEADED = re.compile(r"^#{1,6} ", re.MULTILINE)
_WHOLE = frozenset(("total", "overall", "average"))
_BULLET = re.compile(r"^(?:[-*+•]|\d+[.)])\s+")


@dataclass(frozen=True, slots=True)
class Line:
    """A statement of a page.

    Attributes:
        text: What it says, as plain text.
        label: What it is labelled with: the left side of `label: value`, or the first cell of a table's row.
        heading: The heading that it stands under; for a row of a table, with the names of its columns.
        raw: As the page has it, with its links.
    """

    text: str
    label: str = ""
    heading: str = ""
    raw: str = ""

    @property
    def links(self) -> list[tuple[str, str]]:
        """Linked pages as (text, URL)."""
        return [(text, url) for text, url in _LINK.findall(self.raw) if text and url.startswith("http")]

    @property
    def words(self) -> str:
        """The whole statement in words."""
        return f"{self.label}: {self.text}" if self.label else self.text


def plain(text: str) -> str:
    """Text without the marks of links and emphasis.

    >>> plain("**born:** in [Vale](https://vale.example/)")
    'born: in Vale'
    """
    return " ".join(_LINK.sub(r"\1", text).replace("**", "").split())


def lines(text: str, marks: Sequence[str] = ("",)) -> Iterator[Line]:
    """The statements of a page in their order; paragraphs are cut into sentences.

    Blocks that hold none of `marks`, and stand under a heading that holds none, are passed over.
    """
    heading, marked, titles = "", False, not _HEADED.search(text[:MAX_TEXT])
    for block in _BLANK.split(text[:MAX_TEXT]):
        rest = block
        if block.startswith("#") or (titles and len(block) < 60 and _is_title(block)):
            first, _, rest = block.partition("\n")
            heading = plain(first.lstrip("#"))
            marked = any(sign in heading.lower() for sign in marks)
        if not rest or not (marked or any(sign in rest.lower() for sign in marks)):
            continue
        rows = [row.rstrip() for row in rest.split("\n") if row.strip()]
        yield from _table(rows, heading) if rows[:1] and rows[0].startswith("|") else _block(rows, heading)


def unfolded(snippet: str) -> str:
    """A snippet, which stands on one line, with its headings and labels on lines of their own."""
    return _FOLD.sub(lambda fold: f"\n\n{fold[0].strip()}\n\n", snippet)


def _is_title(block: str) -> bool:
    """Whether a line that stands alone is a heading: a few words without a stop, not indented."""
    return block[:1].isalpha() and not _NO_TITLE.search(block) and len(block.split()) < 7


def _table(rows: list[str], heading: str) -> Iterator[Line]:
    header = ""
    for number, row in enumerate(rows):
        if _RULE.match(row):
            continue
        cells = [cell.strip() for cell in _cells(row)]
        if number == 0 and len(rows) > 1 and _RULE.match(rows[1]):
            header = " ".join(filter(None, map(plain, cells)))
            continue
        at = next((i for i, cell in enumerate(cells) if re.search(r"[^\W\d_]", plain(cell))), 0)
        rest = " | ".join(filter(None, map(plain, cells[at + 1 :])))
        if cells and rest:
            yield Line(rest, plain(cells[at]), f"{heading} {header}".strip(), row)


def _cells(row: str) -> list[str]:
    return re.split(r"(?<!\\)\|", row.strip().strip("|"))


def _block(rows: list[str], heading: str) -> Iterator[Line]:
    """Rows that stand together: labelled ones by themselves, bullets by themselves, the others as one paragraph."""
    paragraph: list[str] = []
    group = heading
    for full in rows:
        row = full.strip()
        if columns := _COLUMNS.match(row):
            yield Line(plain(columns[2]), plain(columns[1]), group, row)
            continue
        if len(full) - len(row) > 20 and len(row) < 40 and len(rows) > 3:
            group = row  # the title of a group in a box of facts
            continue
        bullet = _BULLET.match(row)
        labelled = _LABEL.match(row[bullet.end() :] if bullet else row)
        if bullet or (labelled and (labelled[1] or len(rows) == 1 or len(labelled[2].split()) < 6)):
            yield from _sentences(paragraph, heading)
            paragraph = []
        if labelled and (labelled[1] or len(labelled[2].split()) < 8):
            yield Line(plain(labelled[3]), plain(labelled[1] or labelled[2]), heading, row)
        else:
            paragraph.append(row[bullet.end() :] if bullet else row)
    yield from _sentences(paragraph, heading)


def _sentences(rows: list[str], heading: str) -> Iterator[Line]:
    for sentence in _SENTENCE.split(" ".join(rows)):
        if sentence.strip():
            yield Line(plain(sentence), "", heading, sentence)


@dataclass(frozen=True, slots=True)
class Match:
    """A line and how well it fits what is asked for: `score` from 0 to about 3, above 1 where its label says it."""

    score: float
    line: Line


def best(text: str, wanted: frozenset[str], about: frozenset[str] = frozenset(), count: int = 1) -> list[Match]:
    """The lines of a page that fit best, best first; of equal ones the first on the page.

    Args:
        wanted: Stems of what is asked for.
        about: Stems of whom it is asked about: they may stand in the line, and need not.
        count: How many at most.
    """
    if not wanted:
        return []
    marks = [mark(word) for word in sorted({*wanted, *(word for word, other in KIN.items() if other in wanted)})]
    found = []
    for place, line in enumerate(lines(text, marks)):
        score = fit(line, wanted, about)
        if score > 0:
            found.append((-score, place, line))
    found.sort(key=lambda entry: entry[:2])
    return [Match(-score, line) for score, _, line in found[:count]]


def fit(line: Line, wanted: frozenset[str], about: frozenset[str]) -> float:
    """How well a line fits, from 0: labels and headings that say just what is wanted count most."""
    label, heading, text = stems(line.label), stems(line.heading), stems(line.text[:2_000])
    said = max(0.85 * _likeness(label, wanted), _likeness(heading | label, wanted)) + 0.05 * bool(
        label & _WHOLE - wanted
    )
    if not line.label:
        said = max(said, _likeness(heading, wanted) * (0.5 if _PROSE.search(line.text) else 1.0))
    if _ASIDE.match(line.label) or _ASIDE.match(line.text):
        said *= 0.4
    cover = (_weight(wanted & (text | label)) + 0.8 * _weight(wanted & heading - text - label)) / _weight(wanted)
    named = len(about & (text | label)) / len(about) if about else 0.0
    return 2.0 * said * (said > 0.5) + cover * (0.6 + 0.4 * named) - 0.02 * (len(line.text) > 400)


def _likeness(label: Iterable[str], wanted: frozenset[str]) -> float:
    """Likeness of two sets of words from 0 to 1, where weak words and years hardly count."""
    label = frozenset(word for word in label if not word.isdigit())
    common = _weight(label & wanted)
    return 2 * common / max(_weight(label) + _weight(wanted), 1e-9) if common else 0.0


def _weight(some: Iterable[str]) -> float:
    return sum(0.15 if word in WEAK else 1.0 for word in sorted(some))
