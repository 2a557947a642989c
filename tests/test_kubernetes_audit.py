"""Kubernetes audit alerts: what was done is not mixed up with what was tried, nor who with what."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import pytest

from analysis import investigate, navigator, read_alerts
from analysis.evidence import exhibits
from analysis.features import event_sources
from analysis.findings import find
from analysis.incidents import correlate
from analysis.knowledge import playbook_for

from .conftest import case_of, lines
from .test_stories import alert_of

if TYPE_CHECKING:
    import analysis as fa

DONE = ("it accepted the request", "the session was opened")
GIVES = (
    "all verbs on all resources",
    "read secrets",
    "running containers",
    "create pods",
    "beyond",
)
NOT_DONE = ("nothing was done", "changed nothing", "kept nothing", "did not exist")


def audit(rule: str = "Our own audit rule", **fields: object) -> fa.Case:
    """Return the case of an audit alert with these fields, `__` written for the dot."""
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return case_of(alert_of("k8s_audit", {"rule": rule, "fields": named}))


def claims(case: fa.Case) -> str:
    """Return all that is claimed, as one text."""
    return "\n".join(finding.claim for finding in case.findings)


def test_a_request_is_not_both_done_and_refused():
    """Whatever code, decision and dry run say together, done and not done never stand side by side."""
    codes = ["101", "200", "201", "400", "401", "403", "404", "409", "422", "500"]
    uris = ["/api/v1/pods", "/api/v1/pods?dryRun=All"]
    told = [
        {"ka.response.code": code, "ka.auth.decision": decision, "ka.uri": uri}
        for code, decision, uri in product(codes, ("allow", "forbid"), uris)
    ]
    stories = [alert_of("k8s_audit", {"rule": "Our own rule", "fields": one}) for one in told]
    alerts = correlate(read_alerts(lines(*stories))[0])[0]
    shown = exhibits(alerts)

    assert len(shown) == len(stories)
    for exhibit in shown:
        text = "\n".join(f.claim for f in find(exhibit, playbook_for("Our own rule", "k8s_audit")))
        assert not (any(w in text for w in DONE) and any(w in text for w in NOT_DONE)), (
            exhibit.facts
        )


def test_a_code_that_a_plugin_inferred_does_not_beat_the_authorizer():
    """GKE's plugin writes 201 for each create: where the authorizer forbade it, nothing was done."""
    text = claims(audit(ka__response__code="201", ka__auth__decision="forbid"))

    assert "The authorizer forbade the request: nothing was done" in text
    assert "accepted" not in text


@pytest.mark.parametrize("sources", [["::1"], "(::1)", ["127.0.0.1"], "127.0.0.1"])
def test_the_api_server_comes_from_its_own_machine(sources):
    """A list in JSON, or Falco's text form of it: loopback only fits the API server itself."""
    fields = {
        "ka__user__name": "system:apiserver",
        "ka__target__name": "system:node",
        "ka__verb": "update",
    }
    rule = "System ClusterRole Modified/Deleted"

    assert audit(rule, **fields, ka__sourceips=sources).disposition == "known benign pattern"


@pytest.mark.parametrize(
    "changes",
    [
        {"ka__sourceips": ["::1", "203.0.113.7"]},
        {"ka__sourceips": ["203.0.113.7"]},
        {"ka__useragent": "kubectl/v1.31.0"},
        {"ka__impuser__name": "system:apiserver"},
        {"ka__response__code": "403"},
        {"ka__verb": "delete"},
        {"ka__user__name": "system:apiserver\n"},
        {"ka__user__name": "system:apiservers"},
    ],
)
def test_imitations_of_the_api_server_explain_nothing(changes):
    """One part that does not fit, and the explanation is gone."""
    fields = {
        "ka__user__name": "system:apiserver",
        "ka__target__name": "system:node",
        "ka__verb": "update",
    }
    case = audit("System ClusterRole Modified/Deleted", **fields | changes)

    assert case.disposition != "known benign pattern"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            '{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}',
            ["all verbs on all resources", "read secrets"],
        ),
        ('{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}', ["read secrets"]),
        ('{"verbs":["list"],"apiGroups":["apps",""],"resources":["pods","*"]}', ["read secrets"]),
        ('{"apiGroups":["shop.example.com"],"resources":["*"],"verbs":["*"]}', []),
        ('{"apiGroups":[""],"resources":["secrets"],"verbs":["create"]}', []),
        ('{"apiGroups":[""],"resources":["pods/exec"],"verbs":["get"]}', ["running containers"]),
        ('{"apiGroups":["batch"],"resources":["jobs"],"verbs":["create"]}', ["create pods"]),
        ('{"apiGroups":[""],"resources":["serviceaccounts"],"verbs":["impersonate"]}', ["beyond"]),
    ],
)
@pytest.mark.parametrize("form", ["list", "text"])
def test_what_a_role_gives_is_read_rule_by_rule(rule, said, form):
    """Verbs of one rule and resources of another give nothing together; a list or its text form."""
    other = '{"apiGroups":[""],"resources":["configmaps"],"verbs":["watch","create"]}'
    rules = [rule, other] if form == "list" else f"({rule},{other})"
    text = claims(audit(ka__req__role__rules=rules))

    assert [mark for mark in GIVES if mark in text] == [mark for mark in GIVES if mark in said]


