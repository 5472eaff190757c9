"""What the plugin does with options and verdicts; the mesh itself is stood in for by a written fixture."""

from __future__ import annotations

import json

import numpy  # noqa: F401 - cannot be loaded anew by each of the runs in this process
import pytest

SUITE = """
import pytest
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from meshproof import plugin
from meshproof.kube import ClusterUnreachable
from meshproof.errors import InvalidMeasurement
from meshproof.waiting import StateNotReached

@pytest.fixture(scope="session", autouse=True)
def mesh(request, tmp_path_factory):
    run = request.config.stash[plugin._RUN]
    run.settings = run.settings.model_copy(update={"reports": tmp_path_factory.mktemp("reports")})
    folder = run.settings.reports / "now"
    objects = {"istio-system": PODS, None: NODES}
    cluster = SimpleNamespace(
        list=lambda _, namespace=None, **__: objects.get(namespace, []),
        node_stats=lambda _: {"node": {"fs": {"availableBytes": 10**12}}},
    )
    run.mesh = SimpleNamespace(reports=folder, reach=lambda: [], bed=SimpleNamespace(network=None), cluster=cluster)
    return run.mesh

PODS, NODES = [], []

@pytest.fixture
def full():
    # a node whose disk is full meanwhile
    now = datetime.now(UTC).isoformat()
    condition = {"type": "DiskPressure", "status": "True", "lastTransitionTime": now}
    NODES.append({"metadata": {"name": "worker"}, "status": {"conditions": [condition]}})
    yield
    NODES.clear()

@pytest.fixture
def replaced():
    # In the next whole second: Kubernetes tells no others.
    def replace():
        made = (datetime.now(UTC) + timedelta(seconds=1)).replace(microsecond=0)
        meta = {"namespace": "istio-system", "name": "istiod-2", "creationTimestamp": made.isoformat()}
        PODS.append({"metadata": meta})
    PODS.clear()
    return replace

@pytest.fixture(autouse=True)
def no_diagnostics(monkeypatch):
    monkeypatch.setattr(plugin.diagnostics, "collect", lambda *a: None)
"""


def verdicts(pytester: pytest.Pytester, tests: str) -> dict[str, tuple[str, str]]:
    """Each test's verdict and reason, as written to results.json."""
    pytester.makeconftest(SUITE)
    pytester.makepyfile("from meshproof.errors import *\nfrom meshproof.waiting import *\nimport pytest\n" + tests)
    outcome = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-s", f"--basetemp={pytester.path / 'tmp'}")
    (written,) = pytester.path.glob("tmp/**/results.json")
    outcome.stdout.fnmatch_lines(["results: *results.json", "report:  *index.html"])
    checks = json.loads(written.read_text())["checks"]
    return {check["check"].rpartition("::")[2]: (check["verdict"], check["reason"]) for check in checks}


def test_each_end_of_a_test_has_its_verdict(pytester: pytest.Pytester) -> None:
    found = verdicts(
        pytester,
        """
def test_holds(): pass
def test_broken(): assert 1 == 2, "plaintext was answered"
def test_not_reached(): raise StateNotReached("an address", attempts=2, elapsed=1.0, last=None)
def test_invalid(): raise InvalidMeasurement("the target is dead")
def test_undecided(): raise Inconclusive("400 requests did not decide")
def test_check_is_wrong(): {}["x"]
def test_left_out(): pytest.skip("eBPF cannot run here")
@pytest.fixture
def precondition(): raise InvalidMeasurement("no pod")
def test_setup(precondition): pass
""",
    )
    assert found["test_holds"] == ("CONFORM", "")
    assert found["test_broken"] == ("VIOLATE", "plaintext was answered")
    assert found["test_not_reached"][0] == "VIOLATE"
    assert found["test_invalid"] == ("INVALID", "INVALID: the target is dead")
    assert found["test_undecided"] == ("INCONCLUSIVE", "400 requests did not decide")
    assert found["test_check_is_wrong"] == ("INVALID", "INVALID: KeyError: 'x'")
    assert found["test_left_out"] == ("NOT PROVEN", "eBPF cannot run here")
    assert found["test_setup"] == ("INVALID", "INVALID: no pod")


