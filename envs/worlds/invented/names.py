"""Invented names, one for each number, in English, Spanish and Chinese letters.

A word is onset, vowel, onset, vowel and an ending. Consonants and vowels alternate, so that different parts give
different words; the endings of one kind of entity are no other kind's, and each Chinese sign stands for one syllable.
"""

from functools import lru_cache
from math import gcd

from murk.envs.seeds import derive

VOWELS = "aeiou"
_SYLLABLES = {
    "b": "巴贝比博布",
    "d": "达德迪多杜",
    "f": "法费菲福富",
    "g": "加格吉戈古",
    "h": "哈赫希霍胡",
    "j": "贾杰季乔朱",
    "k": "卡克基科库",
    "l": "兰莱利洛卢",
    "m": "马梅米莫穆",
    "n": "纳内尼诺努",
    "p": "帕佩皮波普",
    "r": "拉雷里罗鲁",
    "s": "萨塞西索苏",
    "t": "塔特蒂托图",
    "v": "瓦维威沃武",
    "z": "扎泽齐佐祖",
}
_BEFORE = {"b": "卜", "d": "笛", "g": "葛", "k": "可", "s": "斯", "t": "忒", "l": "尔", "n": "恩", "r": "耳"}
_SINGLE = tuple(_SYLLABLES)
_FIRST = (*_SINGLE, "br", "dr", "gr", "kr", "tr", "st", "sk")
_MIDDLE = (*_SINGLE, "ld", "lm", "lv", "lt", "nd", "nt", "nz", "rn", "rv", "rk", "rd", "sk", "st")
_STEMS = len(_FIRST) * 5 * len(_MIDDLE) * 5

# Kind of name: (English, Spanish, Chinese) endings.
_ENDINGS = {
    "person": (
        ("n", "n", "恩"),
        ("r", "r", "尔"),
        ("s", "s", "斯"),
        ("sen", "sén", "森"),
        ("vic", "vich", "维奇"),
        ("rdi", "rdi", "尔迪"),
        ("lund", "lund", "伦德"),
        ("nov", "nov", "诺夫"),
        ("kar", "kar", "卡尔"),
        ("neth", "net", "内思"),
        ("lis", "lis", "利斯"),
        ("dot", "dot", "多特"),
        ("quin", "quín", "昆"),
        ("mont", "mont", "蒙"),
    ),
    "town": (
        ("rin", "rín", "林"),
        ("mora", "mora", "莫拉"),
        ("vik", "vique", "维克"),
        ("stead", "estad", "斯泰德"),
        ("dal", "dal", "达尔"),
        ("nau", "nava", "瑙"),
        ("cote", "cota", "科特"),
        ("bury", "burgo", "伯里"),
    ),
    "firm": (
        ("x", "x", "克斯"),
        ("rio", "río", "里奥"),
        ("tek", "tec", "泰克"),
        ("lon", "lón", "隆"),
        ("va", "va", "娃"),
        ("dis", "dis", "迪斯"),
    ),
    "work": (
        ("leth", "let", "莱斯"),
        ("mere", "mer", "米尔"),
        ("gard", "garda", "加德"),
        ("wyn", "vín", "温"),
        ("fell", "fel", "费尔"),
    ),
    "structure": (
        ("ness", "nes", "尼斯"),
        ("holm", "holmo", "霍姆"),
        ("ford", "forda", "福德"),
        ("gate", "gata", "盖特"),
    ),
    "event": (("lia", "lia", "利亚"), ("thor", "tor", "索尔"), ("wend", "venda", "文德"), ("lume", "lumbre", "卢姆")),
    "region": (("land", "landia", "兰德"), ("marn", "marna", "马恩"), ("wold", "valda", "沃尔德")),
    "country": (("via", "via", "维亚"), ("dor", "dor", "多尔"), ("nesia", "nesia", "尼西亚")),
}
_GIVEN = (
    *(("mira", "米拉"), ("sel", "塞尔"), ("nia", "妮娅"), ("rell", "蕾尔"), ("lise", "莉丝")),  # women, then men
    *(("len", "伦"), ("vor", "沃尔"), ("mas", "马斯"), ("dric", "德里克"), ("ton", "顿")),
)
LANGUAGES = ("en", "zh", "es")
_COLUMN = {"en": 0, "es": 1, "zh": 2}


def scattered(number: int, size: int, seed: int, name: str) -> int:
    """Another number below `size`, different for different numbers: an affine map drawn from a seed and a name."""
    factor, shift = _affine(size, seed, name)
    return (number * factor + shift) % size


def gathered(number: int, size: int, seed: int, name: str) -> int:
    """The reverse of `scattered`."""
    factor, shift = _affine(size, seed, name)
    return (number - shift) * pow(factor, -1, size) % size


@lru_cache(maxsize=256)
def _affine(size: int, seed: int, name: str) -> tuple[int, int]:
    factor = derive(seed, "factor", name, size) % size
    while gcd(factor, size) != 1:
        factor = (factor + 1) % size
    return factor, derive(seed, "shift", name, size) % size


def capacity(kind: str) -> int:
    """How many different words a kind has."""
    return _STEMS * len(_ENDINGS[kind])


def word(kind: str, number: int, seed: int, language: str) -> str:
    """The invented word of a kind of entity with a number below `capacity(kind)`, as a language writes it."""
    rest, ending = divmod(scattered(number, capacity(kind), seed, kind), len(_ENDINGS[kind]))
    rest, vowel2 = divmod(rest, 5)
    rest, middle = divmod(rest, len(_MIDDLE))
    first, vowel1 = divmod(rest, 5)
    parts = ((_FIRST[first], vowel1), (_MIDDLE[middle], vowel2))
    return _spelled(parts, language) + _ENDINGS[kind][ending][_COLUMN[language]]


def given(number: int, language: str) -> tuple[str, bool]:
    """A first name for a number, not one of a kind, and whether it is a woman's."""
    rest, ending = divmod(number % (len(_SINGLE) * 5 * len(_GIVEN)), len(_GIVEN))
    stem = _spelled(((_SINGLE[rest // 5], rest % 5),), language)
    return stem + _GIVEN[ending][language == "zh"], ending < 5


def _spelled(parts: tuple[tuple[str, int], ...], language: str) -> str:
    if language == "zh":
        signs = ("".join(_BEFORE[c] for c in onset[:-1]) + _SYLLABLES[onset[-1]][vowel] for onset, vowel in parts)
        return "".join(signs)
    return "".join(onset + VOWELS[vowel] for onset, vowel in parts).capitalize()
