"""Figures say what their data say: compared by their words, not by pixels."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch

import analysis as fa
from analysis import figures
from analysis.errors import AlertSchemaError
from analysis.figures.chosen import choose
from analysis.figures.clock import parts, place
from analysis.figures.marks import TACTICS, clusters
from analysis.knowledge import tactics

from .conftest import case_of, story


def words(picture: figures.Picture) -> list[str]:
    """Return the texts drawn, from top to bottom."""
    (axes,) = picture.figure.axes
    return [text.get_text() for text in axes.texts if text.get_text()]


def test_lineage_from_the_oldest_down(memfd):
    """One box a level; the process itself at the bottom; the runtime marked as the boundary."""
    picture = figures.lineage(case_of(memfd).lineage)
    shown = words(picture)

    order = [shown.index(name) for name in ("containerd-shim", "event-generator", "3")]
    assert order == sorted(order)
    assert "container runtime: container below, host above" in shown
    assert picture.alt == (
        "Process lineage, from the process up: process 3, parent event-generator, "
        "grandparent containerd-shim"
    )


def test_gap_is_drawn_as_a_gap():
    """An unknown level has a dashed, empty box and says that the alert does not tell."""
    picture = figures.lineage(fa.ancestry({"proc.name": "a", "proc.aname[2]": "c"}))
    boxes = [p for p in picture.figure.axes[0].patches if isinstance(p, FancyBboxPatch)]

    assert "not in this alert" in words(picture)
    assert [box.get_linestyle() for box in boxes].count("--") == 1


def test_timeline_in_order_with_the_time_between(memfd):
    """Moments from top to bottom, and how much later each came."""
    picture = figures.timeline(case_of(memfd).timeline)

    assert "14.6 s later" in words(picture)
    assert "container's first process started" in words(picture)
    assert picture.alt.startswith("Timeline: 2024-10-05 16:08:13 UTC container's first process")


def test_same_data_same_bytes(memfd):
    """A picture can be compared and reproduced."""
    chain = case_of(memfd).lineage

    assert figures.lineage(chain).svg() == figures.lineage(chain).svg()


def test_alert_text_is_text(memfd):
    """No mathematics, no markup, nothing hidden; scripts that the font lacks stay text."""
    hostile = story(
        memfd, **{"proc.pname": "$\\frac{1}{0}$<b>\u202e", "proc.cmdline": "日本語 $x$"}
    )
    svg = figures.lineage(case_of(hostile).lineage).svg()

    assert "$\\frac{1}{0}$&lt;b&gt;⟨U+202E⟩" in svg
    assert "日本語 $x$" in svg
    assert "<b>" not in svg


def test_nothing_to_draw():
    """An alert without process gives an empty picture that says so."""
    picture = figures.lineage(fa.ancestry({"ka.verb": "get"}))

    assert picture.alt == "No process known."
    assert picture.svg().lstrip().startswith("<svg ")


def test_wrong_frame_is_named(memfd):
    """A frame without the columns is an error that names them."""
    with pytest.raises(AlertSchemaError, match=r"figures\.lineage\(\) needs columns"):
        figures.lineage(case_of(memfd).timeline)


# ---------------------------------------------------------------- many alerts: the process tree
START = pd.Timestamp("2026-03-01 10:00:00", tz="UTC")
POD = "3f2a9c0d1e2f"
HOSTILE = {
    "mathematics": ("$\\frac{1}{0}$", "$\\frac{1}{0}$"),
    "markup": ("<script>alert(1)</script>", "<script>alert(1"),
    "entity": ("]]>&lt;<!--", "]]>&lt;<!--"),
    "right to left": ("a\u202egnp.exe", "a⟨U+202E⟩gnp.exe"),
    "terminal": ("\x1b[31mred", "⟨ESC⟩[31mred"),
    "new line": ("sh\nroot", "sh⟨LF⟩root"),
    "stacked marks": ("a" + "\u0301" * 50, "a\u0301\u0301⟨U+0301⟩"),
}


def processes(*rows: dict) -> pd.DataFrame:
    """Return processes as `ProcessTree.processes`; each row may name the row of its `parent`."""
    made: list[dict] = []
    for number, row in enumerate(rows):
        parent = row.get("parent")
        seen = START + pd.Timedelta(seconds=row.get("at", number))
        name = row["name"]
        made.append(
            {
                "process_id": f"p-{number:016x}",
                "parent_id": None if parent is None else made[parent]["process_id"],
                "depth": 0 if parent is None else made[parent]["depth"] + 1,
                "hostname": row.get("host", "web-1"),
                "container.id": row.get("container", "host"),
                "proc.name": name,
                "proc.exepath": None,
                "proc.cmdline": row.get("cmdline", name),
                "proc.pid": row.get("pid"),
                "started": None,
                "first_seen": seen,
                "last_seen": seen,
                "alerts": row.get("alerts", 0),
                "inferred": row.get("inferred", False),
                "confidence": "high",
                "boundary": name in ("containerd-shim", "conmon"),
                "session_leader": None,
                "terminal": None,
                "reparented": row.get("reparented", False),
            }
        )
    text = ("process_id", "parent_id", "hostname", "container.id", "proc.name", "proc.exepath",
            "proc.cmdline", "confidence", "terminal")  # fmt: skip
    times = dict.fromkeys(("started", "first_seen", "last_seen"), "datetime64[ns, UTC]")
    columns = dict.fromkeys(made[0]) if made else dict.fromkeys(figures.tree.NEEDED)
    return pd.DataFrame(made, columns=list(columns)).astype(
        {name: "str" for name in text if name in columns}
        | {name: kind for name, kind in times.items() if name in columns}
        | {"depth": "int64", "alerts": "int64", "proc.pid": "Int64", "inferred": "bool",
           "boundary": "bool", "reparented": "bool"}
    )  # fmt: skip


WEB_SHELL = (
    {"name": "systemd"},
    {"name": "containerd-shim", "parent": 0},
    {"name": "nginx", "parent": 1, "container": POD},
    {"name": "sh", "parent": 2, "container": POD, "alerts": 2, "pid": 4711, "cmdline": "sh -c id"},
    {"name": "curl", "parent": 3, "container": POD, "alerts": 1},
    {"name": "kworker", "parent": 3, "container": POD, "alerts": 3, "inferred": True},
    {"name": "cat", "parent": 5, "container": POD, "alerts": 1, "reparented": True},
    {"name": "cron", "parent": 0},
)


def noisy(count: int, **changes: object) -> pd.DataFrame:
    """Return the web shell beside so many runs of one job that there are `count` processes."""
    cron = len(WEB_SHELL) - 1
    job = {"name": "logger", "parent": cron, "alerts": 1} | changes
    return processes(*WEB_SHELL, *[job] * (count - len(WEB_SHELL)))


def texts(picture: figures.Picture) -> list[tuple[float, float, str]]:
    """Return the texts drawn with their places: from the top [inch], from the left [inch], words."""
    (axes,) = picture.figure.axes
    return sorted((t.get_position()[1], t.get_position()[0], t.get_text()) for t in axes.texts)


def line_of(picture: figures.Picture, name: str) -> list[str]:
    """Return all that stands on the line of the process `name`, from left to right."""
    (y,) = {y for y, _, text in texts(picture) if text == name}
    return [text for place, _, text in texts(picture) if place == y]


def overlapping(picture: figures.Picture) -> list[tuple[str, str]]:
    """Return pairs of texts that are drawn over each other, and texts beyond the figure's edge."""
    figure = picture.figure
    figure.set_dpi(300)  # so that rounding to pixels does not count
    canvas = FigureCanvasAgg(figure)
    (axes,) = figure.axes
    boxes = [
        (t.get_text(), t.get_window_extent(canvas.get_renderer()))
        for t in axes.texts
        if t.get_text()
    ]
    found = [(text, "edge") for text, box in boxes if box.x1 > figure.bbox.x1 or box.y0 < 0]
    for (one, box), (other, second) in combinations(boxes, 2):
        # glyphs reach a little above and below their line; words must not touch
        wide = min(box.x1, second.x1) - max(box.x0, second.x0)
        high = min(box.y1, second.y1) - max(box.y0, second.y0)
        if wide > 0 and high > 0.2 * min(box.height, second.height):
            found.append((one, other))
    return found