def test_what_was_found_while_the_mesh_was_disturbed_is_not_held_against_it(pytester: pytest.Pytester) -> None:
    found = verdicts(
        pytester,
        """
@pytest.fixture(scope="module")
def measured(request): return "measured"
@pytest.fixture
def lazily(request): return request.getfixturevalue("measured")
def test_disturbed(replaced):
    replaced()
    assert False, "requests were lost"
def test_holds(measured, replaced): replaced()
def test_shares_a_disturbed_measurement(lazily): assert False, "requests were lost"
@pytest.mark.restarts
def test_restarts_something(replaced):
    replaced()
    assert False, "requests were lost"
""",
    )
    words = "INVALID: pod istio-system/istiod-2 was created at "
    assert found["test_disturbed"][0] == "INVALID"
    assert found["test_disturbed"][1].startswith(words)
    assert found["test_disturbed"][1].endswith(", while it was found that requests were lost")
    assert found["test_holds"] == ("CONFORM", "")
    assert found["test_shares_a_disturbed_measurement"][0] == "INVALID"
    assert found["test_restarts_something"] == ("VIOLATE", "requests were lost")


def test_what_checks_restart_disturbs_no_other(pytester: pytest.Pytester) -> None:
    found = verdicts(
        pytester,
        """
import time
@pytest.fixture(scope="module")
def measured(): pass
def test_measures(measured): pass
@pytest.mark.restarts
def test_restarts_something(replaced):
    replaced()
    time.sleep(1.1)
def test_shares_the_measurement(measured): assert False, "plaintext was answered"
""",
    )
    assert found["test_shares_the_measurement"] == ("VIOLATE", "plaintext was answered")


def test_what_was_found_on_a_node_in_trouble_is_not_held_against_the_mesh(pytester: pytest.Pytester) -> None:
    found = verdicts(
        pytester,
        """
def test_measures(full): assert False, "lines are missing"
@pytest.mark.restarts
def test_restarts_something(full): assert False, "lines are missing"
def test_measures_later(): assert False, "lines are missing"
""",
    )
    for name in ("test_measures", "test_restarts_something"):
        verdict, reason = found[name]
        assert verdict == "INVALID"
        assert reason.startswith("INVALID: node worker has DiskPressure since ")
        assert reason.endswith(", while it was found that lines are missing")
    assert found["test_measures_later"] == ("VIOLATE", "lines are missing")


def test_a_disk_without_room_is_told_beside_what_could_not_be_measured(pytester: pytest.Pytester) -> None:
    found = verdicts(
        pytester,
        """
from types import SimpleNamespace
def test_cramped(monkeypatch):
    from meshproof import surroundings
    monkeypatch.setattr(surroundings.shutil, "disk_usage", lambda _: SimpleNamespace(free=12_345_678))
    raise InvalidMeasurement("no answer from the API server")
def test_roomy(): raise InvalidMeasurement("no answer from the API server")
""",
    )
    assert found["test_roomy"] == ("INVALID", "INVALID: no answer from the API server")
    assert found["test_cramped"][1].startswith("INVALID: no answer from the API server\n  seen around it: the disk of ")
    assert found["test_cramped"][1].endswith(" has 12 MB left")


def test_a_full_disk_costs_evidence_and_no_verdict(pytester: pytest.Pytester) -> None:
    """/dev/full answers every write as a full disk does."""
    tests = """
def test_seen(mesh, evidence):
    evidence.file("seen.txt", "x")
    path = mesh.reports / evidence.items[-1]["seen"]["path"]
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")
    assert False, "lines are missing"
def test_goes_on(): pass
"""
    found = verdicts(pytester, tests)
    assert found == {"test_seen": ("VIOLATE", "lines are missing"), "test_goes_on": ("CONFORM", "")}


