"""Generated worlds: the same seed gives the same world anywhere, and its pages state its facts."""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from murk.envs.errors import UsageError
from murk.envs.web.snapshot import Snapshot
from murk.envs.worlds.cli import add_commands
from murk.envs.worlds.facts import Fact, read_facts
from murk.envs.worlds.generate import RELATIONS, Generated, generate
from murk.envs.worlds.invented.dossier import Plan
from murk.envs.worlds.invented.entities import EDITIONS
from murk.envs.worlds.invented.names import LANGUAGES, gathered, scattered
from murk.envs.worlds.invented.sites import AUTHORITY, casual
from murk.envs.worlds.invented.voice import Voice, phrase_book
from murk.envs.worlds.invented.writer import Page


@dataclass
class Made:
    folder: Path
    result: Generated

    @cached_property
    def snapshot(self) -> Snapshot:
        return Snapshot.open(self.folder)

    @cached_property
    def facts(self) -> list[Fact]:
        return read_facts(self.folder / "facts.jsonl.gz")[1]


@pytest.fixture(scope="module", params=[("en",), ("zh", "en", "es")], ids="-".join)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("world") / "out"
    return Made(folder, generate(folder, 300, 3, request.param, 1))


def test_every_fact_stands_on_its_gold_page_of_its_edition(made: Made) -> None:
    assert made.result.facts == len(made.facts) > 500
    for fact in made.facts:
        page = made.snapshot.page(fact.url, fact.edition)
        assert page.date == fact.edition
        assert fact.value in page.text, fact
        assert not casual(fact.url)
        names = {fact.subject, *fact.subject_aliases}
        assert any(name in page.title or name in page.text for name in names), fact


def test_every_source_states_the_value_in_some_spelling(made: Made) -> None:
    for fact in made.facts:
        for url in fact.sources:
            text = made.snapshot.page(url).text
            assert any(spelling in text for spelling in (fact.value, *fact.aliases)), (url, fact)


def test_an_edition_has_one_fact_of_a_relation_and_its_own_values(made: Made) -> None:
    keys = Counter((fact.subject, fact.relation, fact.edition) for fact in made.facts)
    assert set(keys.values()) == {1}
    changing = {relation.name for relation in RELATIONS if relation.changes}
    for fact in made.facts:
        assert (fact.relation in changing) == bool(fact.as_of)
        assert not fact.as_of or fact.as_of[:4] == fact.edition[:4]
    years = Counter(fact.edition[:4] for fact in made.facts if fact.relation == "population")
    assert set(years) == {str(year) for year in EDITIONS}


def test_values_that_are_entities_lead_to_articles_which_state_facts(made: Made) -> None:
    subjects = {fact.url: fact.subject for fact in made.facts if "/wiki/" in fact.url}
    entities = {relation.name for relation in RELATIONS if relation.kind == "entity"}
    for fact in made.facts:
        assert (fact.object_url is not None) == (fact.relation in entities)
        assert fact.object_url is None or subjects[fact.object_url] != fact.subject
    linked: dict[str, set[str]] = {}
    for fact in made.facts:
        if fact.object_url:
            linked.setdefault(fact.subject, set()).add(subjects[fact.object_url])
            linked.setdefault(subjects[fact.object_url], set()).add(fact.subject)
    degrees = [len(others) for others in linked.values()]
    assert sum(3 <= degree <= 10 for degree in degrees) > 0.75 * len(degrees)
    assert max(degrees) > 10


def test_links_stay_inside_and_no_page_is_lonely(made: Made) -> None:
    inside = total = 0
    for url in made.snapshot.urls():
        links = made.snapshot.links(url).links
        total += len(links)
        inside += sum(link.inside for link in links)
        assert links, url
    assert inside >= 0.9 * total


def test_the_world_is_of_the_size_asked_for_and_of_many_sites(made: Made) -> None:
    report = made.result.report
    assert abs(report.captures - 300) <= 3
    assert report.captures == report.pages
    assert not report.skipped
    hosts = {url.split("/")[2] for url in made.snapshot.urls()}
    assert all(host.endswith(".example") for host in hosts)
    assert {AUTHORITY.tier(host) for host in hosts} == {0, 1, 2, 3}
    library = made.snapshot.search("yearbook anuario 统计年鉴", 10, "library").hits
    assert library
    assert all("/yearbooks/" in hit.url for hit in library)