def test_tree_tells_a_web_shell():
    """A line a process, children indented below their parent; marks, container and notes."""
    picture = figures.process_tree(processes(*WEB_SHELL))
    names = [r["name"] for r in WEB_SHELL]
    drawn = [(x, text) for _, x, text in texts(picture) if text in names]
    indents = {text: round((x - drawn[0][0]) / 0.2) for x, text in reversed(drawn)}

    assert list(dict.fromkeys(text for _, text in drawn)) == names
    assert indents == {"systemd": 0, "containerd-shim": 1, "nginx": 2, "sh": 3, "curl": 4,
                       "kworker": 4, "cat": 5, "cron": 1}  # fmt: skip
    assert line_of(picture, "sh") == ["sh", "pid 4711 · 2 alerts", "sh -c id", "10:00:03"]
    assert "container runtime" in line_of(picture, "containerd-shim")[1]
    assert "inferred" in line_of(picture, "kworker")[1]
    assert "reparented" in line_of(picture, "cat")[1]
    shown = words(picture)
    assert shown.index("containerd-shim") < shown.index(f"container {POD}") < shown.index("nginx")
    assert picture.alt == (
        "Process tree: 8 processes, 1 of them inferred from names, on web-1, 7 alerts on 4 of "
        "them, 2026-03-01 10:00:00 to 10:00:07 UTC. sh below nginx (2 alerts); curl below sh (1 alert); kworker below sh, "
        "inferred from names (3 alerts); cat below kworker (1 alert). "
        "Container runtimes: containerd-shim."
    )


