"""How the relations of the World Factbook are worded."""

from murk.envs.worlds.facts import Relation

_LARGE, _LONG = ("larger", "smaller", "largest", "smallest"), ("longer", "shorter", "longest", "shortest")
_GREAT = ("greater", "smaller", "greatest", "smallest")
_MEASURED, _COUNTED, _EXACT = 0.005, 0.002, 0.001
_GDP = "real GDP (purchasing power parity)"

# Name, phrase, tolerance, whether it changes from edition to edition, degrees, questions.
_NUMBERS: tuple[tuple[str, str, float, bool, tuple[str, ...], tuple[str, ...]], ...] = (
    ("total area", "total area", _MEASURED, False, _LARGE, ("How large is the total area of {subject}?",)),
    ("land area", "land area", _MEASURED, False, _LARGE, ("How large is the land area of {subject}?",)),
    ("coastline", "coastline", _MEASURED, False, _LONG, ("How long is the coastline of {subject}?",)),
    ("length of land boundaries", "total length of the land boundaries", _MEASURED, False, _GREAT,
     ("How long are the land boundaries of {subject} in total?",)),
    ("elevation of the highest point", "elevation of the highest point", _EXACT, False, _GREAT,
     ("How high is the highest point of {subject}?",)),
    ("mean elevation", "mean elevation", _MEASURED, False, (), ()),
    ("population", "population", _COUNTED, True, _LARGE,
     ("How many people live in {subject}?", "How large is the population of {subject}?")),
    ("median age", "median age of the population", _EXACT, True, (), ()),
    ("life expectancy at birth", "life expectancy at birth", _EXACT, True, (),
     ("What is the life expectancy at birth in {subject}?",)),
    ("total fertility rate", "total fertility rate", _EXACT, True, (), ()),
    (_GDP, "real GDP at purchasing power parity", _COUNTED, True, _LARGE,
     ("How large is the real GDP at purchasing power parity of {subject}?",)),
    ("real GDP per capita", "real GDP per capita", _COUNTED, True, (), ()),
)  # fmt: skip

# Name, phrase, kind, whether it changes, questions.
_NAMES: tuple[tuple[str, str, str, bool, tuple[str, ...]], ...] = (
    ("capital", "capital", "name", False, ("Which city is the capital of {subject}?",)),
    ("highest point", "highest point", "name", False, ("What is the highest point of {subject} called?",)),
    ("internet country code", "internet country code", "name", False, ()),
    ("independence", "date of independence", "date", False, ("On which date did {subject} become independent?",)),
    ("national holiday", "date of the national holiday", "date", False,
     ("On which day of the year is the national holiday of {subject}?",)),
    ("chief of state", "chief of state", "name", True, ("Who is the chief of state of {subject}?",)),
    ("head of government", "head of government", "name", True,
     ("Who is the head of government of {subject}?", "Who heads the government of {subject}?")),
)  # fmt: skip

_COUNTRY = {"en": "country"}
RELATIONS = (
    *(
        Relation(name, {"en": phrase}, "number", _COUNTRY, changes=changes, tolerance=tolerance,
                 questions={"en": questions}, degrees={"en": degrees})
        for name, phrase, tolerance, changes, degrees, questions in _NUMBERS
    ),
    *(
        Relation(name, {"en": phrase}, kind, _COUNTRY, changes=changes, telling=kind != "date",
                 questions={"en": questions})
        for name, phrase, kind, changes, questions in _NAMES
    ),
    Relation("borders", {"en": "border countries"}, "entity", _COUNTRY, many=True, asked=False,
             members={"en": "countries that border {subject}"},
             foremost={"en": "the country with which {subject} shares its longest border"}),
    Relation("region", {"en": "world region"}, "entity", _COUNTRY, asked=False,
             members={"en": "countries that the World Factbook lists under {value}"}),
)  # fmt: skip
