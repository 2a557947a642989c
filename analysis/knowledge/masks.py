"""Conditions over whole frames: which rows support a check, each distinct value tried once.

In: alerts and conditions. Out: boolean arrays, true where a condition is known to hold. `judge`
decides for one alert, by its record; this decides for any number of them, by their columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from analysis.knowledge.conditions import question
from analysis.schema import FIELD_MISSING

if TYPE_CHECKING:
    from collections.abc import Callable

    from analysis.knowledge.model import Condition


def met(condition: Condition, column: pd.Series | None, length: int) -> Any:
    """Return where `column` is known to meet the condition; a column that is not there is missing."""
    if column is None:
        absent = condition.operator == "present" and condition.value is False
        return np.full(length, absent)
    if condition.operator == "present":
        return each(column, lambda _: True) == condition.value
    return each(column, question(condition))


def each(column: pd.Series, asked: Callable[[Any], bool]) -> Any:
    """Return `asked` of each value, asked once per distinct value; of a missing one, False."""
    codes, values = coded(column)
    # the last answer is that of code -1
    answers = [value not in FIELD_MISSING and asked(value) for value in values]
    return np.array([*answers, False], dtype=bool)[codes]


def coded(column: pd.Series) -> tuple[Any, list[Any]]:
    """Return a column as codes (-1: missing) and its distinct values, as an alert's facts hold them.

    Times and durations are integers [ns]; a list is its items joined by commas.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        if len(column) < len(column.cat.categories):
            column = column.cat.remove_unused_categories()
        return column.cat.codes.to_numpy(), column.cat.categories.tolist()
    if isinstance(column.dtype, pd.ArrowDtype):
        lists = column.array.__arrow_array__()
        column = pd.Series(pd.array(pc.binary_join(lists, ","), dtype="str"))
    elif isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind in "mM":
        numbers = column.astype("int64").astype("Int64")
        column = numbers.where(column.notna())
    codes, values = pd.factorize(column)
    return codes, values.tolist()