def test_an_ancestor_below_the_runtime_is_in_the_container():
    """Alerts tell their own process's container; between it and the runtime all is inside, above not."""
    rows = [dict(row, container=None) if "alerts" not in row else row for row in WEB_SHELL]
    rows[3] |= {"container": POD}
    shown = words(figures.process_tree(processes(*rows)))

    assert shown.count(f"container {POD}") == 1
    assert shown.index("containerd-shim") < shown.index(f"container {POD}") < shown.index("nginx")


def test_a_container_without_its_runtime_has_no_known_edge():
    """Where no runtime is told, whether the ancestors are inside is not told either; nor guessed."""
    rows = processes(
        {"name": "nginx", "container": None},
        {"name": "sh", "parent": 0, "container": POD, "alerts": 1},
    )
    shown = words(figures.process_tree(rows))

    edge = f"container {POD}; whether it holds those above is not told"
    assert shown.index("nginx") < shown.index(edge) < shown.index("sh")
    alone = processes({"name": "sh", "container": POD, "alerts": 1})
    assert f"container {POD}" in words(figures.process_tree(alone))


def test_two_containers_below_one_runtime_name():
    """An ancestor whose processes are in different containers is in none that could be named."""
    rows = processes(
        {"name": "containerd-shim", "container": None},
        {"name": "init", "parent": 0, "container": None},
        {"name": "a", "parent": 1, "container": "aaa", "alerts": 1},
        {"name": "b", "parent": 1, "container": "bbb", "alerts": 1},
    )
    shown = words(figures.process_tree(rows))
    edges = [text for text in shown if text.startswith(("container aaa", "container bbb"))]

    assert [edge.split(";")[0] for edge in edges] == ["container aaa", "container bbb"]
    assert shown.index("init") < shown.index(edges[0]) < shown.index("a")


def test_processes_known_by_name_are_not_counted_as_facts():
    """How many there are rests on names, and the title says so."""
    rows = [dict(row, inferred=True) for row in WEB_SHELL]

    assert words(figures.process_tree(processes(*rows)))[0] == (
        "8 processes inferred from names, on web-1"
    )
    assert words(figures.process_tree(processes(*WEB_SHELL)))[0] == (
        "8 processes, 1 of them inferred from names, on web-1"
    )


def test_tree_marks_without_colour():
    """Alerts are a shape and bold, a link from names is dashed, and the legend names what is there."""
    picture = figures.process_tree(processes(*WEB_SHELL))
    (axes,) = picture.figure.axes
    bold = {t.get_text() for t in axes.texts if t.get_fontweight() == "bold"}
    shapes = [line.get_marker() for line in axes.lines if line.get_marker() != "None"]

    assert {"sh", "curl", "kworker", "cat"} <= bold
    assert not {"systemd", "nginx", "cron"} & bold
    # one of each more: the legend
    assert [shapes.count(s) for s in "Dos"] == [4 + 1, 3 + 1, 1 + 1]
    assert sum(line.get_linestyle() == "--" for line in axes.lines) == 2 + 1
    assert "inferred from names" in words(picture)
    plain = figures.process_tree(processes({"name": "sh", "alerts": 1}))
    assert not {"inferred from names", "container runtime"} & set(words(plain))


