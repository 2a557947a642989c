"""Readings of cloud sources: what an alert says of outcome and actor, whatever its rule."""

from __future__ import annotations

import pytest

from .conftest import case_of


def said_of(rule: str, source: str, fields: dict) -> str:
    """Return all that is claimed about one alert, as one text."""
    alert = {"rule": rule, "source": source, "priority": "Notice", "time": "2026-01-02T03:04:05Z"}
    return "\n".join(f.claim for f in case_of(alert | {"output_fields": fields}).findings)


GRANT = "Admin permission has been assigned to a user in OKTA"
DONE = "An administrator role for Example User was granted by Example Admin"
UNKNOWN = "Whether Okta did it, this alert does not tell"
TRIED = "was tried, not done"


@pytest.mark.parametrize(
    ("outcome", "said", "unsaid"),
    [
        ({"okta.result": "SUCCESS"}, {DONE}, {UNKNOWN, TRIED}),
        ({}, {UNKNOWN}, {DONE, TRIED}),
        ({"okta.result": "SKIPPED"}, {UNKNOWN, "the outcome SKIPPED"}, {DONE, TRIED}),
        (
            {"okta.result": "FAILURE", "okta.evt.type": "user.account.privilege.grant"},
            {TRIED, "the outcome FAILURE"},
            {DONE, UNKNOWN},
        ),
        ({"okta.result": "DENY"}, {"the outcome DENY"}, {DONE, UNKNOWN}),
    ],
)
def test_done_is_said_only_where_the_outcome_says_so(outcome, said, unsaid):
    """The rule fires on tries too, and its stock output has no outcome."""
    names = {"okta.actor.name": "Example Admin", "okta.target.user.name": "Example User"}
    text = said_of(GRANT, "okta", names | outcome)

    assert not [one for one in said if one not in text]
    assert not [one for one in unsaid if one in text]


def test_a_lock_happened_though_its_outcome_is_a_failure():
    """The failure is that of the sign-in: the lock was done."""
    fields = {
        "okta.actor.name": "Example User",
        "okta.evt.type": "user.account.lock",
        "okta.result": "FAILURE",
    }
    text = said_of("User has been locked out in OKTA", "okta", fields)

    assert "The account of Example User was locked" in text
    assert TRIED not in text


def test_okta_itself_is_no_person():
    """A person may take Okta's display name; the actor's type is Okta's own word."""
    system = {"okta.actor.name": "Okta System", "okta.actor.Type": "SystemPrincipal"}
    person = system | {"okta.actor.Type": "User"}

    assert "Okta itself acted" in said_of("Any rule", "okta", system)
    assert "Okta itself acted" not in said_of("Any rule", "okta", person)


@pytest.mark.parametrize(
    ("name", "app"), [("build[bot]", True), ("build-bot", False), ("x[bot] y", False)]
)
def test_an_app_is_known_by_its_suffix(name, app):
    """No person's login on GitHub has brackets."""
    text = said_of("Any rule", "github", {"github.user": name})

    assert ("by its suffix an app's account" in text) is app


def test_nothing_of_github_is_said_of_another_source():
    """Fields that are not there say nothing."""
    assert "GitHub" not in said_of("Any rule", "okta", {"okta.actor.name": "Example User"})


INSTANCE = "arn:aws:sts::123456789012:assumed-role/web-node/i-0a1b2c3d4e5f60718"


@pytest.mark.parametrize(
    ("fields", "said", "unsaid"),
    [
        ({"ct.error": "AccessDenied"}, "nothing was done", "it was not carried out"),
        ({"ct.error": "Client.UnauthorizedOperation"}, "nothing was done", "not carried out"),
        ({"ct.error": "Client.DryRunOperation"}, "only asked whether", "was refused for want"),
        ({"ct.error": "NoSuchEntity"}, "it was not carried out", "for want of permission"),
        ({"ct.user.identitytype": "Root"}, "root user", "assumed role"),
        ({"ct.user.arn": "arn:aws:iam::123456789012:root"}, "root user", "assumed role"),
        ({"ct.user": "root", "ct.user.identitytype": "IAMUser"}, "an IAM user, root", "root user"),
        ({"ct.user.arn": INSTANCE}, "named like an EC2 instance", "root user"),
        ({"ct.user.arn": f"{INSTANCE}-tool"}, "assumed role", "named like an EC2 instance"),
        ({"ct.srcip": "autoscaling.amazonaws.com"}, "An AWS service made", "as AWS saw it"),
        ({"ct.srcip": "203.0.113.9"}, "as AWS saw it", "An AWS service made"),
        ({"ct.srcip": "10.0.3.4"}, "VPC endpoint", "as AWS saw it"),
        ({"ct.srcip": "evil-amazonaws.com"}, "", "An AWS service made"),
        ({"ct.useragent": "aws-cli/2.15.0 Linux/6.5.0-kali3-amd64"}, "penetration tests", ""),
        ({"ct.useragent": "aws-cli/2.15.0 Linux/6.5.0-kalium"}, "", "penetration tests"),
    ],
)
def test_what_a_cloudtrail_record_says_of_caller_and_outcome(fields, said, unsaid):
    """A caller is called what AWS recorded; what a caller may write about itself proves nothing."""
    text = said_of("Any rule", "aws_cloudtrail", fields)

    assert said in text
    assert not unsaid or unsaid not in text


