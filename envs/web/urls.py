"""Canonical URLs, hosts and capture dates: how a page is named.

Two spellings of one address (RFC 3986, section 6.2) must name one page, in any process and on any machine.
"""

import re
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

MAX_URL = 2_048
_DATED = re.compile(r"/?web/(\d{4,14})(?:[a-z]{2}_)?/(.+)", re.DOTALL)
_DATE = re.compile(
    r"(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:[T ]?(\d\d):?(\d\d):?(\d\d)(?:\.\d+)?(?:Z|\+00:?00)?)?)?)?", re.ASCII
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SAFE = "!$&'()*+,;=:@/-._~"


@lru_cache(maxsize=4096)
def canonical_url(url: str) -> str:
    """The one spelling of an http or https URL: lower-case host, resolved path, minimal escapes, no fragment.

    Raises:
        ValueError: the URL is not absolute http(s), has no host, has control characters or is longer than
            `MAX_URL` characters.

    >>> canonical_url("HTTP://Example.org:80/a/../b%7e?q=1#top")
    'http://example.org/b~?q=1'
    """
    url = url.strip()
    if not url or len(url) > MAX_URL or _CONTROL.search(url):
        raise ValueError("not a URL: empty, too long, or with control characters")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"not an http or https URL: {url[:80]}")
    path = _resolve(_requote(parts.path)) or "/"
    canonical = urlunsplit((parts.scheme, _netloc(parts), path, _requote(parts.query, "?"), ""))
    if len(canonical) > MAX_URL:
        raise ValueError("URL too long once escaped")
    return canonical


def spellings(url: str) -> list[str]:
    """Canonical URLs that a person may have meant, the literal one first: without a scheme, with the other scheme,
    with or without a trailing slash.

    >>> spellings("example.org/a")
    ['https://example.org/a', 'http://example.org/a', 'https://example.org/a/', 'http://example.org/a/']
    """
    url = url.strip()
    if "://" not in url[:12]:
        url = "https://" + url.removeprefix("//")
    try:
        first = canonical_url(url)
    except ValueError:
        return []
    other = "http" + first[5:] if first.startswith("https") else "https" + first[4:]
    both = [first, other]
    if "?" not in first:
        both += [u[:-1] if u.endswith("/") else u + "/" for u in both]
    return both


def resolve(base: str, href: str) -> str | None:
    """The canonical target of a link on a page, or None where it is no http(s) page."""
    try:
        return canonical_url(urljoin(base, href.strip()))
    except ValueError:
        return None


def host_of(url: str) -> str:
    """Host of a canonical URL, without port.

    >>> host_of("https://docs.example.org:8080/x")
    'docs.example.org'
    """
    return urlsplit(url).hostname or ""


def path_of(url: str) -> str:
    """Path of a canonical URL in readable form, without the ending of a file name.

    >>> path_of("https://example.org/wiki/%C3%81rp%C3%A1d.html?x=1")
    '/wiki/Árpád'
    """
    return re.sub(r"\.[a-z]{3,5}$", "", unquote(urlsplit(url).path, errors="replace"))


def dated(url: str) -> tuple[str, str | None]:
    """Splits a web-archive address into the page's URL and the date asked for.

    >>> dated("/web/20210301/https://example.org/")
    ('https://example.org/', '20210301')
    """
    rest = re.sub(r"^https?://web\.archive\.org", "", url.strip())
    if match := _DATED.fullmatch(rest):
        return match[2], match[1]
    return url, None


def parse_date(text: str, end: bool = False) -> int:
    """A date as the number YYYYMMDDhhmmss; 0 for an empty text. A part that is missing counts as the beginning of the
    period, or as its end.

    Raises:
        ValueError: the text is no date.

    >>> parse_date("2021-03"), parse_date("2021-03", end=True)
    (20210301000000, 20210331235959)
    """
    text = text.strip()
    if not text:
        return 0
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError(f"not a date: {text[:40]!r}; use YYYY, YYYY-MM, YYYY-MM-DD or YYYYMMDDhhmmss")
    low = ("0001", "01", "01", "00", "00", "00")
    high = ("9999", "12", "31", "23", "59", "59")
    given = match.groups()
    if not ("01" <= (given[1] or "01") <= "12" and "01" <= (given[2] or "01") <= "31"):
        raise ValueError(f"not a date: {text[:40]!r}")
    return int("".join(part or (high if end else low)[i] for i, part in enumerate(given)))


@lru_cache(maxsize=4096)
def format_date(number: int) -> str:
    """The reverse of `parse_date`, without a time where it is midnight.

    >>> format_date(20210301000000), format_date(20210301120000), format_date(0)
    ('2021-03-01', '2021-03-01T12:00:00Z', '')
    """
    if number <= 0:
        return ""
    t = f"{number:014d}"
    day = f"{t[:4]}-{t[4:6]}-{t[6:8]}"
    return day if t[8:] == "000000" else f"{day}T{t[8:10]}:{t[10:12]}:{t[12:14]}Z"


def key64(text: str) -> int:
    """A 64-bit name of a text, the same on every machine."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _netloc(parts: SplitResult) -> str:
    try:
        host, port = (parts.hostname or "").rstrip("."), parts.port
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
    except (ValueError, UnicodeError) as error:
        raise ValueError(f"bad host in URL: {error}") from None
    if not host or len(host) > 253 or re.search(r"[\s/\\<>\"'`{}|^]", host):
        raise ValueError("bad host in URL")
    host = f"[{host}]" if ":" in host else host
    return host if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{host}:{port}"


def _requote(text: str, extra: str = "") -> str:
    """Escapes what must be escaped, in upper case, and un-escapes what need not be."""
    text = re.sub(r"%([0-9A-Fa-f]{2})", lambda m: _escape(int(m[1], 16)), text)
    return quote(text, safe=_SAFE + extra + "%", errors="replace")


def _escape(byte: int) -> str:
    char = chr(byte)
    return char if byte < 128 and (char.isalnum() or char in "-._~") else f"%{byte:02X}"


def _resolve(path: str) -> str:
    if "/." not in path:
        return path
    out: list[str] = []
    for part in path.split("/")[1:]:
        if part == "..":
            out = out[:-1]
        elif part != ".":
            out.append(part)
    return "/" + "/".join(out) + ("/" if path.endswith(("/.", "/..")) and out and out[-1] else "")
