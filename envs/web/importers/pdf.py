"""A PDF file as one long document: it goes to the `library` shelf, with its page numbers."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from murk.envs.web.importers import Limits, Raw, Skip


class PdfImporter:
    """Reads `.pdf`; the address is made from the file's name."""

    def accepts(self, path: Path, head: bytes) -> bool:
        return path.is_file() and (path.suffix.lower() == ".pdf" or head.startswith(b"%PDF-"))

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Skip]:
        if path.stat().st_size > limits.record_bytes:
            yield Skip("oversized", f"{path.name} has more than {limits.record_bytes} bytes")
        else:
            yield Raw(f"https://library.example/{quote(path.name)}", path.read_bytes(), "application/pdf")
