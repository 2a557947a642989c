"""The analyst's desk in JupyterLab: widgets over a loaded set of alerts.

In: alerts, and the file that keeps marks. Out: a widget. It holds no logic: what is asked is
answered by `facets`, `case`, `tables`, `figures`, `verdicts` and `report`, which need no widget.
All that it shows of an alert went through `quoting`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import ipywidgets as w  # type: ignore[import-untyped]
import pandas as pd
from IPython.display import HTML, display
from markupsafe import Markup

from analysis import facets, verdicts
from analysis.arrangement import BESIDE, LIST, WIDE, arranged
from analysis.case import investigate
from analysis.counting import FACETS, Facets
from analysis.errors import KitError
from analysis.figures.picture import counted
from analysis.incidents import correlate
from analysis.quoting import visible
from analysis.report import write_reports
from analysis.triage import score
from analysis.views import VIEWS, label, line, moments, paragraph, view

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from analysis.case import Case

MOST = 50
"""Values of a facet and incidents that a list holds; a query finds the others."""


class Desk:
    """A desk over alerts; shows itself in a notebook.

    Parameters
    ----------
    alerts : DataFrame
        As `read_alerts` returns it; correlated here.
    store : path
        Where marks are kept, see `verdicts.beside`.
    out : path
        Where reports are put: a folder at or below the notebook's, so that a link reaches it.
    by : str, optional
        Who marks; the login name if not given.
    gap : str
        As `correlate` takes it.
    """

    def __init__(
        self,
        alerts: pd.DataFrame,
        *,
        store: str | Path,
        out: str = "reports",
        by: str | None = None,
        gap: str = "15min",
    ) -> None:
        self.alerts, self.incidents, _ = correlate(alerts, gap=gap)
        self.store, self.out, self.by, self.gap = store, out, by, gap
        self.rows = self.alerts.groupby("incident_id", sort=False).indices
        self.points = score(self.alerts, self.incidents)
        self.counts = Facets(self.alerts, self.incidents)
        self._number = self.alerts["alert_id"].nunique()
        self.held = self._left = facets.asked(self.alerts)
        self._asked: dict[str, Any] = {}
        self.case: Case | None = None
        self.marked = self._marks()
        self._pivot: tuple[str, str] | None = None
        self._drawn: set[int] = set()
        self._busy = False
        self._build()
        self._refresh()
        self._draw()

    @property
    def selected(self) -> pd.DataFrame:
        """The alerts that are selected."""
        return facets.only(self.alerts, self.held)

    def _build(self) -> None:
        self.facets = {name: w.SelectMultiple(layout=LIST, rows=8, tooltip=name) for name in FACETS}
        self.query = w.Text(
            placeholder="words, proc.exepath=/usr/bin/curl, priority>=Error",
            description="Query",
            continuous_update=False,
            layout=WIDE,
        )
        times = moments(self.alerts["time"])
        self.time = w.SelectionRangeSlider(
            options=times,
            index=(0, len(times) - 1),
            description="Time (UTC)",
            continuous_update=False,
            readout=False,
            layout=BESIDE,
        )
        self.range = w.Label()
        self.status, self.listed = w.HTML(), w.Select(rows=10, layout=WIDE)
        self.views = [w.HTML() for _ in VIEWS]
        self.tabs = w.Tab(children=self.views, titles=VIEWS)
        self.field = w.Combobox(
            options=[name for name in map(str, self.alerts) if "." in name],
            description="Field",
            placeholder="proc.exepath",
        )
        self.value = w.Dropdown(description="Value", layout=BESIDE)
        self.pivot, self.clear, self.mark, self.report = (
            w.Button(description=does)
            for does in ("All with this", "Clear", "Mark", "Make the report")
        )
        self.verdict = w.ToggleButtons(
            options=verdicts.VERDICTS,
            value=None,
            style={"button_width": "7em"},
            layout=w.Layout(flex="0 0 auto"),
        )
        self.note = w.Text(placeholder="why", layout=BESIDE)
        self.said, self.link = w.HTML(), w.Output()
        for widget in (*self.facets.values(), self.query, self.time):
            widget.observe(self._refresh, "value")
        self.listed.observe(self._open, "value")
        self.tabs.observe(self._draw, "selected_index")
        self.field.observe(self._offer, "value")
        for button, does in (
            (self.pivot, self._turn),
            (self.clear, self._clear),
            (self.mark, self._mark),
            (self.report, self._report),
        ):
            button.on_click(does)
        self.widget = arranged(self)

    def _ipython_display_(self) -> None:
        display(self.widget)  # type: ignore[no-untyped-call]

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in the desk what was wrong with a call, and take no event of our own making."""
        before, self._busy = self._busy, True
        try:
            yield
        except (KitError, ValueError, KeyError) as error:
            self.said.value = paragraph(f"Not done: {error}")
        finally:
            self._busy = before

    def _refresh(self, _: Any = None) -> None:
        if self._busy:
            return
        self.said.value = ""
        with self._told():
            since, until = self.time.value
            self.range.value = " to ".join(dict.fromkeys(self.time.label))
            whole = self.time.index == (0, len(self.time.options) - 1)
            asked = {
                "since": None if whole else since,
                # the last moment belongs to the range
                "until": None if whole else until + pd.Timedelta(1),
                "query": self.query.value,
                "pivot": self._pivot,
            }
            if asked != self._asked:
                self._left, self._asked = facets.asked(self.alerts, **asked), asked
            chosen = {name: box.value for name, box in self.facets.items()}
            self.held = self._left & self.counts.meets(chosen)
            self._show_facets(self.counts.choices(self._left, chosen, self.held, most=MOST))
            self._show_incidents()
        self._open()

    def _show_facets(self, counted: pd.DataFrame) -> None:
        for name, box in self.facets.items():
            own = counted[counted["facet"] == name]
            values = own["value"].astype("object").where(own["value"].notna(), None).tolist()
            numbers = dict(zip(values, own["alerts"], strict=True))
            shown = values + [one for one in box.value if one not in values]
            options = [(label(one, numbers.get(one, 0)), one) for one in shown]
            if options != list(box.options):
                kept = box.value
                box.options = options
                box.value = kept

    def _show_incidents(self) -> None:
        numbers = self.counts.per_incident(self.held)
        rows = self.counts.queue(self.held, self.marked, most=MOST)
        kept = self.listed.value
        self.listed.options = [(line(row), row["incident_id"]) for row in rows.to_dict("records")]
        ids = [value for _, value in self.listed.options]
        self.listed.value = kept if kept in ids else None
        pivot = "" if self._pivot is None else f", pivot on {'='.join(self._pivot)}"
        several = int((numbers > 0).sum())
        more = f" (the first {MOST} are listed)" if several > MOST else ""
        number = int(numbers.sum())
        every = counted(self._number, "alert")
        within = counted(several, "incident")
        self.status.value = paragraph(f"{number:,} of {every} in {within}{more}{pivot}.")

    def _open(self, _: Any = None) -> None:
        """Show the incident that is chosen in the list."""
        chosen = self.listed.value
        if self._busy or (self.case.incident_id if self.case else None) == chosen:
            return
        with self._told():
            own = self.alerts.iloc[self.rows.get(chosen, [])]
            own.attrs = self.alerts.attrs
            entries = verdicts.history(self.store)
            self.case = investigate(own, marks=entries, redact=False) if chosen else None
            self._drawn.clear()
            self.link.outputs = ()
            self._offer()
        self._draw()

    def _draw(self, _: Any = None) -> None:
        """Fill the view that is looked at, once for an incident."""
        at = self.tabs.selected_index or 0
        if at in self._drawn:
            return
        with self._told():
            shown = view(self.case, VIEWS[at], summands=self.points) if self.case else ""
            self.views[at].value = shown or paragraph("Choose an incident in the list.")
            self._drawn.add(at)

    def _offer(self, _: Any = None) -> None:
        """Offer the values that the incident's alerts have of the field named."""
        own = self.case.alerts if self.case else self.alerts.iloc[:0]
        values = facets.written(own, self.field.value)[:MOST] if self.field.value in own else []
        self.value.options = [(visible(value, longest=200), value) for value in values]
        self.value.value = next(iter(values), None)

    def _turn(self, _: Any) -> None:
        """Pivot: all alerts of the set that have the value, whatever else was asked."""
        self.said.value = ""
        with self._told():
            if self.value.value is None:
                raise ValueError("choose a field, and one of the values that the incident has")
            self._reset((self.field.value, self.value.value))
        if not self.said.value:
            self._refresh()

    def _clear(self, _: Any) -> None:
        with self._told():
            self._reset(None)
        self._refresh()

    def _reset(self, pivot: tuple[str, str] | None) -> None:
        self._pivot, self.query.value = pivot, ""
        self.time.index = (0, len(self.time.options) - 1)
        for box in self.facets.values():
            box.value = ()

    def _marks(self) -> pd.DataFrame:
        return verdicts.marks_of_incidents(self.alerts, verdicts.marks(self.alerts, self.store))

    def _mark(self, _: Any) -> None:
        """Mark all alerts of the incident."""
        with self._told():
            if self.case is None or self.verdict.value is None:
                raise ValueError(f"choose an incident and one of {', '.join(verdicts.VERDICTS)}")
            ids, verdict = self.case.alerts["alert_id"], self.verdict.value
            added = verdicts.mark(self.store, ids, verdict, note=self.note.value, by=self.by)
            self.marked = self._marks()
            self._show_incidents()
            told = verdicts.history(self.store)
            self.case = replace(self.case, marks=told[told["alert_id"].isin(ids)])
            self._drawn -= {VIEWS.index("Marks"), VIEWS.index("Summary")}
            self.note.value = ""
            marked = counted(added, "alert")
            self.said.value = paragraph(f"Marked {verdict}: {marked} of the incident.")
        self._draw()

    def _report(self, _: Any) -> None:
        """Make the report of the incident, and link it."""
        with self._told():
            if self.case is None:
                raise ValueError("choose an incident")
            name = self.case.incident_id
            self.said.value = paragraph(f"Making the report of {name} ...")
            own, told = [name], verdicts.history(self.store)
            made = write_reports(self.alerts, self.out, incidents=own, gap=self.gap, marks=told)
            (done,) = made
            if done.error:
                raise done.error
            self.said.value = ""
            path = PurePath(self.out, name, "report.html").as_posix()
            link = Markup('<a href="{}">Report of {}</a>').format(quote(path), name)
            self.link.outputs = ()
            self.link.append_display_data(HTML(link))  # type: ignore[no-untyped-call]
