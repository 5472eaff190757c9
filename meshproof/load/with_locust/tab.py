"""A tab in Locust's web page, and a page of its own with a chart, that show the run live."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from locust.runners import STATE_CLEANUP, STATE_RUNNING, STATE_STOPPING
from locust.web import WebUI

from meshproof.load.view import QUANTILES, View, evidence

if TYPE_CHECKING:
    from meshproof.load.with_locust.coordinator import Coordinator

__all__ = ["add_tab"]

_KEY = "meshproof"
_FILES = Path(__file__).with_name("page")
_POINTS = 400
_COLUMNS = {
    "name": "Arm",
    "requests": "Requests",
    "failed": "Failed",
    "share": "Share",
    "between": "Between",
    **{f"p{100 * quantile:g}": f"p{100 * quantile:g} (ms)" for quantile in QUANTILES},
}


def add_tab(web_ui: WebUI, coordinator: Coordinator) -> None:
    """Adds the tab "meshproof" with a table as Locust's page draws it, and below it the page `meshproof/`."""
    app, options = web_ui.app, web_ui.environment.parsed_options
    assert app is not None
    base = (options.web_base_path if options else "") or ""
    pages = Blueprint(_KEY, __name__, url_prefix=f"{base}/{_KEY}")
    web_ui.template_args["extended_tabs"] = [{"title": "meshproof", "key": _KEY}]
    structure = [{"key": key, "title": title} for key, title in _COLUMNS.items()]
    web_ui.template_args["extended_tables"] = [{"key": _KEY, "structure": structure}]

    def page(name: str, kind: str) -> Callable[[], Response]:
        return lambda: Response((_FILES / name).read_text(), content_type=f"{kind}; charset=utf-8")

    for path, name, kind in (
        ("/", "page.html", "text/html"),
        ("/page.js", "page.js", "application/javascript"),
        ("/tab.js", "tab.js", "application/javascript"),
    ):
        pages.add_url_rule(path, name.replace(".", "-"), web_ui.auth_required_if_enabled(page(name, kind)))

    def data() -> Response:
        return Response(json.dumps(told(coordinator)), content_type="application/json")

    def extend(response: Response) -> Response:
        if request.path == f"{base}/stats/requests" and response.is_json:
            known = dict(response.json or {})
            rows = table(coordinator.view) if coordinator.view else []
            known["extended_stats"] = [{"key": _KEY, "data": rows}]
            # Locust's page stops asking when it meets one of these, and would not hear that a run has ended by itself.
            if known.get("state") in (STATE_CLEANUP, STATE_STOPPING):
                known["state"] = STATE_RUNNING
            response.set_data(json.dumps(known))
        elif request.path == f"{base}/" and response.mimetype == "text/html":
            script = f'<script src="./{_KEY}/tab.js"></script></body>'
            response.set_data(response.get_data(as_text=True).replace("</body>", script))
        return response

    pages.add_url_rule("/data.json", view_func=web_ui.auth_required_if_enabled(data))
    app.after_request(extend)
    app.register_blueprint(pages)


def table(view: View) -> list[dict[str, str]]:
    """A line for each arm, and one for the run."""
    lines = [
        {
            "name": arm.arm,
            "requests": f"{arm.requests:,}",
            "failed": f"{arm.failed:,}",
            "share": f"{arm.share:.2%}",
            "between": f"{arm.interval[0]:.2%} and {arm.interval[1]:.2%}",
            **{
                f"p{100 * quantile:g}": f"{1e3 * value:.2f}"
                for quantile, value in zip(QUANTILES, arm.response, strict=True)
            },
        }
        for arm in view.arms
    ]
    verdict = f"{view.verdict}, e-value {evidence(view.log_evidence)}"
    return [*lines, {**dict.fromkeys(_COLUMNS, ""), "name": verdict, "requests": f"{view.requests:,}"}]


def told(coordinator: Coordinator) -> dict[str, Any]:
    """What the page draws."""
    view, history = coordinator.view, coordinator.history
    every = max(1, math.ceil(len(history) / _POINTS))
    points = [*history[:-1:every], *history[-1:]]
    told: dict[str, Any] = {"state": coordinator.state, "points": [_point(at, seen) for at, seen in points]}
    if view is not None:
        told |= {
            "arms": [arm.arm for arm in view.arms],
            "promised": [arm.promised for arm in view.arms],
            "margin": getattr(getattr(coordinator.run, "promise", None), "margin", None),
            "threshold": -math.log10(view.alpha),
            "quantiles": [f"p{100 * quantile:g}" for quantile in QUANTILES],
            "lines": view.lines,
            "left": view.left,
        }
    return told


def _point(at: int, view: View) -> dict[str, Any]:
    return {
        "at": at / 1e6,
        "requests": view.requests,
        "shares": [arm.share for arm in view.arms],
        "intervals": [arm.interval for arm in view.arms],
        "evidence": min(view.log_evidence / math.log(10), 300.0),
        "latency": [[None if math.isnan(value) else value * 1e3 for value in arm.response] for arm in view.arms],
    }
