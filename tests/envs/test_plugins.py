from pathlib import Path

import pytest

from murk.envs import plugins
from murk.envs.errors import UnknownName, UsageError
from murk.envs.web.importers import Importer


def test_the_built_in_importers_are_declared_and_load() -> None:
    names = plugins.names("importers")
    assert {"arc", "folder", "har", "html", "jsonl", "pdf", "wacz", "warc"} <= set(names)
    for name in names:
        assert isinstance(plugins.load("importers", name)(), Importer)


def test_an_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'warc'"):
        plugins.load("importers", "wark")
    with pytest.raises(UnknownName, match="Did you mean 'importers'"):
        plugins.names("importer")


def test_a_registered_plugin_is_found_and_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_registered", {})

    class Mine:
        def accepts(self, path: Path, head: bytes) -> bool:
            return False

    plugins.register("importers", "mine", Mine)
    assert "mine" in plugins.names("importers")
    assert plugins.load("importers", "mine") is Mine
    with pytest.raises(UsageError, match="already defined"):
        plugins.register("importers", "mine", object)
    with pytest.raises(UsageError, match="already defined"):
        plugins.register("importers", "warc", Mine)