@pytest.mark.parametrize("count", [1, 2, 60])
def test_few_processes_are_all_drawn(count):
    """Nothing is folded that fits."""
    picture = figures.process_tree(
        processes(*[{"name": f"n{i}", "alerts": 1} for i in range(count)])
    )

    assert {f"n{i}" for i in range(count)} <= set(words(picture))
    assert "more" not in picture.alt


@pytest.mark.parametrize("count", [200, 5_000])
def test_one_job_takes_a_row_and_the_intrusion_is_seen(count):
    """Runs of one job are one line and a count; each process of the intrusion has its line."""
    picture = figures.process_tree(noisy(count))
    folded = count - len(WEB_SHELL) - 1

    assert {r["name"] for r in WEB_SHELL} | {"logger"} <= set(words(picture))
    assert f"+{folded:,} more logger, {folded:,} alerts" in words(picture)
    assert f"logger below cron (1 alert); {folded:,} processes folded into counts" in picture.alt
    assert overlapping(picture) == []


def test_two_hundred_of_a_kind_stay_readable():
    """200 processes that differ: at most `most` rows and those counted, no text over another."""
    rows = [*WEB_SHELL, *({"name": "sh", "parent": 3 + i % 4, "container": POD, "alerts": i % 3,
                           "cmdline": f"sh -c 'wget http://203.0.113.{i}/{'x' * i}'"}
                          for i in range(192))]  # fmt: skip
    picture = figures.process_tree(processes(*rows))

    assert len(choose(processes(*rows), 60)) <= 60
    assert overlapping(picture) == []
    assert len(picture.alt) < 1_500


@pytest.mark.parametrize("count", [5_000])
def test_depth_is_no_limit(count):
    """The process with the alert is drawn, however deep; how many are between is said."""
    rows = [{"name": f"n{i}", **({"parent": i - 1} if i else {})} for i in range(count)]
    rows[-1]["alerts"] = 1
    picture = figures.process_tree(processes(*rows))

    assert "1 alert" in line_of(picture, f"n{count - 1}")
    assert any(f"{count - 6:,} between not shown" in text for text in words(picture))
    assert {"n0", "n1", f"n{count - 2}"} <= set(words(picture))
    assert overlapping(picture) == []


def test_all_of_one_name_and_no_alert():
    """Nothing stands out: the first of each shape, and a count."""
    picture = figures.process_tree(processes(*[{"name": "bash"}] * 5_000))

    assert words(picture).count("bash") == 1
    assert "+4,999 more bash, no alerts" in words(picture)


@pytest.mark.parametrize(("name", "seen"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_are_written_out(name, seen):
    """No mathematics, no markup, no hidden character, in the picture or in its words."""
    picture = figures.process_tree(
        processes({"name": name, "alerts": 1, "container": name, "host": name, "cmdline": name})
    )
    svg = picture.svg()
    root = ET.fromstring(svg)
    shown = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]

    assert any(text.startswith(seen) for text in shown)
    assert seen in root.attrib["aria-label"]
    assert "<script" not in svg
    assert all(text.isprintable() for text in shown)
    assert overlapping(picture) == []


def test_svg_holds_nothing_but_shapes_and_text():
    """Inside a page it needs no style of its own and reaches for nothing; its ids are its own."""
    one = figures.process_tree(processes(*WEB_SHELL)).svg()
    other = figures.process_tree(noisy(200)).svg()
    root = ET.fromstring(one)

    assert {e.tag.removeprefix("{http://www.w3.org/2000/svg}") for e in root.iter()} <= {
        "svg", "g", "path", "text", "defs", "clipPath", "rect", "use"
    }  # fmt: skip
    assert "style" not in one
    assert set(re.findall(r'href="(.)', one)) <= {"#"}
    assert root.get("role") == "img"
    ids = re.findall(r' id="([^"]+)"', one), re.findall(r' id="([^"]+)"', other)
    assert ids[0]
    assert not set(ids[0]) & set(ids[1])


def test_no_process_no_tree():
    """An empty frame gives a picture that says so."""
    assert figures.process_tree(processes()).alt == "No process known."


def test_order_of_rows_does_not_count():
    """The same processes give the same bytes, in whatever order."""
    frame = noisy(200, cmdline="logger x")

    assert (
        figures.process_tree(frame).svg()
        == figures.process_tree(frame.sample(frac=1, random_state=7)).svg()
    )


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc"), st.integers(0, 2)), max_size=60),
    st.integers(1, 30),
)
def test_every_process_is_drawn_or_counted(told, most):
    """Drawn, between two drawn, and folded add up to all, in at most `most` rows, parents first."""
    rows = [
        {"name": name, "alerts": alerts, **({"parent": above % i} if i and above < 30 else {})}
        for i, (above, name, alerts) in enumerate(told)
    ]
    frame = processes(*rows)
    drawn = choose(frame, most)
    own = drawn[drawn["process"] >= 0]
    parents = pd.Index(frame["process_id"]).get_indexer(frame["parent_id"])
    between = set()
    for process, above in zip(own["process"], own["above"], strict=True):
        stop = drawn["process"].iloc[above] if above >= 0 else -1
        while (process := parents[process]) != stop:
            between.add(process)

    assert len(own) + len(between) + drawn["folded"].sum() == len(frame)
    assert len(drawn) <= most
    assert (drawn["above"] < drawn.index).all()
    alerts = frame["alerts"].iloc[[*own["process"], *between]].sum() + drawn["folded_alerts"].sum()
    assert alerts == frame["alerts"].sum()


