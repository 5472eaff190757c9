from __future__ import annotations

import pytest

from meshproof.errors import UsageError
from meshproof.probe import Request


@pytest.mark.parametrize("url", ["shop.example.com", "ftp://a/", "http://", "http://a/ü", "http://a/b c"])
def test_url_that_cannot_be_sent(url: str) -> None:
    with pytest.raises(UsageError, match="URL"):
        Request(url)


@pytest.mark.parametrize(
    ("url", "connect_to", "target"),
    [
        ("http://a/", None, ("a", 80)),
        ("https://a/", None, ("a", 443)),
        ("http://a:8080/", None, ("a", 8080)),
        ("http://[::1]:8080/", None, ("::1", 8080)),
        ("https://a/", "172.18.0.200", ("172.18.0.200", 443)),
        ("http://a/", "172.18.0.200:15021", ("172.18.0.200", 15021)),
        ("http://a/", "[fd00::1]:81", ("fd00::1", 81)),
    ],
)
def test_target(url: str, connect_to: str | None, target: tuple[str, int]) -> None:
    assert Request(url, connect_to=connect_to).target() == target


def test_own_headers_win() -> None:
    request = Request("http://a/", headers={"User-Agent": "mine"}, host="b")
    headers = request.sent_headers()
    assert (headers["user-agent"], headers["host"]) == ("mine", "b")


@pytest.mark.parametrize(("url", "path"), [("http://a", "/"), ("http://a/b/../c?d=e#f", "/b/../c?d=e")])
def test_path_is_unchanged(url: str, path: str) -> None:
    assert Request(url).path == path
