"""Items of a Falco rules file: YAML -> mappings with their place, and their values by kind.

In: bytes of one file. Out: items, and what was wrong with those that are none. Values are text,
lists and maps and nothing else, as in yaml-cpp, which Falco uses: `on` is no truth value here.
What an item means is for `rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from analysis.errors import PlaybookError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TRUE, _FALSE = ("true", "yes", "on", "y"), ("false", "no", "off", "n")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: the file as it was named, and the line, from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a rules file, or a mapping in it: `what` names it in messages."""

    what: str
    place: Place
    values: dict[str, Any]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def wrong(self, what: str, remedy: str) -> PlaybookError:
        """Return the error that says where this item is wrong, in what, and what to do."""
        return PlaybookError(str(self.place), f"{self.what}: {what}", remedy)

    def text(self, key: str) -> str:
        """Return a value that must be a text with something in it, without blanks around it."""
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(f"no {key}", f"write '{key}:' and a text")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a value that must be a list of texts."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.wrong(f"{key} is no list of texts", f"write '{key}: [one, two]'")
        return tuple(value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return a value that must be true or false."""
        value = str(self.values.get(key, default))
        if value.lower() not in (*_TRUE, *_FALSE):
            raise self.wrong(f"{key} is {value!r}", "write true or false")
        return value.lower() in _TRUE

    def mappings(self, key: str) -> list[dict[str, Any]]:
        """Return a value that must be a list of mappings; none if it is missing or empty."""
        value = self.values.get(key) or []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.wrong(f"{key} is no list of mappings", "begin each with '- name:'")
        return value

    def overrides(self, appendable: Sequence[str], replaceable: Sequence[str]) -> dict[str, str]:
        """Return what `override` says: key to 'append' or 'replace'."""
        overrides = self.values.get("override") or {}
        if not isinstance(overrides, dict):
            raise self.wrong("override is no mapping", "write 'key: append' or 'key: replace'")
        for key, how in overrides.items():
            allowed = {"append": appendable, "replace": replaceable}.get(str(how), ())
            if key not in allowed:
                remedy = f"append one of {', '.join(appendable)}; "
                remedy += f"or replace one of {', '.join(replaceable)}"
                raise self.wrong(f"override of {key!r} by {how!r}", remedy)
            if key not in self:
                raise self.wrong(
                    f"override of {key!r}, which is missing", f"write '{key}:' as well"
                )
        if overrides and self.flag("append"):
            raise self.wrong("append and override", "leave out 'append: true'")
        return overrides


def read_items(content: bytes, file: str) -> Iterator[Item | PlaybookError]:
    """Yield the items of a rules file in order, and an error in place of each that is none.

    YAML that cannot be read ends its file with an error; what stands in documents before it holds.
    """
    try:
        # builds text, lists and maps only: less than safe_load does. Not the C parser: brackets
        # nested by the ten thousand end its process
        loader = yaml.BaseLoader(content)
        while loader.check_node():
            document = loader.get_node()
            place = Place(file, document.start_mark.line + 1)
            if isinstance(document, yaml.SequenceNode):
                for node in document.value:
                    yield from _item(loader, node, file)
            elif not _is_empty(document):
                remedy = "give the file whose items begin with '- rule:', '- macro:' or '- list:'"
                yield PlaybookError(str(place), "no list of rules", remedy)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        said = (
            getattr(error, "problem", None) or getattr(error, "reason", None) or "nested too deep"
        )
        place = Place(file, mark.line + 1 if mark else 1)
        remedy = "correct the YAML; this document was not read, nor what follows"
        yield PlaybookError(str(place), str(said), remedy)


def _item(loader: Any, node: Any, file: str) -> Iterator[Item | PlaybookError]:
    place = Place(file, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        # of a key that stands twice, Falco reads the first
        pairs = reversed(node.value)
        values = {str(key.value): loader.construct_object(one, deep=True) for key, one in pairs}
        yield Item("item", place, values)
    elif not _is_empty(node):
        yield PlaybookError(str(place), "no item", "begin it with 'rule:', 'macro:' or 'list:'")


def _is_empty(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")
