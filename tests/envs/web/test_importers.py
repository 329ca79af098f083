"""Every file of real archives is read, or refused with a reason: the table below says which."""

from collections import Counter
from pathlib import Path

import pytest

from murk.envs.errors import UsageError
from murk.envs.web.build import Options, build
from murk.envs.web.export import export_wacz
from murk.envs.web.extract import extract
from murk.envs.web.importers import Limits, Raw, Skip, importer_for
from murk.envs.web.manifest import verify
from murk.envs.web.snapshot import Snapshot

# Name of the file, pages read from it, and what was left out with its reason.
TABLE: dict[str, tuple[int, dict[str, int]]] = {
    "har2warc/example.har": (1, {"no-body": 1, "status-3xx": 2, "unsupported-type": 9}),
    "har2warc/http2.github.io.har": (1, {"no-body": 3, "no-text": 1, "status-3xx": 1, "unsupported-type": 15}),
    "py-wacz/example-collection-with-lists.warc": (6, {"status-3xx": 1, "unsupported-type": 11}),
    "py-wacz/example-collection.warc": (1, {}),
    "py-wacz/example-iana.warc": (6, {"revisit": 34, "status-3xx": 2, "unsupported-type": 16}),
    "py-wacz/example-resource.warc.gz": (1, {"revisit": 1}),
    "py-wacz/example-warcinfo-metadata.warc": (1, {}),
    "py-wacz/extraPages.jsonl": (0, {"no-body": 3, "no-url": 1}),
    "py-wacz/invalid.jsonl": (0, {"bad-json": 1, "no-body": 1}),
    "py-wacz/invalid_example_1.wacz": (0, {"no-archive": 1}),
    # Only its signature is wrong, and murk does not judge signatures; every digest in it is right.
    "py-wacz/invalid_signed_example_1.wacz": (1, {"status-4xx": 1}),
    "py-wacz/pages.jsonl": (0, {"no-body": 1, "no-url": 1}),
    "py-wacz/valid_example_1.wacz": (1, {}),
    "py-wacz/valid_example_2.wacz": (1, {}),
    "py-wacz/valid_signed_example_1.wacz": (1, {"status-4xx": 1}),
    "warcio/bad.arc": (0, {"bad-length": 2, "not-http": 1}),
    "warcio/example-bad-non-chunked.warc.gz": (1, {"revisit": 1}),
    "warcio/example-bad.warc.gz.bad": (1, {"revisit": 1, "status-3xx": 1}),
    "warcio/example-digest.warc": (0, {"no-pages": 1}),
    "warcio/example-iana.org-chunked.warc": (1, {}),
    "warcio/example-resource.warc.gz": (1, {}),
    "warcio/example-space-in-target-uri.warc.gz": (0, {"bad-url": 1}),
    "warcio/example-space-in-url.arc": (0, {"truncated": 1}),
    "warcio/example-trunc.warc": (0, {"garbage": 1, "wrong-digest": 1}),
    "warcio/example-wget-bad-target-uri.warc.gz": (1, {"bad-url": 2}),
    "warcio/example-wrong-chunks.warc.gz": (0, {"wrong-digest": 1}),
    "warcio/example.arc": (1, {}),
    "warcio/example.arc.gz": (1, {}),
    "warcio/example.warc": (1, {"revisit": 1}),
    "warcio/example.warc.gz": (1, {"revisit": 1}),
    "warcio/post-test.warc.gz": (0, {"unsupported-type": 3}),
}


def read(path: Path) -> tuple[int, dict[str, int]]:
    importer = importer_for(path)
    assert importer is not None, path
    found = [extract(item) if isinstance(item, Raw) else item for item in importer.read(path, Limits())]
    reasons = Counter(item.reason for item in found if isinstance(item, Skip))
    return len(found) - reasons.total(), dict(sorted(reasons.items()))


@pytest.mark.parametrize("name", TABLE)
def test_each_archive_is_read_or_refused_with_its_reason(data: Path, name: str) -> None:
    assert read(data / "webarchive" / name) == TABLE[name]


def test_the_table_names_every_file(data: Path) -> None:
    folder = data / "webarchive"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    other = {"NOTE.md", "har2warc/LICENSE", "py-wacz/.gitignore", "warcio/LICENSE"}
    assert files - other == set(TABLE)
    assert all(importer_for(folder / name) is None for name in other)


@pytest.mark.parametrize("name", ["valid_example_1", "valid_example_2", "valid_signed_example_1"])
def test_all_pages_that_a_valid_wacz_lists_are_there(data: Path, tmp_path: Path, name: str) -> None:
    import json
    import zipfile

    source = data / "webarchive" / "py-wacz" / f"{name}.wacz"
    build([source], tmp_path / "out", Options(workers=1))
    world = Snapshot.open(tmp_path / "out")
    lines = zipfile.ZipFile(source).read("pages/pages.jsonl").decode().splitlines()
    listed = [row for row in map(json.loads, lines) if "url" in row]
    assert listed
    for row in listed:
        assert "illustrative examples" in world.page(row["url"]).text


def test_a_whole_folder_of_archives_builds_and_survives_export(data: Path, tmp_path: Path) -> None:
    report = build([data / "webarchive"], tmp_path / "out", Options(workers=2))
    assert report.captures == sum(pages for pages, _ in TABLE.values()) - report.skipped["duplicate"]
    world = Snapshot.open(tmp_path / "out")
    assert export_wacz(world, tmp_path / "out.wacz") == report.captures
    again = build([tmp_path / "out.wacz"], tmp_path / "again", Options(workers=2))
    assert again.skipped == {}
    assert again.content_digest == report.content_digest
    assert verify(tmp_path / "again") == []
    export_wacz(Snapshot.open(tmp_path / "again"), tmp_path / "again.wacz")
    assert (tmp_path / "again.wacz").read_bytes() == (tmp_path / "out.wacz").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        export_wacz(world, tmp_path / "out.wacz")


def test_other_software_reads_the_export(data: Path, vale: Snapshot, tmp_path: Path) -> None:
    import io
    import zipfile

    from warcio.archiveiterator import ArchiveIterator

    export_wacz(vale, tmp_path / "vale.wacz")
    archive = zipfile.ZipFile(tmp_path / "vale.wacz")
    assert archive.testzip() is None
    records = ArchiveIterator(io.BytesIO(archive.read("archive/data.warc.gz")), check_digests="raise")
    bodies = {r.rec_headers["WARC-Target-URI"]: r.content_stream().read() for r in records if r.rec_type == "response"}
    assert len(bodies) == 8
    assert b"<td>4,310</td>" in bodies["https://vale.example/tessary.html"]


def test_the_factbook_keeps_its_four_editions(data: Path, tmp_path: Path) -> None:
    import gzip

    lines = gzip.decompress((data / "factbook" / "pages.jsonl.gz").read_bytes()).decode().splitlines()
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(line for line in lines if "countries/germany/" in line[:120]) + "\n")
    build([few], tmp_path / "out", Options(workers=2))
    world = Snapshot.open(tmp_path / "out")
    url = "https://www.cia.gov/the-world-factbook/countries/germany/"
    assert world.page(url).captures == ("2021-03-01", "2023-01-26", "2024-07-25", "2026-01-22")
    for at, name in (("2021", "MERKEL"), ("2023", "SCHOLZ"), ("2026", "MERZ")):
        assert name in world.page(url, at).text
    assert world.search("head of government Germany").hits[0].date == "2026-01-22"