# ---------------------------------------------------------------- many alerts: activity
HOUR = 3_600


def alerts_of(*told: tuple) -> pd.DataFrame:
    """Return alerts: (seconds, process name, tags), and a container if it is not the host."""
    rows = [(*one, "host")[:4] for one in told]
    frame = pd.DataFrame(rows, columns=["time", "proc.name", "tags", "container.id"])
    times = START + pd.to_timedelta(frame["time"], unit="s")
    return frame.assign(
        time=times.astype("datetime64[ns, UTC]"),
        hostname="web-1",
        rule="A rule of ours",
        source="syscall",
    )


def tactic(*names: str) -> tuple[str, ...]:
    """Return tags as a stock rule has them."""
    return ("maturity_stable", "T1059", *(f"mitre_{name}" for name in names))


INTRUSION = (
    (0, "sh", tactic("execution"), POD),
    (3, "curl", tactic("persistence", "command_and_control"), POD),
    (9, "sh", tactic("execution"), POD),
    (40, "cat", tactic("credential_access"), POD),
    (6 * HOUR, "scp", tactic("exfiltration"), POD),
    (6 * HOUR + 30, "scp", ("network",), POD),
)


def test_activity_by_process_and_tactic():
    """A row per process and tactic, by the first alert, tactics by kill chain; the count at the end."""
    picture = figures.activity(alerts_of(*INTRUSION))
    names = ["sh", "curl", "cat", "scp"]
    lanes = ["Execution", "Persistence", "Command and Control", "Credential Access",
             "Exfiltration", "no tactic known"]  # fmt: skip

    assert [t for _, _, t in texts(picture) if t in names] == names
    assert [t for _, _, t in texts(picture) if t in lanes] == lanes
    assert line_of(picture, "sh") == ["sh", "Execution", "2"]
    assert picture.alt == (
        "Activity: 6 alerts, 4 process names, 2026-03-01 10:00:00 to 16:00:30 UTC. "
        "sh: 2 Execution; curl: 1 Persistence, 1 Command and Control; cat: 1 Credential Access; "
        "scp: 1 Exfiltration, 1 no tactic known."
    )
    assert overlapping(picture) == []


def test_each_tactic_has_a_shape_and_a_colour_of_its_own():
    """Each tactic of ATT&CK, in the order of the kill chain; no two share a shape."""
    shapes = [shape for shape, _ in TACTICS.values()]

    assert list(TACTICS) == list(tactics().values())
    assert len(set(shapes)) == len(shapes)


def test_hours_of_silence_are_cut_out():
    """A gap much longer than the rest is named, not drawn; what is around it keeps its scale."""
    picture = figures.activity(alerts_of(*INTRUSION))

    assert "5 h 59 min" in words(picture)
    assert {"10:00:00", "16:00:00", "2026-03-01"} <= set(words(picture))
    even = figures.activity(alerts_of(*((i * HOUR, "sh", ()) for i in range(4))))
    assert not any(" h" in text for text in words(even))


