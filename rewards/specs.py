"""Rewards and judges from what a config says of them."""

from collections.abc import Mapping
from typing import Any

from murk.envs import plugins
from murk.envs.errors import UsageError

Spec = str | Mapping[str, Any]


def build(group: str, spec: Spec) -> Any:
    """The plugin of a name, or of a mapping of one name to its settings.

    Raises:
        UnknownName: no such plugin.
        UsageError: wrong settings, or not one name.
    """
    if isinstance(spec, Mapping) and len(spec) != 1:
        raise UsageError(f"{group} are {sorted(spec)}; allowed is a name, or a mapping of one name to its settings.")
    name, settings = (spec, None) if isinstance(spec, str) else next(iter(spec.items()))
    return build_named(group, name, settings)


def build_named(group: str, name: str, settings: Any) -> Any:
    """The plugin of a name with its settings; `plugin` among them is the plugin's name where it is another.

    Raises:
        UnknownName: no such plugin.
        UsageError: wrong settings.
    """
    return plugins.make(group, name, settings)
