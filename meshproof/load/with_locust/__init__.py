"""Locust as the load generator. Importing this patches the standard library for gevent, as Locust does.

A locust file needs a user class, and one line that says what is judged:

    class Client(LoadUser):
        ...

    judged_as(SplitRun)
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from locust import FastHttpUser, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from meshproof.errors import UsageError
from meshproof.load.judging import Run
from meshproof.load.options import LOAD, Option, check_target
from meshproof.load.with_locust.coordinator import Barrier, Coordinator
from meshproof.load.with_locust.generator import Generator
from meshproof.load.with_locust.tab import add_tab

__all__ = ["LoadUser", "judged_as"]

# The statistics share the interpreter with the schedule. While they compute, half of all starts came 0.7 ms late with
# 0.5 ms here, and 0.4 ms with this; the usual 5 ms make more than 1 ms.
_SWITCH_INTERVAL = 0.0001


class LoadUser(FastHttpUser):
    """A connection that is kept from the beginning. Requests are started by the process's own open-loop schedule, on
    the connections in turn; further ones are opened while all are busy."""

    abstract = True

    @task
    def wait_for_the_schedule(self) -> None:
        """Nothing of its own."""
        gevent.sleep(3600)


def judged_as(
    make_run: Callable[[dict[str, Any]], Run], options: Sequence[Option], *, barrier: Barrier | None = None
) -> None:
    """Make the locust file that calls this a test of that kind. `barrier` is waited for before the first request.

    Raises UsageError when another file was loaded that does the same.
    """
    if _judged:
        raise UsageError("two load tests cannot run as one", remedy="give one file with -f")
    _judged.append(make_run)

    def add_options(parser: LocustArgumentParser, **_: Any) -> None:
        group = parser.add_argument_group("meshproof", "what is promised, and how load is made")
        for option in (*LOAD, *options):
            shown = option.told.replace("%", "%%")
            group.add_argument(
                f"--{option.name}", type=type(option.default), default=option.default, help=shown, metavar="VALUE"
            )
        # Its table, whose figures are rounded, would bury the progress; the summary at the end stays.
        parser.set_defaults(only_summary=True, num_users=8, spawn_rate=100.0)
        given = parser.parse_known_args()[0]
        try:
            make_run(vars(given))
            if not given.worker and (given.headless or given.host):
                check_target(given.host)
        except UsageError as error:
            parser.exit(error.exit_code, f"{error}\n")

    def connect(environment: Environment, **_: Any) -> None:
        sys.setswitchinterval(_SWITCH_INTERVAL)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            gevent.signal_handler(signal.SIGINT, interrupt_main)
        if not isinstance(environment.runner, MasterRunner):
            generator = Generator(environment)
            environment.events.test_stopping.add_listener(lambda **_: generator.finish())
            environment.events.quitting.add_listener(lambda **_: generator.finish())
        if not isinstance(environment.runner, WorkerRunner):
            coordinator = Coordinator(environment, make_run, barrier)
            if environment.web_ui:
                add_tab(environment.web_ui, coordinator)

    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(connect)


def interrupt_main() -> None:
    """Ctrl-C ends what Locust waits for, never a request in its middle."""
    gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())


_judged: list[Callable[[dict[str, Any]], Run]] = []
