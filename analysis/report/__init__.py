"""notebook -> report: run the incident notebook for each incident and write what came of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.report.batch import write_reports
    from analysis.report.job import Outcome

__all__ = ["Outcome", "write_reports"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more: the fork server starts before pandas is there."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{'job' if name == 'Outcome' else 'batch'}")
    return getattr(module, name)
