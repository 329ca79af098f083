"""`murk snapshot ...`: build, look into, check, search, export and record snapshots."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from murk.envs.errors import NotInSnapshot, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from murk.envs.web.build import Report

_T = TypeVar("_T")
_EXAMPLES = {
    "build": "murk snapshot build pages.jsonl.gz crawl.wacz docs/ OUT",
    "info": "murk snapshot info OUT --json",
    "verify": "murk snapshot verify OUT",
    "search": "murk snapshot search OUT 'capital \"new zealand\" -sheep' -k 5",
    "open": "murk snapshot open OUT https://example.org/page --at 2021-03",
    "links": "murk snapshot links OUT https://example.org/page",
    "export": "murk snapshot export OUT world.wacz",
    "record": "murk snapshot record OUT --url https://example.org/ --query 'example' --engine engine.json",
}


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds the commands below `murk snapshot` to a parser."""
    commands = parser.add_subparsers(dest="snapshot_command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=text, description=text, epilog=f"example: {_EXAMPLES[name]}", allow_abbrev=False
        )
        made.set_defaults(run=run)
        return made

    _add_build(command("build", _build, "Build a snapshot from files and folders."))
    for name, run, text in (
        ("info", _info, "Show what a snapshot holds."),
        ("verify", _verify, "Read every byte and compare it with the manifest; exit status 1 where one differs."),
    ):
        made = command(name, run, text)
        made.add_argument("snapshot", type=Path, metavar="OUT")
        made.add_argument("--json", action="store_true", help="print JSON")
    _add_search(command("search", _search, "Search a snapshot."))
    for name, run, text in (
        ("open", _open, "Print a page as an agent reads it."),
        ("links", _links, "Print the links of a page; * marks targets that the snapshot holds."),
    ):
        made = command(name, run, text)
        made.add_argument("snapshot", type=Path, metavar="OUT")
        made.add_argument("url", metavar="URL", help="the page's address")
        made.add_argument("--at", metavar="DATE", help="as it was then: YYYY, YYYY-MM, YYYY-MM-DD")
        made.add_argument("--json", action="store_true", help="print JSON")
    made = command("export", _export, "Write a snapshot as WACZ, for a web-archive player or to import again.")
    made.add_argument("snapshot", type=Path, metavar="OUT")
    made.add_argument("file", type=Path, metavar="FILE.wacz")
    _add_record(command("record", _record, "Record live pages and searches and freeze them into a snapshot."))


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="file or folder")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    parser.add_argument("--base-url", default="", help="address of a folder source, such as https://docs.example/3/")
    parser.add_argument("--authority", type=Path, metavar="FILE", help="lines `host-pattern tier` beside the default")
    parser.add_argument("--licence", default="", help="licence of the content, noted in the manifest")
    parser.add_argument("--dense", metavar="MODEL", help="make vectors for reranking: minilm, static, or a folder")
    parser.add_argument("--workers", type=int, default=0, help="processes; default one a core")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("snapshot", type=Path, metavar="OUT")
    parser.add_argument("query", metavar="QUERY", help='words, "a phrase", site:host, -word')
    parser.add_argument("-k", type=int, default=10, metavar="N", help="number of hits, 1 to 1000 (default 10)")
    parser.add_argument("--shelf", default="web", help="web, authority or library (default web)")
    parser.add_argument("--no-authority", action="store_true", help="rank without lifting authorities")
    parser.add_argument("--dense", metavar="MODEL", help="rerank by the vectors made with this model")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    parser.add_argument("--url", action="append", default=[], help="page to fetch; may be repeated")
    parser.add_argument("--urls", type=Path, metavar="FILE", help="pages to fetch, one a line")
    parser.add_argument("--query", action="append", default=[], help="search to record; may be repeated")
    parser.add_argument("--queries", type=Path, metavar="FILE", help="searches to record, one a line")
    parser.add_argument("--engine", type=Path, metavar="FILE", help="JSON file that describes the search engine's API")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keeps what was fetched; default OUT.cache")
    parser.add_argument("-k", type=int, default=10, metavar="N", help="hits of each search (default 10)")
    parser.add_argument("--follow", type=int, default=0, metavar="N", help="follow links on the same host N deep")
    parser.add_argument("--max-pages", type=int, default=1000, metavar="N", help="pages at most (default 1000)")
    parser.add_argument("--delay", type=float, default=1.0, help="seconds between requests to a host (default 1)")
    parser.add_argument("--allow-private", action="store_true", help="allow private and loopback addresses")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _build(args: argparse.Namespace) -> int:
    from murk.envs.web.authority import Authority
    from murk.envs.web.build import Options, build

    if args.workers < 0:
        raise UsageError(f"--workers is {args.workers}; allowed are 0 (one a core) and more.")
    options: dict[str, Any] = {"workers": args.workers, "base_url": args.base_url, "licence": args.licence}
    if args.authority:
        options["authority"] = Authority.extended(args.authority)
    if args.dense:
        from murk.envs.web.embedders import embedder

        options["embedder"] = embedder(args.dense)
    with _progress() as progress:
        report = build(args.sources, args.out, Options(progress=progress, **options))
    _show_report(report, args.out, args.json)
    return 0