@pytest.mark.parametrize("name", ["--help", "-zz", "x;id", "a b", "$(id)", "../../etc", "x\nid"])
@pytest.mark.parametrize("field", ["ka.user.name", "ka.target.name", "ka.resp.name"])
def test_hostile_names_stand_in_no_command(field, name):
    """Names come from whoever made the request: one that could become an option is withheld."""
    fields = {
        "ka.user.name": "dana@example.com",
        "ka.target.name": "web",
        "ka.resp.name": "web",
        "ka.target.namespace": "shop",
        "ka.target.resource": "pods",
    } | {field: name}
    for rule in ("Create Privileged Pod", "Attach/Exec Pod", "K8s Role Created"):
        case = case_of(alert_of("k8s_audit", {"rule": rule, "fields": fields}))

        assert not [c.text for c in case.commands if name in c.text]


OLD = (
    "02:49:32.503986944: Notice Attach/Exec to pod (user=system:serviceaccount:shop:web pod=entry "
    "ns=shop action=attach command=<NA>)"
)


def test_an_alert_that_tells_no_source_has_its_rule_s():
    """Rendered text names no source, Falco before 0.30 neither: Kubernetes' rule knows of no pid."""
    untold = {
        "rule": "Attach/Exec Pod",
        "priority": "Notice",
        "time": "2020-03-01T02:49:32.5Z",
        "output": OLD,
        "output_fields": {"ka.user.name": "admin", "ka.target.name": "entry"},
    }
    texts = [OLD.encode() + b"\n", lines(untold), lines(untold | {"source": "syscalls"})]
    for text in texts:
        alerts = read_alerts(text)[0]
        case = investigate(alerts)

        assert [book.source for book in case.playbooks] == ["k8s_audit"]
        assert not any(gap.field.startswith("proc.") for gap in case.gaps)
        assert event_sources(alerts).tolist() == ["k8s_audit"]
        assert navigator.layer(alerts)["techniques"]


def test_a_rule_of_one_s_own_that_tells_no_source_is_taken_for_a_system_call_s():
    """As Falco's JSON had it before it named sources."""
    untold = {"rule": "Our rule", "priority": "Notice", "time": "2020-03-01T02:49:32.5Z"}
    told = untold | {"output": "x", "output_fields": {"proc.name": "x"}}

    assert event_sources(read_alerts(lines(told))[0]).tolist() == ["syscall"]


def test_unknown_rule_has_the_source_s_own_generic_playbook():
    """A rule that upstream does not ship: what the request says, and that the kit knows no more."""
    case = audit(ka__user__name="system:anonymous", ka__verb="list", ka__target__resource="secrets")

    assert case.playbooks[0].generic
    assert case.playbooks[0].source == "k8s_audit"
    assert "carried no credentials" in claims(case)


def test_real_alerts_get_their_playbook(shared):
    """Alerts as published: each of a shipped rule by its own playbook, without a made-up answer."""
    file = shared / "alerts" / "rawjsonl__falcosecurity__falco-website__2.jsonl"
    if not file.exists():
        pytest.skip("no shared alerts beside the checkout")
    token, entered = (case_of(json.loads(line)) for line in file.read_text().splitlines())

    assert token.playbooks[0].rule == "K8s Serviceaccount Created"
    assert "asks for the token" in claims(token)
    assert entered.playbooks[0].rule == "Attach/Exec Pod"
    assert "ka.response.code" in {gap.field for gap in entered.gaps}
