"""Builds a snapshot from sources: reads, extracts in parallel, writes columns, indexes, seals, and renames into place.

Columns by capture: `text`, `title`, `links` (JSON list of [url, text]), `breaks` (JSON list of the byte offsets at
which the pages of a long document begin) and `dates` (int64, YYYYMMDDhhmmss). By page, that is by distinct URL in the
order of first appearance: `url`, `pages.host` (int32, into `hosts`), `pages.tier` and `pages.long` (uint8),
`pages.captures` and `pages.capture_starts` (int64: captures of a page, oldest first), and for look-up `pages.keys`
(uint64, sorted 64-bit names of the URLs) with `pages.by_key` (int64). The index files are described in `index`.
"""

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murk.envs.codec import canonical_json
from murk.envs.errors import UsageError
from murk.envs.web.authority import Authority
from murk.envs.web.columns import StringsWriter, save_array, write_strings
from murk.envs.web.document import Document
from murk.envs.web.extract import pack, unpack
from murk.envs.web.importers import Limits, Raw, Skip, importer_for
from murk.envs.web.importers.folder import FolderImporter
from murk.envs.web.index import build_index
from murk.envs.web.manifest import write_manifest
from murk.envs.web.pool import Guard, Lost, guarded_map
from murk.envs.web.urls import host_of, key64
from murk.envs.web.vectors import Embedder, build_vectors

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Options:
    """How to build.

    Attributes:
        workers: Number of processes that extract and count; 0 for one a core. The result does not depend on it.
        base_url: Address of a folder source; empty for one made from the folder's name.
        licence: Licence of the content, for the manifest.
        authority: Host patterns with tiers.
        limits: What a source may ask of the machine.
        guard: What one record may ask of a worker.
        exchanges: Recorded exchanges to keep: request key and canonical JSON of the response.
        facts: File of facts that the pages state (`murk.envs.worlds.facts`), kept with the snapshot; None for none.
        embedder: Makes the vectors of passages that dense reranking needs; None for none.
        progress: Called with a stage (`reading`, `indexing`, `embedding`), how many are done, and of how many (0:
            unknown).
    """

    workers: int = 0
    base_url: str = ""
    licence: str = ""
    authority: Authority = field(default_factory=Authority)
    limits: Limits = field(default_factory=Limits)
    guard: Guard = field(default_factory=Guard)
    exchanges: Sequence[tuple[str, str]] = ()
    facts: Path | None = None
    embedder: Embedder | None = None
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None


@dataclass(frozen=True, slots=True)
class Report:
    """What a build made, and what it left out by reason."""

    captures: int
    pages: int
    passages: int
    hosts: int
    links: int
    content_digest: str
    skipped: dict[str, int]
    examples: dict[str, list[str]]
    seconds: float
    bytes: int


def build(sources: Sequence[Path], out: Path, options: Options | None = None) -> Report:
    """Builds a snapshot from files and folders.

    Args:
        sources: What importers read, in this order.
        out: Folder to make; it must not exist.
        options: How to build.

    Raises:
        UsageError: a source is missing, `out` exists, or no page could be read; nothing is left under `out` then.
    """
    options = options or Options()
    for source in sources:
        if not source.exists():
            raise UsageError(f"source {source} does not exist.")
    names = [source.resolve().name for source in sources]
    return freeze(_read_all(sources, options), out, options, names)


