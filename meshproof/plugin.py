"""The pytest plugin: options, fixtures, and how results are kept. The only module that pytest knows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from meshproof import sending
from meshproof.datadog import Datadog, watching
from meshproof.errors import MeshproofError, UsageError
from meshproof.interrupts import terminate_like_interrupt
from meshproof.mesh import MESH_NAMESPACES, Mesh
from meshproof.probe.restarts import Period
from meshproof.report import diagnostics
from meshproof.report.evidence import Evidence, as_plain
from meshproof.report.files import flat, point_latest, write_timeline
from meshproof.report.recorder import promise_of, reason_of, verdict_of
from meshproof.report.reproduce import without_secrets
from meshproof.report.results import CheckResult, Ending, Results
from meshproof.report.summary import summary_lines
from meshproof.secrecy import hidden
from meshproof.settings import Settings, load_settings
from meshproof.standing import standing
from meshproof.surroundings import cramped, disturbed
from meshproof.timeline import Timeline
from meshproof.timeline.live import live
from meshproof.verdict import Verdict

__all__ = ["Given", "datadog", "evidence", "mesh", "settings"]

_EVIDENCE = pytest.StashKey[Evidence]()
_BEGAN = pytest.StashKey[float]()
_REQUEST = pytest.StashKey[pytest.FixtureRequest]()
_RUN = pytest.StashKey["_Run"]()
_SETUP_SECONDS = pytest.StashKey[float]()
_RESTARTS = "restarts"
_NO_MEASUREMENTS = frozenset({"mesh", "settings", "datadog"})
"""Fixtures that stand from the beginning of a session."""
_ENDS = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
"""Of sessions whose results are sent: what was broken off has proven nothing."""
_OPTIONS = (
    *("cluster_name", "keep_cluster", "kubeconfig", "context", "kind_bin", "kind_image"),
    *("images", "workers", "metallb", "pool", "datadog", "tracing", "strictness", "reports", "send_results"),
    "soak_seconds",
)


@dataclass(eq=False)
class Given:
    """A plugin object for a session on a mesh that stands already: `pytest.main(..., plugins=[Given(mesh)])`.

    `results` fill up while the session runs. Failures that `expects` knows, by node id, verdict and reason, are not
    diagnosed: they are on purpose, and each diagnosis costs a second or two.
    """

    mesh: Mesh
    results: Results = field(default_factory=Results)
    expects: Callable[[str, Ending, str], bool] = lambda _node, _verdict, _reason: False


@dataclass
class _Run:
    """What this pytest session knows of its run."""

    settings: Settings
    timeline: Timeline = field(default_factory=Timeline)
    results: Results = field(default_factory=Results)
    mesh: Mesh | None = None
    given: Given | None = None
    """The mesh was there before this session, and outlives it."""
    ready: float = 0.0
    """When the mesh stood, as time.time() tells it: what came before is no check's time."""
    diagnosed: int = 0
    set_up: dict[str, float] = field(default_factory=dict)
    """When each fixture was set up last, by name: a measurement that several checks share began then."""
    restarting: list[Period] = field(default_factory=list)
    """When checks restarted something on purpose."""
    sent: str = ""
    """What came of sending the results."""
    unwritten: str = ""
    """Why something of the report could not be written, the last time."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A disk that is full costs evidence, not the session: the verdict stands without it."""
        try:
            yield
        except OSError as error:
            self.unwritten = f"{error.filename or self.folder}: {error.strerror or error}"

    @property
    def folder(self) -> Path:
        """Where this run's reports go."""
        return self.mesh.reports if self.mesh else self.settings.reports / "set-up"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Options of the same names as pytest-kind's mean the same."""
    pluginmanager.set_blocked("pytest-kind-ng")  # its options would clash; only its KindCluster class is used
    pluginmanager.set_blocked("pytest-kind")
    group = parser.getgroup("meshproof", "meshproof: prove what a service mesh promises")
    add = group.addoption
    add("--cluster-name", metavar="NAME", help="name of the kind cluster (default: cluster-istio)")
    add("--keep-cluster", action="store_true", default=None, help="keep the cluster; later runs take it over")
    add("--kubeconfig", metavar="FILE", help="test the cluster of this kubeconfig instead of creating one")
    add("--context", metavar="NAME", help="test the cluster of this kubeconfig context instead of creating one")
    add("--kind-bin", metavar="FILE", help="the kind program to use instead of our pinned one")
    add("--kind-image", metavar="REFERENCE", help="the node image to use instead of our pinned one")
    add("--images", metavar="SOURCE", help="registry, source or auto: where images come from (default: auto)")
    add("--workers", metavar="N", help="worker nodes beside the control plane (default: 0)")
    add("--metallb", metavar="VERSION", help="MetalLB's version (default: 0.15.2)")
    add("--pool", metavar="FIRST-LAST", help="addresses for MetalLB (default: free ones of the docker network)")
    add("--datadog", metavar="BACKEND", help="intake or saas: where agents send and checks ask (default: intake)")
    add("--tracing", metavar="WAY", help="telemetry or legacy: how Istio is told to trace (default: telemetry)")
    add("--strictness", metavar="HOW", help="gate or nightly: how finely traffic is judged (default: gate)")
    add("--soak-seconds", metavar="SECONDS", help="how long the nightly soak takes (default: 600)")
    add("--send-results", action="store_true", default=None, help="send what came of it to Datadog, or to the intake")
    add("--reports", metavar="FOLDER", help="where reports go (default: reports)")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the settings; bad ones end the session with exit code 2 before anything is created."""
    config.addinivalue_line("markers", f"{_RESTARTS}: restarts parts of the mesh; that others do is not looked for")
    config.addinivalue_line("markers", "looks_at(*parts): well or not, no other part of the mesh matters; see Part")
    config.addinivalue_line("markers", "changes(*parts): makes these parts of the mesh otherwise for its own length")
    for plugin in config.pluginmanager.get_plugins():
        if isinstance(plugin, Given):
            config.stash[_RUN] = _Run(plugin.mesh.settings, results=plugin.results, mesh=plugin.mesh, given=plugin)
            return
    try:
        settings = load_settings(**{name: config.getoption(name, default=None) for name in _OPTIONS})
    except UsageError as error:
        pytest.exit(str(error), returncode=error.exit_code)
    config.stash[_RUN] = _Run(settings)


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Settings:
    """The settings of this run."""
    return request.config.stash[_RUN].settings


@pytest.fixture(scope="session")
def mesh(request: pytest.FixtureRequest) -> Iterator[Mesh]:
    """The mesh under test, standing: created, taken over or borrowed, as the options say."""
    run = request.config.stash[_RUN]
    if run.given is not None:
        yield run.given.mesh
        return
    capture = request.config.pluginmanager.getplugin("capturemanager")
    terminate_like_interrupt()
    farewell = Timeline()
    setup = standing(run.settings, run.timeline, farewell)
    try:
        with capture.global_and_fixture_disabled(), live(run.timeline):
            run.mesh = setup.__enter__()
    except MeshproofError as error:
        with run.writing():
            write_timeline(run.timeline, run.folder)
        pytest.exit(str(error), returncode=error.exit_code)
    run.ready = time.time()
    run.results.facts = {**run.mesh.facts(), "command": _command(request.config)}
    with run.writing():
        write_timeline(run.timeline, run.folder)
    _add_junit_properties(request.config, run.results.facts)
    try:
        yield run.mesh
    finally:
        if run.settings.send_results and not sending.has_account() and request.session.exitstatus in _ENDS:
            _send(run, partial(_send_to_cluster, run, run.mesh))
        with capture.global_and_fixture_disabled(), live(farewell):
            setup.__exit__(None, None, None)


@pytest.fixture(scope="session")
def datadog(mesh: Mesh) -> Iterator[Datadog]:
    """Datadog, as it sees the mesh under test."""
    with watching(mesh) as found:
        yield found


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Where a check keeps what it saw."""
    return request.node.stash.setdefault(_EVIDENCE, Evidence())  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _remembered(request: pytest.FixtureRequest) -> None:
    """Only the request tells which fixtures a check asked for in its course."""
    request.node.stash[_REQUEST] = request


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A check begins with its set-up."""
    item.stash[_BEGAN] = time.time()


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """When a measurement began, also for checks that come later and share it."""
    request.config.stash[_RUN].set_up[fixturedef.argname] = time.time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn each test's end into a result with its verdict, reason and evidence."""
    report = yield
    _leave_out_secrets(report)
    run = item.config.stash[_RUN]
    if item.get_closest_marker(_RESTARTS):
        run.restarting.append((item.stash[_BEGAN], time.time()))
    seconds = call.stop - max(call.start, min(run.ready, call.stop))
    if run.mesh is None or (report.when != "call" and report.passed):
        item.stash[_SETUP_SECONDS] = seconds  # a check that several share is made in the first one's set-up
        return report
    if report.when == "call":
        seconds += item.stash.get(_SETUP_SECONDS, 0.0)
    error = call.excinfo.value if call.excinfo else None
    if _is_interrupt(error):
        raise KeyboardInterrupt
    verdict = verdict_of(report, error)
    kept = item.stash.get(_EVIDENCE, Evidence())
    reason = hidden(reason_of(report, error))
    if report.failed and isinstance(error, MeshproofError):
        report.longrepr = hidden(str(error))  # it says what is wrong; the way there through our code does not
    folder = None
    on_purpose = run.given is not None and run.given.expects(item.nodeid, verdict, reason)
    if verdict is Verdict.VIOLATE and not on_purpose and (around := _disturbed(run, item)):
        verdict, reason = Verdict.INVALID, f"INVALID: {around}, while it was found that {reason}"
    if verdict is Verdict.INVALID and (around := cramped(run.settings.cache)):
        reason = f"{reason}\n  seen around it: {around}"
    if verdict in (Verdict.VIOLATE, Verdict.INVALID) and not on_purpose and run.diagnosed < diagnostics.LIMIT:
        run.diagnosed += 1
        folder = _diagnosed(run, item)
        report.sections.append(("diagnostics", str(folder)))
    report.user_properties.append(("verdict", verdict.value))
    if run.given is None:
        with run.writing():
            kept.write_files(run.folder)
    run.results.checks.append(
        CheckResult(
            check=item.nodeid,
            promise=promise_of(item),
            verdict=verdict,
            reason=reason,
            seconds=round(seconds, 3),
            evidence=tuple(kept.items),
            diagnostics=str(folder) if folder else None,
        )
    )
    return report


