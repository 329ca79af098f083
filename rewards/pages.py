"""The pages of an episode as rewards see them: as they were delivered and, for those that ask, as they truly are."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property


class Pages(Mapping[str, str]):
    """Texts of the pages delivered in an episode, by canonical URL.

    Args:
        delivered: The texts as delivered.
        true: Gives the texts of the same pages as they truly are; pages that the world does not hold, as planted ones,
            are left out. It is called once, when `true` is first read, because most rewards never do.
    """

    def __init__(self, delivered: Mapping[str, str], true: Callable[[], Mapping[str, str]]) -> None:
        self._delivered, self._true = delivered, true

    @cached_property
    def true(self) -> Mapping[str, str]:
        """Texts of the pages as they truly are, by canonical URL. Raises what finding them raises."""
        return self._true()

    def __getitem__(self, url: str) -> str:
        return self._delivered[url]

    def __iter__(self) -> Iterator[str]:
        return iter(self._delivered)

    def __len__(self) -> int:
        return len(self._delivered)
