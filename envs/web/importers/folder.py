"""A folder, read in the order of its sorted paths: HTML and PDF files become pages at their relative path, archives
within are read by their own importers, other files are counted.

Links in the folder are not followed: they could lead out of it.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from murk.envs.web.importers import Limits, Raw, Skip, importer_for
from murk.envs.web.importers.html import HtmlImporter
from murk.envs.web.importers.pdf import PdfImporter


class FolderImporter:
    """Reads a folder of HTML files; `base_url` is the address of the folder itself."""

    def __init__(self, base_url: str = "") -> None:
        self.base_url = base_url

    def accepts(self, path: Path, head: bytes) -> bool:
        return path.is_dir()

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Skip]:
        root = self.base_url or f"https://{_host(path.resolve().name)}.example/"
        for number, file in enumerate(_files(path)):
            if number >= limits.entries:
                yield Skip("oversized", f"more than {limits.entries} files")
                return
            relative = file.relative_to(path)
            if file.is_symlink() or not file.is_file():
                yield Skip("not-a-file", str(relative)[:200])
                continue
            importer = importer_for(file)
            if importer is None:
                yield Skip("unknown-format", str(relative)[:200])
            elif isinstance(importer, HtmlImporter | PdfImporter):
                url = root + quote(relative.as_posix())
                yield from (replace(r, url=url) if isinstance(r, Raw) else r for r in importer.read(file, limits))
            else:
                yield from importer.read(file, limits)


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        for name in sorted(names + [f for f in folders if (Path(folder) / f).is_symlink()]):
            yield Path(folder) / name


def _host(name: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c == "-") else "-" for c in name.lower()).strip("-")
    return kept or "folder"