@pytest.mark.parametrize("count", [1, 5_000])
def test_any_number_of_alerts(count):
    """Alerts too close to be told apart are a mark with a number; numbers and marks add up to all."""
    picture = figures.activity(
        alerts_of(*((i / 10, "logrotate", tactic("execution")) for i in range(count)))
    )
    (axes,) = picture.figure.axes
    right = [t for y, x, t in texts(picture) if 3.2 < x < 6.5 and t.isdecimal()]
    marks = [line for line in axes.lines if line.get_marker() == "o"]

    assert sum(map(int, right)) + (len(marks) - 1 - len(right)) == count
    assert line_of(picture, "logrotate")[-1] == f"{count:,}"
    assert overlapping(picture) == []


def test_processes_without_room_share_rows():
    """At most `most` rows; the rarest processes keep theirs; all alerts are in the count."""
    noise = [(i, f"n{i % 90:02}", tactic(("execution", "discovery")[i % 2])) for i in range(1_800)]
    picture = figures.activity(alerts_of(*noise, *INTRUSION), most=12)

    assert {"sh", "curl", "cat", "scp"} <= set(words(picture))
    # six rows of the intrusion, two shared by the noise, and so four of it with their own
    assert "+86 more" in words(picture)
    totals = [int(t.replace(",", "")) for _, x, t in texts(picture) if x > 7]
    assert len(totals) == 12
    # curl's alert has two tactics
    assert sum(totals) == 1_800 + len(INTRUSION) + 1
    assert overlapping(picture) == []


def test_an_alert_delivered_twice_is_one():
    """Where `alert_id` tells it."""
    alerts = alerts_of(*INTRUSION).assign(alert_id=list("abcdef"))
    twice = pd.concat([alerts, alerts])

    assert figures.activity(twice).alt == figures.activity(alerts).alt


def test_activity_without_process_or_time():
    """An audit alert has a row with its source; alerts without a date are counted, not placed."""
    alerts = alerts_of((0, None, ()), (1, "sh", ()))
    alerts["source"] = ["k8s_audit", "syscall"]
    assert "no process, k8s_audit" in words(figures.activity(alerts))

    undated = alerts.assign(time=alerts["time"].where([True, False]))
    assert "1 alert without a time not drawn" in figures.activity(undated).alt
    nothing = figures.activity(alerts.assign(time=alerts["time"].where([False, False])))
    assert nothing.alt == "2 alerts, 1 process name, time not told."
    assert figures.activity(alerts.iloc[:0]).alt == "No alert."


def test_tags_that_only_look_like_tactics():
    """A tag `impact` is a word; only `mitre_impact` is the tactic."""
    assert "sh: 1 no tactic known" in figures.activity(alerts_of((0, "sh", ("impact",)))).alt


@pytest.mark.parametrize(("name", "seen"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_over_time(name, seen):
    """Names, hosts and containers are written out, and cut."""
    alerts = alerts_of((0, name, (), name), (1, name * 9, (), POD)).assign(hostname=name)
    picture = figures.activity(alerts)

    assert any(text.startswith(seen[:17]) for text in words(picture))
    assert "<script" not in picture.svg()
    assert all(text.isprintable() for text in words(picture))
    assert overlapping(picture) == []


def test_activity_in_any_order_is_the_same():
    """The same alerts give the same bytes."""
    alerts = alerts_of(*INTRUSION, *((i, "cron", tactic("execution")) for i in range(500)))

    assert (
        figures.activity(alerts).svg()
        == figures.activity(alerts.sample(frac=1, random_state=3)).svg()
    )


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=60))
def test_time_runs_to_the_right(moments):
    """Later is never further left, and nothing stands outside the axis, cuts or not."""
    times = np.sort(np.array(moments, dtype="int64")) + 1_700_000_000 * 10**9
    where = place(times, parts(times, 3.0, 6.0))

    assert (np.diff(where) >= 0).all()
    assert where.min() >= 3.0 - 1e-9
    assert where.max() <= 6.0 + 1e-9
    assert sum(stop - start for start, stop in clusters(where)) == len(times)


def test_moments_of_one_time_are_not_later_than_each_other():
    """A file written and changed at once: nothing passed between the two."""
    time = pd.Timestamp("2026-03-01T10:00:00Z")
    picture = figures.timeline(pd.DataFrame({"time": [time, time], "moment": ["a", "b"]}))

    assert "at the same time" in words(picture)
    assert not any("later" in word for word in words(picture))