GRANTED = '{"granted":true,"permission":"p","resource":"r","resourceAttributes":{}}'
REFUSED = '{"permission":"p","resource":"r","resourceAttributes":{}}'
# a resource's name that quotes a grant: JSON escapes it, so it is none
QUOTED = r'{"permission":"p","resource":"x\",\"granted\":true,\"y\":\"","resourceAttributes":{}}'


@pytest.mark.parametrize(
    ("checks", "said", "unsaid"),
    [
        (f"[{GRANTED}]", "read granted", "was refused"),
        (f"[{REFUSED}]", "the call was refused", "read granted"),
        ('[{"granted":false,"permission":"p"}]', "the call was refused", "read granted"),
        (f"[{GRANTED},{REFUSED}]", "another does not", "read granted:"),
        (f"[{REFUSED},{GRANTED}]", "another does not", "the call was refused"),
        (f"[{QUOTED}]", "the call was refused", "read granted"),
        ("[]", "", "granted"),
    ],
)
def test_a_grant_is_read_from_the_entry_alone(checks, said, unsaid):
    """Google leaves `granted` out where a permission was refused; names cannot imitate it."""
    text = said_of("Any rule", "gcp_auditlog", {"gcp.authorizationInfo": checks})

    assert said in text
    assert unsaid not in text


@pytest.mark.parametrize(
    ("user", "said", "unsaid"),
    [
        ("mara@example.com", "a user account", "service account"),
        ("ci@shop-prod-1.iam.gserviceaccount.com", "is a service account", "user account"),
        ("1-compute@developer.gserviceaccount.com", "default service account", "user account"),
        ("1@cloudservices.gserviceaccount.com", "Google's own automation", "user account"),
        ("service-1@compute-system.iam.gserviceaccount.com", "a service agent", "is a service acc"),
        ("service-1@compute-system-x.iam.gserviceaccount.com", "is a service acc", "agent"),
        ("1-compute@developer.gserviceaccount.com.example.com", "a user account", "default"),
        ("", "names no caller", "user account"),
    ],
)
def test_kinds_of_callers_of_google_cloud(user, said, unsaid):
    """The end of the address decides: what stands before it, anyone may choose."""
    text = said_of("Any rule", "gcp_auditlog", {"gcp.user": user})

    assert said in text
    assert unsaid not in text


def test_a_token_used_by_hand():
    """A workload's token that a command-line tool sends is suspicious; the tool alone is not."""
    token = {"gcp.user": "1-compute@developer.gserviceaccount.com", "gcp.userAgent": "curl/8.5.0"}

    assert "used by hand" in said_of("Any rule", "gcp_auditlog", token)
    assert "used by hand" not in said_of("Any rule", "gcp_auditlog", token | {"gcp.user": "a@b.c"})


@pytest.mark.parametrize(
    ("rule", "fields", "said"),
    [
        (
            "Create Symlink Over Sensitive Files",
            {
                "evt.type": "symlinkat",
                "evt.arg.target": "/etc/shadow",
                "evt.arg.linkpath": "/tmp/l",
            },
            "it made no link",
        ),
        (
            "Delete or rename shell history",
            {"evt.type": "unlinkat", "proc.name": "rm", "proc.cmdline": "rm /root/.bash_history"},
            "it changed nothing",
        ),
        (
            "PTRACE attached to process",
            {"evt.type": "ptrace"},
            "whatever was requested of the other process, it was not done",
        ),
    ],
)
def test_a_failed_call_did_nothing(rule, fields, said):
    """These rules do not look at the result; the report does, and says no more than was tried."""
    failed = said_of(rule, "syscall", fields | {"evt.res": "EPERM"})
    done = said_of(rule, "syscall", fields | {"evt.res": "SUCCESS"})

    assert f"The call failed (EPERM): {said}" in failed
    assert said not in done
    assert not [one for one in ("was removed", "-> /etc/shadow lies") if one in failed]


@pytest.mark.parametrize(
    ("fields", "disposition"),
    [
        # what runc does before it enters a container: names alone, so a person has to look
        ({"proc.exepath": "/memfd:runc_cloned:/proc/self/exe (deleted)"}, "needs review"),
        ({"proc.exepath": "memfd:runc_cloned:/proc/self/exe", "proc.pname": "bash"}, "suspicious"),
        ({"proc.exepath": "memfd:runc_cloned:/proc/self/exe", "proc.pname": None}, "suspicious"),
        ({"proc.exepath": "memfd:x"}, "suspicious"),
    ],
)
def test_runc_s_copy_of_itself_accuses_nobody_under_a_runtime(fields, disposition):
    """runc runs from a memfd of this name; another program may give its own the same."""
    base = {"container.id": "host", "evt.type": "setns", "proc.name": "runc:[1:CHILD]"}
    alert = {
        "rule": "Change thread namespace",
        "source": "syscall",
        "priority": "Notice",
        "time": "2026-01-02T03:04:05Z",
        "output_fields": base | {"proc.pname": "runc"} | fields,
    }

    assert case_of(alert).disposition == disposition