def _diagnosed(run: _Run, item: pytest.Item) -> Path:
    """The folder with what there is to know about a failure."""
    assert run.mesh is not None
    folder = run.folder / "diagnostics" / re.sub(r"[^\w.-]+", "-", item.name)
    with run.writing():
        diagnostics.collect(run.mesh.cluster, MESH_NAMESPACES, folder, {"network": as_plain(run.mesh.bed.network)})
    return folder


def _disturbed(run: _Run, item: pytest.Item) -> str:
    """What went on around this check while it, or a measurement that it shares, was made."""
    if run.mesh is None:
        return ""
    request = item.stash.get(_REQUEST, None)
    used = set(request.fixturenames) - _NO_MEASUREMENTS if request else set()
    began = max(run.ready, min([item.stash[_BEGAN], *(at for name, at in run.set_up.items() if name in used)]))
    return disturbed(run.mesh, began, None if item.get_closest_marker(_RESTARTS) else run.restarting)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether it came while an interrupt was on its way out: what cannot be cleaned up then must not hide it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Say what was proven, what was not and why, and where to read more."""
    run = config.stash.get(_RUN, None)
    if run is None or run.mesh is None or run.given is not None:
        return
    from meshproof.report.page import write_report  # takes a while to load

    terminalreporter.section("meshproof", sep="=")
    page = None
    with run.writing():
        run.results.write(run.folder / "results.json")
        page = write_report(run.folder)
        point_latest(run.settings.reports, run.folder)
    if run.settings.send_results and sending.has_account() and exitstatus in _ENDS:
        _send(run, lambda: sending.send_to_account(run.folder))
    for line in summary_lines(run.results, run.mesh.reach(), run.folder, page):
        terminalreporter.write_line(line)
    if run.unwritten:
        terminalreporter.write_line(f"the report is not whole: {run.unwritten}", red=True)
    if run.sent:
        terminalreporter.write_line(run.sent)


def _send(run: _Run, send: Callable[[], sending.Sent]) -> None:
    """What is not accepted is told, and decides nothing: a run is as good as its checks."""
    try:
        run.sent = f"results: {send()}"
    except (MeshproofError, OSError) as error:
        run.sent = f"results: NOT sent: {error}"


def _send_to_cluster(run: _Run, mesh: Mesh) -> sending.Sent:
    """To the intake of the mesh, while it stands."""
    run.results.write(run.folder / "results.json")
    return sending.send_to_cluster(run.folder, mesh.cluster)


def _command(config: pytest.Config) -> list[str]:
    """What was typed after `pytest`, as it would be typed after tox's `--`."""
    given = [str(word) for word in config.invocation_params.args]
    kept = [word for word in given if word != "suites" and "junitxml" not in word]
    return ["tox", "-e", "e2e", "--", *without_secrets(kept)]


def _leave_out_secrets(report: pytest.TestReport) -> None:
    """What pytest tells and writes to junit.xml: how the test failed, and what was captured."""
    text = report.longreprtext
    if report.failed and hidden(text) != text:
        report.longrepr = hidden(text)
    if isinstance(report.longrepr, tuple):
        path, line, why = report.longrepr
        report.longrepr = (path, line, hidden(why))
    report.sections = [(title, hidden(content)) for title, content in report.sections]


def _add_junit_properties(config: pytest.Config, facts: dict[str, Any]) -> None:
    from _pytest.junitxml import xml_key

    xml = config.stash.get(xml_key, None)
    if xml is not None:
        for name, value in flat(facts):
            xml.add_global_property(name, value)
