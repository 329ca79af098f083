"""A single HTML file; the address is made from its name."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from murk.envs.web.importers import Limits, Raw, Skip


class HtmlImporter:
    """Reads `.html`, `.htm` and `.xhtml`."""

    def accepts(self, path: Path, head: bytes) -> bool:
        return path.is_file() and path.suffix.lower() in (".html", ".htm", ".xhtml")

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Skip]:
        if path.stat().st_size > limits.record_bytes:
            yield Skip("oversized", f"{path.name} has more than {limits.record_bytes} bytes")
        else:
            yield Raw(f"https://pages.example/{quote(path.name)}", path.read_bytes(), "text/html")
