"""Opening pages: murk's page store beside lmdb and sqlite, the same URLs to the same texts."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import lmdb
from common import interleaved, once, p50_p99, snapshot_folder, table, versions
from engines import page_urls

from murk.envs.web.columns import Strings
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.urls import canonical_url, format_date

PAGES = 2_000
STRIDE = 1_733
MAP_BYTES = 1 << 30


def main() -> None:
    """Prints the table."""
    snapshot = Snapshot.open(snapshot_folder())
    urls = page_urls(snapshot)
    numbers = [i * STRIDE % len(urls) for i in range(min(PAGES, len(urls)))]
    asked = [urls[number] for number in numbers]
    texts = Strings(snapshot.folder, "text")
    key = str(snapshot.info["content_digest"])
    with_lmdb = _lmdb(once("pages.lmdb", f"{key} {lmdb.__version__}", lambda folder: _fill_lmdb(folder, urls, texts)))
    with_sqlite = _sqlite(once("pages.sqlite", key, lambda folder: _fill_sqlite(folder, urls, texts)))
    assert all(snapshot.page(url).text == texts[number] for url, number in zip(asked, numbers, strict=True))
    assert all(with_lmdb(url) == with_sqlite(url) == snapshot.page(url).text for url in asked)
    calls: dict[str, Callable[[int], object]] = {
        "murk: page(url), a URL not seen before": lambda i: snapshot.page(asked[i]),
        "murk: page(url), a URL seen before": lambda i: snapshot.page(asked[i]),
        "murk: text by number": lambda i: texts[numbers[i]],
        "lmdb: text by URL": lambda i: with_lmdb(asked[i]),
        "sqlite, immutable: text by URL": lambda i: with_sqlite(asked[i]),
    }
    times = interleaved(calls, len(asked), before=_forget)
    size = sum(len(texts.data(number)) for number in numbers) / len(numbers)
    print(f"# Opening {len(asked):,} of {len(urls):,} Wikispeedia pages, on average {size / 1000:.1f} kB")
    print(f"{versions('murk-gym', 'lmdb')}, sqlite {sqlite3.sqlite_version}")
    rows = [[name, *p50_p99(values, digits=1)] for name, values in times.items()]
    table("Opening one page, everything in the page cache; microseconds", ["", "p50", "p99"], rows)


def _forget() -> None:
    """An agent rarely opens a URL twice: what murk remembers of addresses is dropped."""
    canonical_url.cache_clear()
    format_date.cache_clear()


def _fill_lmdb(folder: Path, urls: list[str], texts: Strings) -> None:
    with lmdb.open(str(folder), map_size=MAP_BYTES) as environment, environment.begin(write=True) as transaction:
        for number, url in enumerate(urls):
            transaction.put(url.encode(), texts.data(number))


def _lmdb(folder: Path) -> Callable[[str], str]:
    environment = lmdb.open(str(folder), readonly=True, lock=False, map_size=MAP_BYTES)

    def get(url: str) -> str:
        with environment.begin(buffers=True) as transaction:
            return str(transaction.get(url.encode()), "utf-8")

    return get


def _fill_sqlite(folder: Path, urls: list[str], texts: Strings) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / "pages.db") as connection:
        connection.execute("create table pages (url text primary key, body text not null)")
        rows = ((url, texts[number]) for number, url in enumerate(urls))
        connection.executemany("insert into pages values (?, ?)", rows)


def _sqlite(folder: Path) -> Callable[[str], str]:
    connection = sqlite3.connect(f"file:{folder / 'pages.db'}?mode=ro&immutable=1", uri=True)
    connection.execute(f"pragma mmap_size = {MAP_BYTES}")

    def get(url: str) -> str:
        return str(connection.execute("select body from pages where url = ?", (url,)).fetchone()[0])

    return get


if __name__ == "__main__":
    main()
