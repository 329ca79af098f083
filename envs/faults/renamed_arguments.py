"""`renamed_arguments`: in mid-episode, arguments of a tool get other names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from murk.envs.faults import Draw, check_range
from murk.envs.faults.interface import Interface

NAMES: Mapping[str, tuple[str, ...]] = {
    "action": ("operation", "op", "mode"),
    "queries": ("search_queries", "query_list", "searches", "q"),
    "urls": ("addresses", "url_list", "page_urls", "targets"),
    "topk": ("top_k", "max_results", "num_hits"),
    "shelf": ("collection", "index", "source"),
    "at": ("as_of", "date", "snapshot_date"),
    "url": ("address", "page_url", "uri"),
    "text": ("pattern", "needle", "search_text"),
    "path": ("file_path", "filename", "file"),
    "content": ("contents", "body", "data"),
    "offset": ("start", "from_byte", "begin"),
    "limit": ("max_bytes", "length", "size"),
    "anchor": ("old_text", "marker", "find"),
    "updates": ("changes", "items", "todo_updates"),
    "seconds": ("duration", "wait_seconds", "secs"),
    "cmd": ("command", "script", "shell_command"),
    "timeout": ("time_limit", "max_seconds", "timeout_s"),
    "cwd": ("workdir", "directory", "working_dir"),
}


@dataclass(frozen=True, slots=True)
class RenamedArguments(Interface):
    """Some arguments have another name, at least one; the old name is refused.

    Attributes:
        share: About which share of them, above 0, to 1.
    """

    share: float = 0.4

    def __post_init__(self) -> None:
        Interface.__post_init__(self)
        check_range("share", self.share, 0.01, 1)

    def arguments(self, names: Sequence[str], draw: Draw) -> Mapping[str, str]:
        order = sorted(names, key=lambda name: (draw.uniform("which", name), name))
        chosen = order[: ceil(self.share * len(order))]
        new: dict[str, str] = {}
        for name in chosen:
            free = [other for other in NAMES.get(name, ()) if other not in names and other not in new.values()]
            new[name] = draw.pick(free or [f"{name}_value"], "name", name)
        return new