def test_the_verdict_is_told_when_no_report_can_be_written(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(SUITE)
    pytester.makepyfile(
        """
def test_seen(mesh):
    mesh.reports.parent.mkdir(exist_ok=True)
    mesh.reports.write_text("a file where the folder should be")
    assert False, "lines are missing"
"""
    )
    outcome = pytester.runpytest_inprocess("-p", "no:cacheprovider", f"--basetemp={pytester.path / 'tmp'}")
    outcome.stdout.fnmatch_lines(["FAILURE: 1 VIOLATE", "*lines are missing", "the report is not whole: *now*: *"])
    assert outcome.ret == pytest.ExitCode.TESTS_FAILED


def test_errors_for_people_come_without_the_way_through_our_code(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(SUITE)
    pytester.makepyfile(
        """
from meshproof.errors import InvalidMeasurement
def test_invalid(): raise InvalidMeasurement("the target is dead", seen="no pod", remedy="mend it")
def test_broken(): assert 1 == 2, "plaintext was answered"
"""
    )
    outcome = pytester.runpytest_inprocess("-p", "no:cacheprovider", f"--basetemp={pytester.path / 'tmp'}")
    outcome.stdout.fnmatch_lines(["INVALID: the target is dead", "*seen: no pod", "*what to do: mend it"])
    outcome.stdout.fnmatch_lines([">   def test_broken*"])
    outcome.stdout.no_fnmatch_line("*def test_invalid*")


def test_a_cluster_that_does_not_answer_proves_nothing(pytester: pytest.Pytester) -> None:
    found = verdicts(
        pytester,
        """
from meshproof.kube import ClusterUnreachable
def test_never_looked():
    gone = ClusterUnreachable("the API server is away")
    raise StateNotReached("an address", attempts=2, elapsed=1.0, last=gone)
""",
    )
    assert found["test_never_looked"][0] == "INVALID"


def test_docstring_is_the_promise_and_evidence_is_kept(pytester: pytest.Pytester) -> None:
    verdicts(
        pytester,
        '''
def test_a(evidence):
    """The gateway answers.

    In detail.
    """
    evidence.add("status", 200)
''',
    )
    (written,) = pytester.path.glob("tmp/**/results.json")
    (check,) = json.loads(written.read_text())["checks"]
    assert check["promise"] == "The gateway answers."
    assert check["evidence"] == [{"name": "status", "seen": 200}]


def test_a_check_takes_as_long_as_its_set_up_and_itself_but_not_as_the_mesh(pytester: pytest.Pytester) -> None:
    verdicts(
        pytester,
        """
import time
from meshproof import plugin
@pytest.fixture(scope="module")
def shared(): time.sleep(1)
def test_first(shared): time.sleep(0.01)
def test_second(shared): pass
@pytest.fixture
def not_yet(request): request.config.stash[plugin._RUN].ready = time.time() + 1000
def test_before_the_mesh_stands(not_yet): time.sleep(0.01)
""",
    )
    (written,) = pytester.path.glob("tmp/**/results.json")
    first, second, before = (check["seconds"] for check in json.loads(written.read_text())["checks"])
    assert first >= 1.01, "what it shares was made in its set-up"
    assert second < 1, "that is the first one's time"
    assert before == 0, "the mesh stood later"


def test_an_interrupt_ends_the_session_although_something_cannot_be_cleaned_up(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(SUITE)
    pytester.makepyfile(
        """
from meshproof.errors import InvalidMeasurement
def test_interrupted():
    try:
        raise KeyboardInterrupt
    finally:
        try:
            assert False, "each arm leads to its own pods"
        except AssertionError as error:
            raise InvalidMeasurement("it does not get well") from error
def test_later(): pass
"""
    )
    ended = pytester.inline_run("-p", "no:cacheprovider", f"--basetemp={pytester.path / 'tmp'}", no_reraise_ctrlc=True)
    assert ended.ret == pytest.ExitCode.INTERRUPTED
    assert "test_later" not in str(ended.listoutcomes())


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--images=everywhere", ["setting images:", "seen: 'everywhere'"]),
        ("--workers=many", ["setting workers:", "seen: 'many'"]),
        ("--workers=-1", ["setting workers:"]),
        ("--cluster-name=Cluster_One", ["setting cluster_name:", "lower-case"]),
        ("--metallb=latest", ["setting metallb: use a version such as"]),
    ],
)
def test_bad_option_ends_with_two_before_anything_is_created(
    pytester: pytest.Pytester, option: str, words: list[str]
) -> None:
    pytester.makepyfile("def test_a(mesh): pass")
    outcome = pytester.runpytest_subprocess(option)
    text = outcome.stdout.str() + outcome.stderr.str()
    assert outcome.ret == 2
    assert [word for word in words if word not in text] == []
    assert "passed" not in text and "Traceback" not in text


def test_plugin_is_quiet_where_no_mesh_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(): pass")
    outcome = pytester.runpytest_subprocess()
    outcome.assert_outcomes(passed=1)
    assert "meshproof ===" not in outcome.stdout.str()
