"""The page says what the results say, and is made whatever the results say."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshproof.report.history import ERROR_RATE, EVIDENCE
from meshproof.report.page import write_report
from meshproof.report.page.kinds import Item, render
from meshproof.report.reproduce import run_command, without_secrets
from meshproof.report.results import CheckResult, LeftOut, Results
from meshproof.verdict import Verdict

KINDS = ("text", "figure", "table", "matrix", "ledger", "parity", "stages", "series", "quantiles", "waterfall", "file",
         "intervals")  # fmt: skip


def words(page: Path) -> str:
    """The page's text."""
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_data = found.append  # type: ignore[method-assign]
    parser.feed(re.sub(r"<(style|script)\b.*?</\1>", "", page.read_text(), flags=re.DOTALL))
    return re.sub(r"\s+", " ", " ".join(found))


def page_of(folder: Path, *checks: CheckResult, **facts: Any) -> Path:
    Results(facts=facts, checks=list(checks)).write(folder / "results.json")
    return write_report(folder)


@pytest.mark.parametrize(
    ("verdicts", "word", "sentence"),
    [
        ([Verdict.CONFORM], "Proven", "1 of 1 checks conform."),
        ([Verdict.CONFORM, Verdict.VIOLATE], "Violated", "1 of 2 checks conform, 1 violated."),
        ([Verdict.CONFORM, Verdict.INVALID], "Not proven", "1 could not be measured"),
        ([Verdict.CONFORM, LeftOut.NOT_PROVEN], "Partly proven", "1 left out"),
        ([Verdict.CONFORM, Verdict.INCONCLUSIVE], "Partly proven", "1 without enough data"),
        ([], "Not proven", "Nothing was checked."),
    ],
)
def test_verdict_is_on_top(tmp_path: Path, verdicts: list[Any], word: str, sentence: str) -> None:
    checks = [CheckResult(f"suites/test_a.py::test_{n}", "p", verdict, "", 0.1) for n, verdict in enumerate(verdicts)]
    text = words(page_of(tmp_path / "r", *checks))
    assert f" {word} " in text
    assert sentence in text


def test_every_promise_reason_and_kind_of_evidence_is_there(sample: Path) -> None:
    page = write_report(sample)
    text, html = words(page), page.read_text()
    content = json.loads((sample / "results.json").read_text())
    for check in content["checks"]:
        assert check["promise"] in text
        assert " ".join(check["reason"].split()) in text
        for item in check["evidence"]:
            assert item["name"] in text
    assert "render-error" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    for part in ("Longest path:", "from \\ to", "2 of 4 mutants", "99.9 % at all requests at once", "none of 40"):
        assert part in text
    assert html.count('class="plot') >= 3 and 'class="waterfall"' in html and "Trace 7f3a" in html


def test_page_is_one_file_that_loads_nothing(sample: Path) -> None:
    html = write_report(sample).read_text()
    assert not re.search(r"(src|href)=\"(https?:)?//", html)
    assert "@import" not in html and len(html) < 400_000


def test_same_run_gives_the_same_page(sample: Path) -> None:
    first = write_report(sample).read_text()
    assert write_report(sample).read_text() == first


def test_sample_has_every_kind_of_evidence(sample: Path) -> None:
    checks = json.loads((sample / "results.json").read_text())["checks"]
    assert {item.get("kind") for check in checks for item in check["evidence"]} >= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seen", [None, {}, [], "text", {"rows": [{}]}, {"lines": [{"x": [1], "y": []}]}, {"path": 3}])
def test_evidence_of_the_wrong_shape_says_so_in_its_place(tmp_path: Path, kind: str, seen: Any) -> None:
    assert str(render(Item("odd", kind, seen, tmp_path, "key")))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
items = anything | st.fixed_dictionaries(
    {"name": anything, "kind": st.sampled_from(KINDS) | anything, "seen": anything}
)


@given(evidence=st.lists(items, max_size=3), facts=st.dictionaries(st.text(max_size=8), anything, max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_evidence_gives_a_page(tmp_path: Path, evidence: list[Any], facts: dict[str, Any]) -> None:
    entry = {"check": "suites/test_a.py::test_b", "promise": "A.", "verdict": "CONFORM", "evidence": evidence}
    folder = tmp_path / "r"
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(json.dumps({"facts": facts, "checks": [entry]}))
    text = words(write_report(folder))
    assert "could not be made" not in text
    assert "A." in text


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"checks": 3}', '{"checks": [{"check": "a", "verdict": "GREAT"}]}']
)
def test_results_that_cannot_be_read_give_a_page_that_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    assert "could not be made" in words(write_report(tmp_path))


def test_history_that_is_broken_is_put_aside(sample: Path) -> None:
    (sample.parent / "history.sqlite3").write_bytes(b"no database at all" * 99)
    text = words(write_report(sample))
    assert "the history cannot be shown" not in text
    assert (sample.parent / "history.damaged-1").read_bytes() == b"no database at all" * 99
    assert "Violated" in text