def freeze(items: Iterable[Raw | Skip], out: Path, options: Options, sources: Sequence[str] = ()) -> Report:
    """Builds a snapshot from captures; see `build`."""
    started = time.perf_counter()
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists already; remove it or choose another name.")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the last step is a rename within one file system.
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    try:
        report = _Builder(folder, options).run(items, list(sources), started)
        folder.chmod(0o755)
        os.rename(folder, out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return report


def _read_all(sources: Sequence[Path], options: Options) -> Iterator[Raw | Skip]:
    for source in sources:
        importer = FolderImporter(options.base_url) if source.is_dir() else importer_for(source)
        if importer is None:
            yield Skip("unknown-format", source.name)
            continue
        try:
            yield from importer.read(source, options.limits)
        except OSError as error:
            yield Skip("unreadable", f"{source.name}: {error.strerror}")


class _Builder:
    def __init__(self, folder: Path, options: Options) -> None:
        self.folder, self.options = folder, options
        self.skipped: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.columns = {name: StringsWriter(folder, name) for name in ("text", "title", "links", "breaks", "url")}
        self.dates: list[int] = []
        self.page_of: list[int] = []
        self.pages: dict[str, int] = {}
        self.page_hosts: list[int] = []
        self.hosts: dict[str, int] = {}
        self.long: list[bool] = []
        self.seen: set[int] = set()
        self.digests: list[bytes] = []
        self.links = 0

    def run(self, items: Iterable[Raw | Skip], sources: list[str], started: float) -> Report:
        workers = self.options.workers or len(os.sched_getaffinity(0))
        try:
            for reply in guarded_map("murk.envs.web.extract:work", self._packed(items), workers, self.options.guard):
                found = Skip(reply.reason, "extraction") if isinstance(reply, Lost) else unpack(reply)
                if isinstance(found, Skip):
                    self._skip(found)
                else:
                    self._add(found)
                    self.options.progress("reading", len(self.dates), 0)
        finally:
            for column in self.columns.values():
                column.close()
        if not self.dates:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(self.skipped.items()))
            raise UsageError(f"no page could be read. Left out: {reasons or 'nothing was found'}.")
        newest = self._write_pages()
        self._write_recording()
        passages = self._index(newest, workers)
        counts = {"captures": len(self.dates), "pages": len(self.pages), "passages": passages}
        counts |= {"hosts": len(self.hosts), "links": self.links}
        digest = sha256(b"".join(sorted(self.digests))).hexdigest()
        skipped = dict(sorted(self.skipped.items()))
        info = {"sources": sources, "licence": self.options.licence, "skipped": skipped, "content_digest": digest}
        if self.options.embedder is not None:
            build_vectors(self.folder, self.options.embedder, self.options.progress)
            info["embedder"] = self.options.embedder.name
        if self.options.facts is not None:
            shutil.copyfile(self.options.facts, self.folder / "facts.jsonl.gz")
        write_manifest(self.folder, info | counts)
        size = sum(path.stat().st_size for path in self.folder.iterdir())
        return Report(
            **counts,
            content_digest=digest,
            skipped=skipped,
            examples=self.examples,
            seconds=time.perf_counter() - started,
            bytes=size,
        )

    def _packed(self, items: Iterable[Raw | Skip]) -> Iterator[bytes]:
        for item in items:
            if isinstance(item, Skip):
                self._skip(item)
            else:
                yield pack(item)

    def _skip(self, skip: Skip) -> None:
        self.skipped[skip.reason] += 1
        examples = self.examples.setdefault(skip.reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(skip.detail)

    def _add(self, document: Document) -> None:
        key = key64(f"{document.date} {document.url}")
        if key in self.seen:
            self._skip(Skip("duplicate", f"{document.url} {document.date}"))
            return
        self.seen.add(key)
        host = host_of(document.url)
        page = self.pages.get(document.url)
        if page is None:
            page = self.pages[document.url] = len(self.pages)
            self.columns["url"].append(document.url)
            self.page_hosts.append(self.hosts.setdefault(host, len(self.hosts)))
            self.long.append(False)
        links = json.dumps(document.links, ensure_ascii=False, separators=(",", ":"))
        pieces = [document.text[a:b] for a, b in pairwise(document.pages)]
        breaks = list(accumulate((len(piece.encode()) for piece in pieces), initial=0)) if document.pages else []
        self.columns["text"].append(document.text)
        self.columns["title"].append(document.title)
        self.columns["links"].append(links)
        self.columns["breaks"].append(json.dumps(breaks))
        self.page_of.append(page)
        self.dates.append(document.date)
        self.long[page] = self.long[page] or bool(document.pages)
        self.links += len(document.links)
        record = [document.url, document.date, document.title, document.text, document.links, document.pages]
        record.append(self.options.authority.tier(host))
        self.digests.append(sha256(canonical_json(record).encode("utf-8", "replace")).digest())

    def _write_pages(self) -> NDArray[np.int64]:
        """Writes the columns by page, and returns the newest capture of each."""
        page_of, dates = np.array(self.page_of, np.int64), np.array(self.dates, np.int64)
        order = np.lexsort((np.arange(len(dates)), dates, page_of))
        ends = np.cumsum(np.bincount(page_of, minlength=len(self.pages)))
        keys = np.array([key64(url) for url in self.pages], np.uint64)
        by_key = np.argsort(keys, kind="stable")
        tiers = np.array([self.options.authority.tier(host) for host in self.hosts], np.uint8)
        hosts = np.array(self.page_hosts, np.int32)
        columns: dict[str, NDArray[Any]] = {
            "dates": dates,
            "pages.captures": order,
            "pages.capture_starts": np.concatenate([[0], ends]).astype(np.int64),
            "pages.keys": keys[by_key],
            "pages.by_key": by_key,
            "pages.host": hosts,
            "pages.tier": tiers[hosts],
            "pages.long": np.array(self.long, np.uint8),
        }
        for name, array in columns.items():
            save_array(self.folder, name, array)
        write_strings(self.folder, "hosts", self.hosts)
        newest: NDArray[np.int64] = order[ends - 1]
        return newest

    def _write_recording(self) -> None:
        exchanges = sorted(dict(self.options.exchanges).items())
        if exchanges:
            write_strings(self.folder, "recording.keys", (key for key, _ in exchanges))
            write_strings(self.folder, "recording.values", (value for _, value in exchanges))
            self.digests += [sha256(canonical_json(list(e)).encode("utf-8", "replace")).digest() for e in exchanges]

    def _index(self, newest: NDArray[np.int64], workers: int) -> int:
        chunks = self.folder / "chunks"
        chunks.mkdir()
        for done in build_index(self.folder, chunks, newest, workers):
            self.options.progress("indexing", done, len(newest))
        shutil.rmtree(chunks)
        return int(np.load(self.folder / "pages.starts.npy", mmap_mode="r")[-1])
