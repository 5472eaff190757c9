"""Whatever is given for a setting, wherever: settings that can be used, or an error that names field, value, remedy."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from junk import LINE, TEXT, value

from meshproof.errors import UsageError
from meshproof.secrecy import shown
from meshproof.settings import Settings, load_settings
from meshproof.timeouts import Timeouts

JSON = {"timeouts", "soak_may_lose"}
"""In the environment these are JSON."""
FIELDS = sorted(set(Settings.model_fields) - {"timeouts"})
PATHS = ("kubeconfig", "reports", "cache", "state", "kind_bin")


def outcome(written: str, seen: Any, **options: Any) -> None:
    """Loads the settings, which are good, or told as they have to be: `written` is the field, `seen` the value."""
    try:
        settings = load_settings(**options)
    except UsageError as error:
        told = str(error.remedy)
        table = f"below [{written}".replace(" in ", "] in ")
        assert written in told or (isinstance(seen, dict) and table in told), str(error)
        assert table in told or error.seen == shown(seen)
        assert f"seen: {error.seen}" in str(error)
        assert len(str(error)) < 2500
        assert error.problem.isprintable()
    else:
        can_be_used(settings)


def can_be_used(settings: Settings) -> None:
    for name in PATHS:
        path = getattr(settings, name)
        assert path is None or not str(path).startswith("~")
        assert path is None or path.exists() in (True, False)  # without an error
    assert 0 <= settings.workers <= 9
    assert settings.night_seconds > 0 and math.isfinite(settings.night_seconds)
    for name in Timeouts.model_fields:
        assert 0 < getattr(settings.timeouts, name) <= 7200 and math.isfinite(getattr(settings.timeouts, name))
    for name in ("cluster_name", "metallb", "kubernetes", "context", "kind_image", "pool"):
        text = getattr(settings, name)
        assert text is None or (text.isprintable() and text.strip() and not text.startswith("-")) or name == "context"
    str(settings).encode()


@given(name=st.sampled_from(FIELDS), junk=TEXT)
@example("pool", "::-ffff::")
@example("kind_bin", "/etc/passwd")
@example("reports", "/etc/passwd/reports")
@example("kubernetes", "٣.٣.٣")
@example("workers", "9" * 5000)
def test_options(name: str, junk: str) -> None:
    outcome(f"--{name.replace('_', '-')}", junk, **{name: junk})


@given(name=st.sampled_from(sorted({*FIELDS} - JSON)), junk=LINE)
@example("kubeconfig", "")
def test_environment(name: str, junk: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        variable = f"MESHPROOF_{name.upper()}"
        patch.setenv(variable, junk)
        outcome(variable, os.environ[variable])


@given(name=st.sampled_from(sorted(Timeouts.model_fields)), junk=LINE)
def test_environment_of_timeouts(name: str, junk: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        variable = f"MESHPROOF_TIMEOUTS__{name.upper()}"
        patch.setenv(variable, junk)
        outcome(variable, junk)


@pytest.mark.parametrize("junk", ["30", "[", "", '{"lunch": 1}', '{"rollout": "x"}'])
def test_environment_of_all_timeouts(junk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_TIMEOUTS", junk)
    with pytest.raises(UsageError, match="MESHPROOF_TIMEOUTS") as told:
        load_settings()
    assert told.value.seen and told.value.remedy


@pytest.mark.parametrize("junk", ["30", "[", "", "true", '{"lunch": "x"}'])
def test_environment_of_what_may_be_lost(junk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_SOAK_MAY_LOSE", junk)
    with pytest.raises(UsageError, match="soak_may_lose") as told:
        load_settings()
    assert told.value.seen and "MESHPROOF_SOAK_MAY_LOSE" in str(told.value.remedy)


def toml(content: Any) -> str:
    """A value as TOML; what TOML cannot say comes out as text."""
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, dict):
        # Two keys may differ only in what TOML cannot say.
        items = {quoted(key): toml(item) for key, item in content.items()}
        return "{" + ", ".join(f"{key} = {item}" for key, item in items.items()) + "}"
    if isinstance(content, list):
        return "[" + ", ".join(map(toml, content)) + "]"
    if isinstance(content, int | float):
        return repr(content)
    return quoted(str(content))


def quoted(text: str) -> str:
    kept = (
        c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text if not 0xD800 <= ord(c) < 0xE000
    )
    return '"' + "".join(kept) + '"'


@given(name=st.sampled_from(FIELDS), junk=value())
@example("workers", True)
@example("night_seconds", math.inf)
@example("soak_may_lose", {"": None})
@example("soak_may_lose", {"": None, "\ud800": []})
@example("reports", "a\0b")
@example("kind_image", {"a": [1]})
def test_file(name: str, junk: Any) -> None:
    import tomllib

    text = f"{name} = {toml(junk)}\n"
    Path("meshproof.toml").write_text(text, encoding="utf-8")
    outcome(f"{name} in meshproof.toml", tomllib.loads(text)[name])


@given(name=st.sampled_from(sorted(Timeouts.model_fields)), junk=value())
@example("rollout", True)
@example("rollout", math.nan)
def test_file_of_timeouts(name: str, junk: Any) -> None:
    import tomllib

    text = f"[timeouts]\n{name} = {toml(junk)}\n"
    Path("meshproof.toml").write_text(text, encoding="utf-8")
    outcome(f"{name} below [timeouts] in meshproof.toml", tomllib.loads(text)["timeouts"][name])


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass")))
@example(b"a = " + b"[" * 3000)
@example(b"workers = " + b"9" * 5000)
@example("workers = 1".encode("utf-16"))
def test_broken_file(content: bytes) -> None:
    Path("meshproof.toml").write_bytes(content)
    try:
        load_settings()
    except UsageError as error:
        assert "meshproof.toml" in str(error) and error.seen and error.remedy
        assert len(str(error)) < 2500


@given(name=LINE.filter(lambda text: text not in Settings.model_fields))
@example("a\x1b[31m")
@example("cluster-name")
def test_unknown_name_in_the_file(name: str) -> None:
    Path("meshproof.toml").write_text(f"{quoted(name)} = 'something else'\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"in meshproof\.toml") as told:
        load_settings()
    assert shown(name)[1:-1] in told.value.problem and told.value.problem.isprintable()
    assert told.value.remedy and ("write " in told.value.remedy or "cluster_name" in told.value.remedy)


@pytest.mark.parametrize("kind", ["folder", "nowhere", "loop"])
def test_file_that_is_none(folder: Path, kind: str) -> None:
    path = folder / "meshproof.toml"
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("meshproof.toml" if kind == "loop" else "gone")
    with pytest.raises(UsageError, match=r"meshproof\.toml cannot be read") as told:
        load_settings()
    assert told.value.seen and told.value.remedy


def test_misspelt_variable_is_not_left_out_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_CLUSTERNAME", "mine")
    with pytest.raises(UsageError, match="no setting MESHPROOF_CLUSTERNAME") as told:
        load_settings()
    assert told.value.seen == "'mine'" and "write MESHPROOF_CLUSTER_NAME" in str(told.value.remedy)


def test_variable_is_named_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("meshproof_Workers", "many")
    with pytest.raises(UsageError, match="correct meshproof_Workers in the environment"):
        load_settings()


def test_keys_do_not_belong_into_the_file_and_are_not_shown(folder: Path) -> None:
    (folder / "meshproof.toml").write_text('dd_api_key = "0123456789abcdef0123456789abcdef"\n')
    with pytest.raises(UsageError, match="remove dd_api_key") as told:
        load_settings()
    assert "0123456789" not in str(told.value)


def test_home_is_understood(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "meshproof.toml").write_text('reports = "~/elsewhere"\n')
    assert load_settings().reports == folder / "elsewhere"