def test_history_that_is_locked_leaves_the_rest(sample: Path) -> None:
    write_report(sample)
    with sqlite3.connect(sample.parent / "history.sqlite3") as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "the history cannot be shown: OperationalError" in words(write_report(sample))
        other.rollback()
    other.close()


def test_large_evidence_is_cut_and_tells_its_size(tmp_path: Path) -> None:
    big = {"rows": [{"name": f"row {n}", "deep": {"text": "x" * 500, "more": [n] * 9}} for n in range(3000)]}
    check = CheckResult("suites/test_a.py::test_b", "p", Verdict.CONFORM, "", 0.1, ({"name": "big", "seen": big},))
    page = page_of(tmp_path / "r", check)
    assert page.stat().st_size < 150_000
    assert re.search(r"1 field, 1\.\d+ MB of JSON; the whole is in results.json", words(page))


def test_file_that_is_gone_or_outside_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    for path in ("files/gone.svg", "../secret.txt"):
        seen = {"path": path, "bytes": 1, "sha256": "", "media_type": "text/plain"}
        assert "is missing" in render(Item("f", "file", seen, tmp_path / "r", "key"))


def test_diagnostics_are_linked_where_they_are(sample: Path) -> None:
    content = json.loads((sample / "results.json").read_text())
    content["checks"][2]["diagnostics"] = "reports/20261120-080112/diagnostics/test_x-alpine-"
    (sample / "results.json").write_text(json.dumps(content))
    assert "diagnostics/test_x" not in write_report(sample).read_text()
    (sample / "diagnostics" / "test_x-alpine-").mkdir(parents=True)
    assert 'href="diagnostics/test_x-alpine-/"' in write_report(sample).read_text()


def test_command_keeps_no_key() -> None:
    command = run_command({"command": ["tox", "--api-key", "0123", "--app-key=4567", "DD_API_KEY=89", "-k", "mtls"]})
    assert command == "tox --api-key ... --app-key=... DD_API_KEY=... -k mtls"
    assert without_secrets(["0f1e2d3c4b5a69788796a5b4c3d2e1f0"]) == ["..."]


@pytest.mark.parametrize(
    ("facts", "command"),
    [
        ({}, "tox -e e2e"),
        ({"bed": "created", "cluster": "cluster-istio", "images": "source"}, "tox -e e2e -- --images source"),
        ({"bed": "borrowed", "cluster": "kind-bare"}, "tox -e e2e -- --context kind-bare"),
        ({"command": "tox -e e2e -- -k mtls"}, "tox -e e2e -- -k mtls"),
    ],
)
def test_command_is_told_or_made_from_the_facts(facts: dict[str, str], command: str) -> None:
    assert run_command(facts) == command


def test_each_mutant_is_a_row_with_what_the_checks_did(sample: Path) -> None:
    html = write_report(sample).read_text()
    rows = dict(re.findall(r'<tr><th scope="row"><span class="sign[^>]*>. </span>([\w-]+).*?</th>(.*?)</tr>', html))
    assert set(rows) == {"mtls-off", "mtls-port-exception", "split-35", "logs-not-excluded"}
    did = {mutant: re.sub(r"<.*?>", " ", row).split() for mutant, row in rows.items()}
    assert " ".join(did["mtls-off"]) == "plaintext is accepted mTLS 1 caught split 1 unharmed"
    assert " ".join(did["mtls-port-exception"][-6:]) == "mTLS 1 collateral split 1 unharmed"
    for said in ("no mutant made fail: 1", "no mutant could make them fail: 1", "test_connections_are_seen"):
        assert said in html
    assert "badge bad" in rows["logs-not-excluded"] and "badge bad" not in rows["split-35"]


def test_long_words_of_a_mutant_are_cut_and_kept(sample: Path) -> None:
    proof = json.loads((sample / "prove.json").read_text())
    proof["rows"][0]["problem"] = f"it was not mended: {'x' * 5000} END"
    (sample / "prove.json").write_text(json.dumps(proof))
    html = write_report(sample).read_text()
    shown = re.search(r'<p class="render-error">(it was not mended.*?)</p>', html)
    assert shown is not None and len(shown[1]) < 500
    assert "xxx END</pre>" in html


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (-0.9626, EVIDENCE, "0.382 e-value"),
        (46.05, EVIDENCE, "10^20 e-value"),
        (0.001, ERROR_RATE, "0.1 % of the times, at most"),
        (5.0, "s", "5 s"),
    ],
)
def test_figures_are_told_as_people_read_them(value: float, unit: str, told: str) -> None:
    seen = {"value": value, "unit": unit, "low": None, "high": None}
    assert re.sub(r"<.*?>", "", str(render(Item("f", "figure", seen, Path(), "key")))) == told


def test_mutants_of_the_last_proof_beside_are_shown(sample: Path) -> None:
    proof = sample.parent / "20261119-000000"
    proof.mkdir()
    shutil.move(sample / "prove.json", proof / "prove.json")
    assert "Let loose in run 20261119-000000" in words(write_report(sample))
