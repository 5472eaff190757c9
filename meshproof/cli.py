"""The `meshproof` command: doctor, up, down, status, prove, nightly, report, intake."""

from __future__ import annotations

import json
import os
import sys
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from meshproof.bed import engine as engines
from meshproof.bed import lifecycle, namespace
from meshproof.bed.ownership import Records, RunRecord, RunState
from meshproof.bed.preflight import Level, preflight
from meshproof.errors import MeshproofError, UsageError
from meshproof.interrupts import terminate_like_interrupt
from meshproof.kube import Cluster
from meshproof.report.files import write_timeline
from meshproof.settings import Settings, load_settings
from meshproof.stack import describe
from meshproof.standing import standing
from meshproof.timeline import Timeline
from meshproof.timeline.live import live
from meshproof.timeouts import Timeouts

__all__ = ["main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
console = Console()

ClusterName = Annotated[str | None, typer.Option(help="Name of the kind cluster.", metavar="NAME")]
Images = Annotated[str | None, typer.Option(help="registry, source or auto.", metavar="SOURCE")]
KeepCluster = Annotated[bool | None, typer.Option("--keep-cluster", help="Do not delete it afterwards.")]
Kubeconfig = Annotated[str | None, typer.Option(help="Use the cluster of this kubeconfig.", metavar="FILE")]
Context = Annotated[str | None, typer.Option(help="Use the cluster of this context.", metavar="NAME")]

_COLOURS = {Level.FINE: "green", Level.WARNING: "yellow", Level.FATAL: "bold red"}
_SIGNS = {Level.FINE: "✔", Level.WARNING: "!", Level.FATAL: "✘"}


@app.command()
def doctor(cluster_name: ClusterName = None, images: Images = None) -> None:
    """Look at this machine and say what would keep a run from working."""
    findings = list(preflight(load_settings(cluster_name=cluster_name, images=images)))
    for category, group in groupby(findings, key=lambda finding: finding.category):
        console.print(f"[bold]{category}[/]")
        for finding in group:
            colour, sign = _COLOURS[finding.level], _SIGNS[finding.level]
            console.print(f"  [{colour}]{sign}[/] {finding.name}: {finding.seen}", highlight=False, soft_wrap=True)
            if finding.hint:
                console.print(f"      [dim]{finding.level.value}:[/] {finding.hint}", highlight=False, soft_wrap=True)
    fatal = sum(finding.level is Level.FATAL for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    console.print(f"{len(findings)} looked at, {warnings} warnings, {fatal} fatal")
    if fatal:
        raise typer.Exit(1)


@app.command()
def up(
    cluster_name: ClusterName = None,
    images: Images = None,
    workers: Annotated[str | None, typer.Option(help="Worker nodes.", metavar="N")] = None,
    metallb: Annotated[str | None, typer.Option(help="MetalLB's version.", metavar="VERSION")] = None,
    pool: Annotated[str | None, typer.Option(help="Addresses for MetalLB.", metavar="FIRST-LAST")] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Stand up the cluster and the whole stack, and leave them standing."""
    settings = load_settings(
        cluster_name=cluster_name,
        images=images,
        workers=workers,
        metallb=metallb,
        pool=pool,
        kubeconfig=kubeconfig,
        context=context,
        keep_cluster=True,
    )
    timeline = Timeline()
    mesh_set_up = standing(settings, timeline, Timeline())
    try:
        with live(timeline, console):
            mesh = mesh_set_up.__enter__()
        lines = mesh.reach()
        mesh_set_up.__exit__(None, None, None)
    finally:
        write_timeline(timeline, settings.reports / "set-up")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


@app.command()
def down(cluster_name: ClusterName = None) -> None:
    """Delete a kept cluster, clear what killed runs left, and stop our engine when nothing needs it."""
    settings = load_settings(cluster_name=cluster_name)
    timeline = Timeline()
    with lifecycle.sole_use_of_cluster(settings), live(timeline, console):
        removed = lifecycle.take_down(settings, timeline)
    console.print(f"removed: {', '.join(removed) or 'nothing was there'}", highlight=False)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what is up, whose it is, and how to reach it."""
    settings = load_settings()
    records = Records(settings.state)
    found = [_state_of(settings, record) for record in records]
    for path, why in records.unreadable().items():
        Console(stderr=True).print(f"{path} cannot be read: {why}", style="yellow", markup=False, soft_wrap=True)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    if not found:
        console.print("nothing is up")
        return
    for entry in found:
        for name, value in entry.items():
            console.print(f"[bold]{name:<9}[/]{escape(str(value))}", highlight=False, soft_wrap=True)


@app.command()
def prove(
    mutant: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.", metavar="NAME")] = None,
    mutants: Annotated[
        list[str] | None,
        typer.Option(
            help="Mutants of this folder instead; may be repeated; `shipped` are ours, `nightly` those of the night.",
            metavar="FOLDER",
        ),
    ] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="Only tell the mutants, and the tests that have none; without a cluster.")
    ] = False,
    together: Annotated[
        int | None, typer.Option(help="How many mutants share a proof that all is well again.", min=1, metavar="N")
    ] = None,
    lanes: Annotated[
        int | None,
        typer.Option(help="How many mutants are in force at once, where they stay apart.", min=1, metavar="N"),
    ] = None,
    cluster_name: ClusterName = None,
    images: Images = None,
    keep_cluster: KeepCluster = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Break the mesh on purpose, one property at a time, and see each check fail for its reason.

    Up to N mutants in a row share one proof that the mesh is well again; with 1 each has its own, and it takes longer.
    """
    from meshproof.prove.command import list_mutants, run_proof  # brings pytest along

    if only_list:
        list_mutants(mutants or (), mutant or (), console)
        return
    settings = load_settings(
        cluster_name=cluster_name, images=images, keep_cluster=keep_cluster, kubeconfig=kubeconfig, context=context
    )
    if not run_proof(settings, mutant or (), console, folders=mutants or (), together=together, lanes=lanes):
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def nightly(
    context_of_command: typer.Context,
    cluster_name: ClusterName = None,
    images: Images = None,
    keep_cluster: KeepCluster = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Every suite strictly, one version against itself, a soak with restarts, the mutants. Other words are pytest's."""
    from meshproof.nightly.command import run_night
    from meshproof.nightly.stages import environment

    named = {"cluster_name": cluster_name, "images": images, "kubeconfig": kubeconfig, "context": context}
    settings = load_settings(**named, keep_cluster=keep_cluster)
    code = run_night(settings, environment(os.environ, **named), context_of_command.args, console)
    if code:
        raise typer.Exit(code)


@app.command()
def report(
    run: Annotated[str | None, typer.Argument(help="A run's name or folder; without it the latest.")] = None,
    compare: Annotated[
        tuple[str, str] | None, typer.Option(help="Say what changed between two runs instead.", metavar="A B")
    ] = None,
    reports: Annotated[str | None, typer.Option(help="Where the runs are.", metavar="FOLDER")] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Send it to Datadog (DD_API_KEY), or to a kept cluster's intake.")
    ] = False,
    summary: Annotated[bool, typer.Option("--summary", help="Print Markdown for a CI job's summary instead.")] = False,
) -> None:
    """Make a run's page and report.json again from what it left, and print the page's path."""
    from meshproof.report import rebuilt  # its libraries are slow to load

    settings = load_settings(reports=reports)
    folder = settings.reports
    if compare is not None:
        for line in rebuilt.compared(folder, *compare):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        return
    page = rebuilt.page_of(folder, run)
    if summary:
        print(rebuilt.summary_of(page.parent), end="")
        return
    print(page)
    for line in rebuilt.nights_of(page.parent):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if send:
        from meshproof import sending

        sending.expect_recent(page.parent)
        to_account = sending.has_account()
        sent = sending.send_to_account(page.parent) if to_account else sending.send_to_kept(page.parent, settings)
        console.print(str(sent), highlight=False, markup=False, soft_wrap=True)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def intake(context: typer.Context) -> None:
    """Receive what Datadog agents send, and answer Datadog's API client. `meshproof intake --help` tells more."""
    try:
        from meshproof.intake.__main__ import intake as receive  # its libraries are an extra, and slow to load
    except ModuleNotFoundError as missing:
        raise UsageError(
            "the intake's libraries are not installed",
            seen=missing.name,
            remedy="pip install 'meshproof[intake]'",
        ) from missing
    command = typer.Typer(add_completion=False)
    command.command()(receive)
    command(args=context.args, standalone_mode=False, prog_name="meshproof intake")


_STATUS_SECONDS = 5.0
"""For an answer of a cluster that may hang; a request that was not answered is sent once more."""


def _state_of(settings: Settings, record: RunRecord) -> dict[str, Any]:
    engine = next(
        (
            e
            for e in (engines.find_running(settings), engines.OwnEngine.of(settings))
            if e and e.host == record.engine_host
        ),
        None,
    )
    state = record.state.value if record.state is RunState.KEPT or record.alive else "left by a killed run"
    entry: dict[str, Any] = {
        "cluster": record.cluster_name,
        "run": record.run_id,
        "state": state,
        "since": record.started_at,
        "pool": record.pool or "none yet",
        "engine": record.engine_host,
    }
    kubeconfig = settings.state / "clusters" / record.cluster_name / "kubeconfig"
    if engine is None or not engine.answers():
        return {**entry, "state": f"{state}; its engine does not answer"}
    inside = f"nsenter --net={engine.namespace} " if engine.namespace else ""
    entry["kubectl"] = f"{inside}env KUBECONFIG={kubeconfig} kubectl get pods -A"
    try:
        patience = Timeouts(api_request=_STATUS_SECONDS)
        with namespace.entered(engine.namespace), Cluster(kubeconfig, timeouts=patience) as cluster:
            installed = describe(cluster)
    except MeshproofError as error:
        return {**entry, "state": f"{state}; it does not answer", "problem": error.problem}
    if installed is not None:
        entry["versions"] = ", ".join(f"{name} {version}" for name, version in installed.versions.items())
        host = "Host: goapi.apps.svc.cluster.local"
        entry["gateway"] = installed.gateway_address
        entry["books"] = f"{inside}curl -H '{host}' http://{installed.gateway_address}/books"
    return entry


_INTERRUPTED = 130


def main() -> None:
    """Run the command; errors are told in a few lines, with their own exit codes."""
    terminate_like_interrupt()
    try:
        # What a command ends with is returned, and 130 for an interrupt; other versions of typer raise it.
        code = app(standalone_mode=False)
    except typer.Exit as ended:
        code = ended.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except MeshproofError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read it has read enough
        sys.exit(1)
    except OSError as error:
        told = MeshproofError(
            f"cannot use {error.filename or 'a file'}",
            seen=error.strerror or error,
            remedy="see to its rights and space",
        )
        Console(stderr=True).print(str(told), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(told.exit_code)
    except Exception as error:
        if type(error).__module__.startswith(("typer", "click")) and hasattr(error, "format_message"):
            Console(stderr=True).print(error.format_message(), style="red", markup=False)
            sys.exit(UsageError.exit_code)
        raise
    if code == _INTERRUPTED:
        Console(stderr=True).print("interrupted; what was begun has been cleaned up", style="yellow")
    sys.exit(code)


if __name__ == "__main__":
    main()
