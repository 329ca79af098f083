"""The registry that tools, faults, rewards, judges, policies and importers share.

A plugin is found by its group and name through the packaging metadata (entry points): murk's own plugins are declared
in `pyproject.toml` exactly as a third-party package declares its own. `register` adds one for the current process,
for notebooks and tests.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from murk.envs.errors import UnknownName, UsageError
from murk.envs.settings import check_settings

GROUPS = ("tools", "faults", "rewards", "judges", "policies", "importers")

_registered: dict[tuple[str, str], Any] = {}


def register(group: str, name: str, plugin: Any) -> None:
    """Adds a plugin for this process only.

    Raises:
        UsageError: the group is not one of `GROUPS`, or the name is taken by another plugin.
    """
    if group not in GROUPS:
        raise UnknownName("plugin group", group, GROUPS)
    if name in names(group) and _registered.get((group, name)) is not plugin:
        raise UsageError(f"plugin {name!r} of group {group!r} is already defined; choose another name.")
    _registered[group, name] = plugin


def names(group: str) -> list[str]:
    """Sorted names of the plugins in a group."""
    return sorted({name for g, name in _registered if g == group} | set(_declared(group)))


def load(group: str, name: str) -> Any:
    """Returns the plugin registered under a name.

    Raises:
        UnknownName: no such plugin; the message names the nearest one.
        UsageError: the plugin is declared but cannot be imported, for example because an extra is not installed.
    """
    if (group, name) in _registered:
        return _registered[group, name]
    declared = _declared(group)
    if name not in declared:
        raise UnknownName(f"{group} plugin", name, names(group))
    try:
        return declared[name].load()
    except ImportError as error:
        raise UsageError(f"{group} plugin {name!r} cannot be imported: {error}.") from error


def make(group: str, name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """The plugin of a name with its settings; `plugin` among them is the plugin's name where it is another.

    Raises:
        UnknownName: no such plugin, or it has no such setting.
        UsageError: a setting is wrong, or the plugin cannot be imported.
    """
    what = f"{group} plugin {name!r}"
    if not isinstance(settings, Mapping | None):
        raise UsageError(f"settings of {what} are {settings!r}; allowed is a mapping.")
    given = dict(settings or {})
    plugin = load(group, str(given.pop("plugin", name)))
    check_settings(what, plugin, given)
    try:
        return plugin(**given)
    except TypeError as error:
        raise UsageError(f"{what}: {error}.") from None


@cache
def _declared(group: str) -> dict[str, EntryPoint]:
    if group not in GROUPS:
        raise UnknownName("plugin group", group, GROUPS)
    return {point.name: point for point in entry_points(group=f"murk.{group}")}