def test_seeds_decide_and_workers_and_hash_seeds_do_not(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from murk.envs.worlds.generate import generate\n"
        "made = generate(Path(sys.argv[1]), 100, int(sys.argv[2]), ['en', 'zh'], int(sys.argv[3]))\n"
        "print(made.report.content_digest)"
    )
    digests = []
    for i, (seed, workers) in enumerate(((1, 1), (1, 2), (2, 1))):
        command = [sys.executable, "-c", code, str(tmp_path / str(i)), str(seed), str(workers)]
        run = subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": str(i)}, capture_output=True, check=True)
        digests.append((run.stdout, (tmp_path / str(i) / "facts.jsonl.gz").read_bytes()))
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[2][0]


def test_no_two_entities_share_a_name_in_any_language() -> None:
    plan = Plan(20_000, 5, LANGUAGES)
    entities = list(plan.entities())
    for language in LANGUAGES:
        voice = Voice(plan.world, language)
        assert len({voice.name(entity) for entity in entities}) == len(entities) > 5_000


def test_a_scattered_number_can_be_gathered() -> None:
    for size in (1, 2, 12, 97):
        there = [scattered(i, size, 4, "role") for i in range(size)]
        assert sorted(there) == list(range(size))
        assert [gathered(i, size, 4, "role") for i in there] == list(range(size))


def test_what_forums_say_is_sometimes_outdated() -> None:
    plan = Plan(1_500, 1, ("en",))
    said = outdated = 0
    for page in _pages(plan):
        if ".forum.example/" in page.raw.url and isinstance(page.raw.body, str):
            said += 1
            outdated += any(doubt in page.raw.body for doubt in phrase_book("en")["forum"]["doubts"])
    assert 0.02 * said < outdated < 0.2 * said


def _pages(plan: Plan) -> Iterator[Page]:
    for entity in plan.entities():
        yield from plan.pages(entity)


def test_no_two_pages_say_the_same_and_most_have_a_fair_length() -> None:
    bodies = [page.raw.body for page in _pages(Plan(2_000, 2, ("en",))) if isinstance(page.raw.body, str)]
    assert len(set(bodies)) == len(bodies)
    lengths = sorted(len(body.split()) for body in bodies)
    assert lengths[len(lengths) // 4] > 120
    assert lengths[-1] > 1_000


def test_books_word_the_same_things_in_every_language() -> None:
    for language in LANGUAGES:
        book = phrase_book(language)
        assert set(book["says"]) == set(book["relations"]) == {relation.name for relation in RELATIONS}
        for relation in RELATIONS:
            assert len(book["says"][relation.name]) >= 3
            for phrase in book["says"][relation.name]:
                assert "{s}" in phrase
                assert "{v}" in phrase
                assert ("{y}" in phrase) == relation.changes, phrase


@pytest.mark.parametrize(
    ("pages", "languages", "part"),
    [(99, ("en",), "100 to"), (1_000_001, ("en",), "100 to"), (100, ("fr",), "'fr'"), (100, ("en", "en"), "each once")],
)
def test_wrong_use_is_told(tmp_path: Path, pages: int, languages: tuple[str, ...], part: str) -> None:
    with pytest.raises(UsageError, match=part):
        generate(tmp_path / "out", pages, 0, languages)
    assert not list(tmp_path.iterdir())


def test_the_command_prints_what_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_commands(parser)
    options = parser.parse_args(["build", str(tmp_path / "out"), "--pages", "100", "--seed", "9", "--json"])
    assert options.run(options) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["captures"] == 100
    assert printed["facts"] > 100
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]


@pytest.mark.slow
def test_a_large_world_is_written_in_bounded_memory() -> None:
    code = (
        "import resource, sys; from murk.envs.worlds.invented.dossier import Plan\n"
        "plan = Plan(int(sys.argv[1]), 1, ('en',))\n"
        "for entity in plan.entities():\n"
        "    for page in plan.pages(entity): pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for pages in (1_000, 15_000):
        command = [sys.executable, "-c", code, str(pages)]
        peaks.append(int(subprocess.run(command, capture_output=True, check=True).stdout))
    assert peaks[1] - peaks[0] < 30_000  # kB: the caches fill up, no more
