"""What people and programs write where something else was meant."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NOWHERE = (
    "",
    " ",
    ".",
    "/",
    "nowhere/at/all",
    "\0",
    "~nobody/x",
    "a" * 300,
    "/" + "x/" * 3000,
    "/dev/null/x",
    "loop/x",
)
WORDS = (
    *("true", "False", "null", "none", "nan", "-inf", "1e400", "-1", "0", "0x10", "1_0", "٣", "9" * 5000),
    *(
        "latest",
        "v1",
        "1.2.3.4",
        "1.36.3\n",
        "--help",
        "'; rm -rf",
        "{}",
        "[1",
        "$HOME",
        "\x1b[31m",
        "é\u202e",
        "\ud800",
    ),
    *("10.0.0.9-10.0.0.1", "::-ffff::", "10.0.0.1/24", "10.0.0.1-::1", "1-2-3", "REGISTRY", "Source", "saas "),
)
TEXT = st.one_of(st.sampled_from(NOWHERE), st.sampled_from(WORDS), st.text(max_size=30))
LINE = TEXT.filter(lambda text: "\0" not in text and text.isprintable())
"""What fits on a command line and into an environment variable."""
NUMBER = st.one_of(st.integers(), st.floats(), st.sampled_from([10**40, -(10**40), 2**63]))


def value(*, depth: int = 2) -> st.SearchStrategy[Any]:
    """Anything that a TOML or YAML file can hold."""
    plain = st.one_of(st.none(), st.booleans(), NUMBER, TEXT, st.dates(), st.datetimes())
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=depth * 3,
    )