def _show_report(report: "Report", out: Path, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report) | {"out": str(out)}, ensure_ascii=False))
        return
    rate = f"{report.seconds:.1f} s, {report.captures / max(report.seconds, 1e-9):.0f} captures/s"
    rows = [(name, f"{getattr(report, name):,}") for name in ("captures", "pages", "passages", "hosts", "links")]
    rows += [("time", rate), ("size", f"{report.bytes:,} bytes"), ("content digest", report.content_digest)]
    _table(f"snapshot {out}", ("", ""), rows)
    if report.skipped:
        skipped = [(reason, f"{count:,}", report.examples[reason][0]) for reason, count in report.skipped.items()]
        _table("left out", ("reason", "records", "first of them"), skipped)


def _info(args: argparse.Namespace) -> int:
    from murk.envs.web.snapshot import Snapshot

    snapshot = Snapshot.open(args.snapshot)
    info = {name: value for name, value in snapshot.info.items() if name != "files"}
    info["bytes"] = sum(entry["bytes"] for entry in snapshot.info["files"].values())
    if args.json:
        print(json.dumps(info, ensure_ascii=False))
    else:
        _table(f"snapshot {args.snapshot}", ("", ""), [(name, _cell(value)) for name, value in info.items()])
    return 0


def _verify(args: argparse.Namespace) -> int:
    from murk.envs.web.manifest import verify

    wrong = verify(args.snapshot)
    if args.json:
        print(json.dumps({"ok": not wrong, "wrong": wrong}))
    else:
        print("\n".join(wrong) if wrong else f"{args.snapshot}: every file is as it was built.")
    return 1 if wrong else 0


def _search(args: argparse.Namespace) -> int:
    from murk.envs.web.snapshot import Snapshot

    options: dict[str, Any] = {}
    if args.dense:
        from murk.envs.web.dense import Reranker
        from murk.envs.web.embedders import embedder

        options["rerank"] = Reranker(embedder(args.dense, args.snapshot))
    snapshot = Snapshot.open(args.snapshot, authority=not args.no_authority, **options)
    started = time.perf_counter()
    try:
        hits = snapshot.search(args.query, args.k, args.shelf).hits
    except ValueError as error:
        raise UsageError(str(error)) from None
    spent = (time.perf_counter() - started) * 1000
    if args.json:
        print(json.dumps([asdict(hit) for hit in hits], ensure_ascii=False))
        return 0
    for number, hit in enumerate(hits, 1):
        notes = [hit.date, f"tier {hit.tier}" if hit.tier else "", f"page {hit.page}" if hit.page else ""]
        print(f"{number:3}. {hit.title}  [{', '.join([*filter(None, notes), f'score {hit.score}'])}]")
        print(f"     {hit.url}\n     {hit.snippet}\n")
    print(f"{len(hits)} of {len(snapshot):,} pages in {spent:.1f} ms")
    return 0


def _open(args: argparse.Namespace) -> int:
    from murk.envs.web.snapshot import Snapshot

    page = _ask(lambda: Snapshot.open(args.snapshot).page(args.url, args.at))
    if args.json:
        print(json.dumps(asdict(page), ensure_ascii=False))
    else:
        print(f"{page.title}\n{page.url}  {page.date}\ncaptures: {', '.join(page.captures)}\n\n{page.text}")
    return 0


def _links(args: argparse.Namespace) -> int:
    from murk.envs.web.snapshot import Snapshot

    found = _ask(lambda: Snapshot.open(args.snapshot).links(args.url, args.at))
    if args.json:
        print(json.dumps(asdict(found), ensure_ascii=False))
    else:
        for link in found.links:
            print(f"{'*' if link.inside else ' '} {link.url}  {link.text}".rstrip())
        print(f"{len(found.links)} links, {sum(link.inside for link in found.links)} of them inside the snapshot")
    return 0


def _export(args: argparse.Namespace) -> int:
    from murk.envs.web.export import export_wacz
    from murk.envs.web.snapshot import Snapshot

    with _progress() as progress:
        count = export_wacz(Snapshot.open(args.snapshot), args.file, progress)
    print(f"{args.file}: {count:,} captures, {args.file.stat().st_size:,} bytes")
    return 0


def _record(args: argparse.Namespace) -> int:
    from murk.envs.web.build import Options
    from murk.envs.web.live.engines import EngineConfig
    from murk.envs.web.live.fetch import FetchSettings
    from murk.envs.web.live.record import record

    urls = args.url + _lines(args.urls)
    queries = args.query + _lines(args.queries)
    if not urls and not queries:
        raise UsageError("nothing to record: give --url, --urls, --query or --queries.")
    with _progress() as progress:
        report = record(
            urls,
            queries,
            args.out,
            engine=EngineConfig.load(args.engine) if args.engine else None,
            cache_dir=args.cache or args.out.with_name(args.out.name + ".cache"),
            settings=FetchSettings(delay=args.delay, allow_private=args.allow_private),
            k=args.k,
            follow=args.follow,
            max_pages=args.max_pages,
            options=Options(progress=progress),
        )
    _show_report(report, args.out, args.json)
    return 0


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}.") from None


def _ask(ask: Callable[[], _T]) -> _T:
    try:
        return ask()
    except (NotInSnapshot, ValueError) as error:
        raise UsageError(str(error)) from None


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else f"{value:,}" if type(value) is int else str(value)


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_header=any(head), box=None, pad_edge=False)
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


@contextmanager
def _progress() -> "Iterator[Callable[[str, int, int], None]]":
    """A progress bar on a terminal, nothing elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.console import Console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total or None)
            bar.update(tasks[stage], completed=done)

        yield update
