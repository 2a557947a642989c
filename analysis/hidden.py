"""Hidden characters in alerts: which fields hold what an eye misses or misreads.

In: alerts. Out: one column per kind of character. What counts as hidden stands in `characters`;
what it means is for the readings.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.characters import KINDS, SUSPECT, characters_in
from analysis.schema import ENVELOPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

COLUMNS = {kind: f"{kind}_characters" for kind in KINDS}
"""The column of each kind of `characters.KINDS`."""

_FIELD = re.compile(r"(?!extra\.)(?:output_fields\.)?([A-Za-z][\w.\[\]-]*)", re.ASCII)
_SUSPECT = re.compile(SUSPECT)
_ENVELOPE = ("rule", "output", "hostname", "uuid", "tags", "source")


def find_hidden(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return which fields of each alert hold hidden characters.

    Parameters
    ----------
    alerts : DataFrame
        Every text, label or list that stood in the alert is looked at.

    Returns
    -------
    DataFrame
        The index of `alerts`, and per kind a column (object): a tuple of `field: characters`
        (`proc.cmdline: U+202E RIGHT-TO-LEFT OVERRIDE`), or missing where there are none.
    """
    found: dict[str, dict[int, list[str]]] = {column: {} for column in COLUMNS.values()}
    for column in map(str, alerts.columns):
        field = _FIELD.fullmatch(column)
        if field is None or not ("." in column or column in _ENVELOPE):
            continue
        if column.startswith("output_fields.") and field[1] in ENVELOPE:
            continue  # its own name is an envelope key's, which evidence would cite instead
        for text, rows in _odd_texts(alerts[column]):
            _note(found, field[1], text, rows)
    for row, field_name, text in _unparsed(alerts):
        _note(found, field_name, text, [row])
    made = {}
    for column, spots in found.items():
        values = np.full(len(alerts), None, dtype=object)
        for row, named in spots.items():
            values[row] = tuple(named)
        made[column] = pd.Series(values, index=alerts.index)
    return pd.DataFrame(made, index=alerts.index)


def fields_named(spots: Sequence[str]) -> tuple[str, ...]:
    """Return the fields that a value of `find_hidden` names."""
    return tuple(spot.partition(": ")[0] for spot in spots)


def _note(
    found: dict[str, dict[int, list[str]]], field: str, text: str, rows: Iterable[int]
) -> None:
    for kind, characters in characters_in(text).items():
        for row in rows:
            spots = found[COLUMNS[kind]].setdefault(int(row), [])
            spots.append(f"{field}: {', '.join(characters)}")


def _odd_texts(column: pd.Series) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield each distinct text of a column that is not plain ASCII, and the rows that hold it."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        for code, text in enumerate(column.cat.categories.astype("str").tolist()):
            if _SUSPECT.search(text):
                yield text, np.flatnonzero(codes == code)
        return
    if not isinstance(column.dtype, pd.StringDtype):
        if column.dtype != object and not isinstance(column.dtype, pd.ArrowDtype):
            return  # numbers, times
        # lists: row by row, for few fields hold any
        column = column.astype("object").map(_joined, na_action="ignore").astype("str")
    texts = pa.array(column, pa.large_string())
    # most are printable ASCII, which is told faster than by an expression
    rest = np.flatnonzero(pc.invert(pc.fill_null(pc.ascii_is_printable(texts), True)))
    odd = pd.Series(texts.take(rest).to_pylist(), index=rest, dtype="str")
    odd = odd[odd.str.contains(SUSPECT, regex=True)]
    yield from ((str(text), np.array(rows)) for text, rows in odd.groupby(odd).groups.items())


def _unparsed(alerts: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    """Yield (position, field, text) of values that are none of their field's kind: they are few."""
    texts = alerts.get("unparsed", pd.Series(dtype="str")).reset_index(drop=True).dropna()
    for row, text in texts.items():
        for column, value in json.loads(text).items():
            field = _FIELD.fullmatch(column)
            if field and field[1] not in ENVELOPE:
                yield int(str(row)), field[1], _joined(value)


def _joined(value: Any) -> str:
    """Return all text in a value, JSON's containers included."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return " ".join(map(_joined, value)) if isinstance(value, list | tuple) else str(value)
