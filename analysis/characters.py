"""Characters that an eye misses or misreads, by kind, and what each is called.

In: text. Out: what it holds of them. `quoting` writes them out, `hidden` looks for them in alerts.
Which character is of which kind: Unicode's general categories, UAX #9 (bidirectional text),
UAX #44 (Default_Ignorable_Code_Point); of UTS #39's confusables the letters that copy a Latin one
as it stands in most fonts, and the signs that copy `/` and `.`. Of lookalikes the list is not whole.
"""

from __future__ import annotations

import re
import unicodedata

_LETTER = re.compile(r"[A-Za-z/._-]")
_MOST = 6  # characters named for one kind and text

# Cyrillic, Greek, Armenian, Latin beyond ASCII, full width
_LETTERS = (
    "авеікмнорстухѕіјһԁԛԝӏАВЕКМНОРСТУХЅІЈӀҮԌԚԜ"
    "αικνορτυχϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
    "օոսհցքԼՍՏՕ"
    "\u0251\u0261\uff21-\uff3a\uff41-\uff5a"
)
_JOINERS = "\u200c\u200d\ufe00-\ufe0f"
_LATIN = "A-Za-z"

# as sets of a regular expression: written as literals, which both `re` and RE2 read
_KINDS = {
    "override": "[\u202d\u202e]",
    "direction": "[\u061c\u200e\u200f\u202a-\u202c\u2066-\u2069]",
    "escape": "[\x1b\x9b]",
    "control": "[\0-\x08\x0b\x0c\r\x0e-\x1a\x1c-\x1f\x7f-\x9a\x9c-\x9f\u2028\u2029]",
    "invisible": (
        "[\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u2800"
        "\u3164\ufeff\uffa0\ufff0-\ufffb\ue000-\uf8ff\U0001d173-\U0001d17a"
        "\U000e0000-\U000e0fff\U000f0000-\U0010fffd]"
        # in Persian, Hindi or an emoji these have a task; beside Latin they have none
        f"|[{_LATIN}/._-][{_JOINERS}]+|[{_JOINERS}]+[{_LATIN}/._-]"
    ),
    "blank": "[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]",
    # a letter counts inside a word of Latin letters only; a whole word of another script is a word
    "lookalike": (
        "[\u2024\u2044\u2215\u29f8\U0001d400-\U0001d7ff]"
        f"|[{_LETTERS}\uff0e\uff0f]+[{_LATIN}]|[{_LATIN}][{_LETTERS}\uff0e\uff0f]+"
    ),
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}

KINDS = tuple(_KINDS)
"""The kinds: `override` and `direction` reorder text on a screen, `escape` begins what a terminal
obeys, `control` is any other control character but tab and line end, `invisible` shows nothing,
`blank` shows like a blank, `lookalike` shows like an ASCII character."""

SUSPECT = "[^\t\n -~]"
"""A regular expression (`re` and RE2) without which no text holds any of them."""

# what `str.isprintable` accepts though nothing shows, and what shows like something else
_PRINTABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef\u2024\u2044\u2215\u29f8\U0001d400-\U0001d7ff]"
    f"|[{_LETTERS}\uff0e\uff0f]+(?=[{_LATIN}])|(?<=[{_LATIN}])[{_LETTERS}\uff0e\uff0f]+"
)
_BEYOND = re.compile("[^ -~]")  # none but these may fail to print
_NAMED = {"\n": "LF", "\r": "CR", "\t": "TAB", "\x1b": "ESC", "\0": "NUL"}


def is_plain(text: str) -> bool:
    """Return whether each character of `text` shows, and shows as what it is."""
    return text.isprintable() and (text.isascii() or _PRINTABLE.search(text) is None)


def write_out(text: str) -> str:
    """Return `text` with each character that does not show as what it is written out: ⟨U+202E⟩."""
    if is_plain(text):
        return text
    marked = _PRINTABLE.sub(lambda match: "".join(map(_written, match[0])), text)
    return _BEYOND.sub(
        lambda match: match[0] if match[0].isprintable() else _written(match[0]), marked
    )


def characters_in(text: str) -> dict[str, list[str]]:
    """Return the characters of each kind in `text`, named, each once: kind -> `U+202E …`.

    A line break (LF, or CR and LF) and a tab are of no kind: scripts given by `-c` hold them.
    """
    text = text.replace("\r\n", "\n")
    found = {}
    for kind, pattern in _PATTERNS.items():
        # a match may reach over the Latin letter beside it
        odd = (c for match in pattern.findall(text) for c in match if not _LETTER.match(c))
        seen = dict.fromkeys(odd)
        if seen:
            named = [_named(c) for c in list(seen)[:_MOST]]
            found[kind] = [*named, f"{len(seen) - _MOST} more"] if len(seen) > _MOST else named
    return found


def _written(character: str) -> str:
    return f"⟨{_NAMED.get(character) or f'U+{ord(character):04X}'}⟩"


def _named(character: str) -> str:
    # control characters have no name in Unicode
    name = unicodedata.name(character, _NAMED.get(character, ""))
    return f"U+{ord(character):04X} {name}".strip()
