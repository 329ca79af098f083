"""HAR, the log of a browser's network panel (HTTP Archive 1.2): the bodies of its successful readable answers."""

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from murk.envs.web.http import media_type
from murk.envs.web.importers import Limits, Raw, Skip
from murk.envs.web.urls import parse_date


class HarImporter:
    """Reads `.har`."""

    def accepts(self, path: Path, head: bytes) -> bool:
        return path.is_file() and path.name.endswith(".har")

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Skip]:
        if path.stat().st_size > limits.file_bytes:
            yield Skip("oversized", f"{path.name} has more than {limits.file_bytes} bytes")
            return
        try:
            entries = json.loads(path.read_bytes())["log"]["entries"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            yield Skip("bad-json", f"{path.name}: {type(error).__name__} {str(error)[:100]}")
            return
        if not isinstance(entries, list):
            yield Skip("bad-json", f"{path.name}: log.entries is not a list")
            return
        for entry in entries:
            yield _entry(entry, limits)


def _entry(entry: Any, limits: Limits) -> Raw | Skip:
    try:
        url, response = entry["request"]["url"], entry["response"]
        status, content = response["status"], response["content"]
        text, mime = content.get("text"), content.get("mimeType", "")
        started = entry.get("startedDateTime", "")
        if not (isinstance(url, str) and isinstance(status, int) and isinstance(mime, str)):
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        return Skip("bad-entry", str(entry)[:100])
    if not 200 <= status < 300:
        return Skip(f"status-{status // 100}xx" if 0 < status < 600 else "no-answer", url[:200])
    if not isinstance(text, str) or not text:
        return Skip("no-body", url[:200])
    if len(text) > limits.record_bytes:
        return Skip("oversized", f"{len(text)} characters {url[:200]}")
    media, charset = media_type(mime)
    try:
        date = parse_date(str(started)[:19].rstrip("Z")) if started else 0
        if content.get("encoding") == "base64":
            return Raw(url, base64.b64decode(text, validate=False), media, charset, date)
    except (ValueError, binascii.Error) as error:
        return Skip("bad-date" if "date" in str(error) else "corrupt-encoding", url[:200])
    return Raw(url, text, media, "", date)
