"""Which hosts are authorities, in which tier, and how much that lifts a page.

A pattern is a host (`who.int`, which covers its subdomains) or a suffix (`*.gov`). The longest matching pattern wins.
The default list holds kinds of hosts and institutions that publish primary or curated information; users extend or
replace it by a file of lines `pattern tier`.

Authority decides only where relevance is close: a page of tier t is ranked as if its score were `LIFT[t]` percent
higher, so that it can pass pages within that distance, and no others.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from murk.envs.errors import UsageError

LIFT = {0: 0, 1: 8, 2: 5, 3: 3}
"""Percent by which a page of each tier is lifted. 1: governments, international bodies, standards. 2: science and
universities. 3: edited reference works and libraries."""

DEFAULT: Mapping[str, int] = {
    **dict.fromkeys(
        ["*.gov", "*.mil", "*.int", "*.gov.uk", "*.gov.au", "*.gc.ca", "*.gouv.fr", "*.gob.mx", "*.gob.es"]
        + ["*.gov.br", "*.gov.in", "*.gov.za", "*.go.jp", "*.go.kr", "*.gov.cn", "*.gov.sg", "*.govt.nz", "*.admin.ch"]
        + ["*.gv.at", "bund.de", "destatis.de", "europa.eu", "un.org", "who.int", "imf.org", "worldbank.org"]
        + ["oecd.org", "wto.org", "icj-cij.org", "iso.org", "ietf.org", "rfc-editor.org", "w3.org", "iana.org"]
        + ["unicode.org", "bis.org", "parliament.uk", "bankofengland.co.uk", "ecb.europa.eu"],
        1,
    ),
    **dict.fromkeys(
        ["*.edu", "*.ac.uk", "*.ac.jp", "*.edu.au", "*.edu.cn", "*.ac.cn", "*.ac.in", "*.ac.nz", "*.ac.za"]
        + ["arxiv.org", "nature.com", "science.org", "pnas.org", "cell.com", "thelancet.com", "nejm.org", "bmj.com"]
        + ["plos.org", "springer.com", "sciencedirect.com", "wiley.com", "ieee.org", "acm.org", "aps.org", "acs.org"]
        + [
            "royalsociety.org",
            "cern.ch",
            "mpg.de",
            "cnrs.fr",
            "jstor.org",
            "cambridge.org",
            "oup.com",
            "aclanthology.org",
        ]
        + ["semanticscholar.org", "europepmc.org", "cochrane.org", "ssrn.com", "nber.org", "mathoverflow.net"],
        2,
    ),
    **dict.fromkeys(
        ["wikipedia.org", "britannica.com", "wikidata.org", "loc.gov", "bl.uk", "worldcat.org", "archive.org"]
        + ["ourworldindata.org", "docs.python.org", "developer.mozilla.org", "oed.com", "merriam-webster.com"]
        + ["plato.stanford.edu", "mathworld.wolfram.com", "oeis.org", "gutenberg.org", "dnb.de", "bnf.fr"],
        3,
    ),
}


class Authority:
    """A list of host patterns with tiers 1 (highest) to 3."""

    def __init__(self, patterns: Mapping[str, int] = DEFAULT) -> None:
        for pattern, tier in patterns.items():
            if tier not in LIFT or not pattern.removeprefix("*.") or "*" in pattern.removeprefix("*."):
                raise UsageError(
                    f"authority pattern {pattern!r} with tier {tier!r}: use a host or *.suffix, tier 1 to 3."
                )
        self.patterns = {pattern.removeprefix("*.").lower(): tier for pattern, tier in patterns.items()}
        self.tier = lru_cache(maxsize=65_536)(self._tier)

    @classmethod
    def extended(cls, path: Path) -> "Authority":
        """The default list with the lines `pattern tier` of a file; `#` begins a comment, tier 0 takes a host out.

        Raises:
            UsageError: the file cannot be read or a line has another form.
        """
        patterns = dict(DEFAULT)
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the authority list {path}: {error}.") from None
        for number, line in enumerate(lines, 1):
            parts = line.split("#", 1)[0].split()
            if not parts:
                continue
            if len(parts) != 2 or parts[1] not in {str(tier) for tier in LIFT}:
                raise UsageError(f"{path}:{number}: {line.strip()!r} is not `pattern tier` with a tier from 0 to 3.")
            patterns[parts[0]] = int(parts[1])
        return cls(patterns)

    def _tier(self, host: str) -> int:
        labels = host.split(".")
        for i in range(len(labels)):
            tier = self.patterns.get(".".join(labels[i:]))
            if tier is not None:
                return tier
        return 0
