"""The pages of an episode as they truly are, beside the texts that were delivered in their place."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from murk.envs.errors import NotInSnapshot, UsageError
from murk.envs.records import Page, Trajectory
from murk.envs.web.snapshot import Snapshot
from murk.rewards.pages import Pages


def pages_of(snapshot: Path, trajectory: Trajectory, delivered: Mapping[str, str]) -> Pages:
    """The pages of an episode for its reward. The snapshot is not read before a reward asks for true texts.

    Args:
        snapshot: Folder of the snapshot; reading true texts raises `UsageError` if it is not that of the episode.
        trajectory: The episode.
        delivered: Texts of the pages as delivered, by canonical URL.
    """
    return Pages(delivered, lambda: true_texts(_open(snapshot), trajectory, delivered))


def true_texts(snapshot: Snapshot, trajectory: Trajectory, delivered: Mapping[str, str]) -> dict[str, str]:
    """Texts of the pages that an episode opened, as the snapshot holds them, by canonical URL.

    Of several captures of a page those count that were delivered, so that an old page is no false one; if there is
    none, the one that was asked for. Pages that the snapshot does not hold, as planted ones, are left out.

    Raises:
        UsageError: the snapshot is not the one of the episode, or is damaged.
    """
    if snapshot.info["content_digest"] != trajectory.snapshot:
        raise UsageError(f"{snapshot.folder} is not the snapshot of episode {trajectory.id}: its content is another.")
    true: dict[str, str] = {}
    for step in trajectory.steps:
        for asked in step.exchanges:
            page = _page(snapshot, asked.request) if asked.outcome == "Page" else None
            if page is not None and page.url in delivered:
                true[page.url] = _as_delivered(snapshot, page, delivered[page.url])
    return true


def _page(snapshot: Snapshot, request: Mapping[str, str | None]) -> Page | None:
    try:
        return snapshot.page(str(request["url"]), request.get("at"))
    except NotInSnapshot:
        return None


def _as_delivered(snapshot: Snapshot, page: Page, text: str) -> str:
    """The text if it is made of true captures alone, one below the other; else those in it, and the one asked for."""
    captures = dict.fromkeys([page.text, *(snapshot.page(page.url, date).text for date in page.captures)])
    whole = [one for one in captures if one in text]
    rest = text
    for one in sorted(whole, key=len, reverse=True):
        rest = rest.replace(one, "")
    return "\n\n".join(dict.fromkeys([*whole, page.text])) if rest.strip() else text


@lru_cache(maxsize=1)
def _open(folder: Path) -> Snapshot:
    return Snapshot.open(str(folder))
