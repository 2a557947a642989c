"""How the parts of the analyst's desk stand: which beside which, and how wide.

In: a desk with its widgets. Out: the widget that holds them. What they do is for `explorer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w  # type: ignore[import-untyped]
from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDE, LIST = w.Layout(width="auto"), w.Layout(width="auto", height="150px")
"""As wide as the desk; a list of some values."""
BESIDE = w.Layout(width="auto", flex="1 1 12em")
"""What takes the room that the widgets beside it leave."""
_FACET, _WRAPPED = w.Layout(flex="1 1 230px"), w.Layout(flex_flow="row wrap")


def arranged(desk: Any) -> w.VBox:
    """Return the desk's widgets in one: what is asked, what is found, what is decided, what is seen."""
    facets: Mapping[str, Any] = desk.facets
    headed = [
        w.VBox([w.HTML(f"<b>{escape(name)}</b>"), box], layout=_FACET)
        for name, box in facets.items()
    ]
    return w.VBox(
        [
            desk.query,
            w.HBox([desk.time, desk.range]),
            w.HBox(headed, layout=_WRAPPED),
            w.HBox([desk.field, desk.value, desk.pivot, desk.clear]),
            desk.status,
            desk.listed,
            w.HBox([desk.verdict, desk.note, desk.mark, desk.report]),
            desk.said,
            desk.link,
            desk.tabs,
        ]
    )
