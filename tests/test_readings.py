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
