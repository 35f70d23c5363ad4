"""Words of questions and subtitles: which of them carry content, and which mean the same.

Plain rules for English; other languages are compared word by word as they are written, those
written without spaces by pairs of characters. Needs no model and no data.
"""

from __future__ import annotations

import re
from functools import lru_cache

STOP_WORDS = frozenset(
    """
    a about after again all also am an and any anything are as at be because been before being
    between both but by can case clip could did do does done doing during each either else ever
    every everything film following for from frame had has have having he her here hers him his
    how i if in into is it its itself just long many may me might more most much must my no nor
    not now of off on once one only option or other our out over own per picture question same
    scene second seconds see seen shall she should show shown shows so some something such than
    that the their them then there these they this those through throughout time times to too
    under until up us very video view visible was we were what when where whether which while who
    whom whose why will with would you your
    """.split()
)
"""Words that say how something is asked, not what it is about."""

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
"""Japanese and Chinese: their words are not set apart."""


def content_words(text: str) -> frozenset[str]:
    """Return the stems of the words of a text that carry content.

    Case does not count, nor do punctuation, plurals and endings (`stem`). Numbers are words.
    """
    folded = text.casefold().replace("'s ", " ").replace("\u2019s ", " ")
    found: set[str] = set()
    for word in set(_WORD.findall(folded)) - STOP_WORDS:
        found |= _pairs(word) if _UNSPACED.match(word) else {stem(word)}
    return frozenset(found)


def _pairs(word: str) -> set[str]:
    return {word[i : i + 2] for i in range(len(word) - 1)} or {word}


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Cut what English adds to a word: plural and third person s, -ed, -ing, a silent e.

    Rough on purpose: it only has to give the same stem to forms of one word, as in "carries",
    "carried", "carry" or "opens", "opening", "opened".
    """
    if len(word) <= 3 or not word.isascii() or not word.isalpha():
        return word
    word = _singular(word)
    for ending in ("ing", "ed"):
        left = word.removesuffix(ending)
        if left != word and len(left) >= 3 and left[-1] != "e" and re.search("[aeiouy]", left):
            word = left[:-1] if left[-1] == left[-2] and left[-1] not in "lsz" else left
            break
    if len(word) > 3:
        word = word.removesuffix("e")
    return word[:-1] + "y" if len(word) > 3 and word[-1] == "i" else word


def _singular(word: str) -> str:
    """Cut the s of a plural or of the third person."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word[-1] == "s" and not word.endswith(("ss", "us", "is")) else word
