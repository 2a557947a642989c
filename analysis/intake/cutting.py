"""Every way to cut a text at given words, in order: where each value can begin.

In: a text, and what stands before each value. Out: the places at which a value begins in any cut
of the whole. What the values are called, and which cut is certain, is for output_text.py and
template.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re


def every(text: str, token: str) -> list[int]:
    """Return the end of each occurrence of `token`."""
    found = []
    spot = text.find(token)
    while spot >= 0:
        found.append(spot + len(token))
        spot = text.find(token, spot + 1)
    return found


def cuts(
    text: str, tokens: list[str], shapes: list[re.Pattern[str] | None], starts: list[int]
) -> list[list[int]] | None:
    """Return, for each label, where its value begins in any cut of the whole; None if none is.

    Exact, in time linear in the occurrences: backward, what can be completed; forward, what can
    be reached. A value with a shape ends where its shape does, and there the next label stands.
    """
    last = len(tokens) - 1
    fits = [starts, *(every(text, token) for token in tokens[1:])]
    follows: list[dict[int, int]] = [{} for _ in tokens]  # begin -> begin of the next, by shape
    for i in range(last, -1, -1):
        size = len(tokens[i + 1]) if i < last else 0
        following = set(fits[i + 1]) if i < last else set()
        if shape := shapes[i]:
            for begin in fits[i]:
                match = shape.match(text, begin)
                after = match.end() + size if match else -1
                if after in following or (
                    i == last and match and text[after : after + 1] in ("", " ", ")")
                ):
                    follows[i][begin] = after
            fits[i] = list(follows[i])
        elif i < last:
            latest = max(following) - size
            fits[i] = [begin for begin in fits[i] if begin <= latest]
        if not fits[i]:
            return None
    for i in range(last):
        if shapes[i]:
            fits[i + 1] = sorted({follows[i][begin] for begin in fits[i]})
        else:
            earliest = fits[i][0] + len(tokens[i + 1])
            fits[i + 1] = [begin for begin in fits[i + 1] if begin >= earliest]
    return fits
