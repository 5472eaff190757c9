"""Go's expressions in Python: the same answers, or none. The expected answers are google-re2's own."""

from __future__ import annotations

import pytest

from meshproof.observability.re2 import BadExpression, NotModelled, compile_re2


@pytest.mark.parametrize(
    ("expression", "text", "found"),
    [
        ("istio-system", "istio-system-2", True),
        ("^istio-system$", "istio-system-2", False),
        ("system$", "istio-system\n", False),
        (r"system\z", "istio-system", True),
        ("docker.io/istio", "docker_io/istio", True),
        (r"\Qa.b\E", "axb", False),
        ("{,5}", "{,5}", True),
        ("a{,5}", "aaa", False),
        ("[]a]", "]", True),
        (r"[a\-z]", "-", True),
        (r"\s", "\v", False),
        ("(?i)PROXY", "proxyv2", True),
        ("(?i:PROXY)v", "proxyv2", True),
        (r"(?P<name>a)|(?<other>b)", "b", True),
        ("", "anything", True),
        (r"\d", "٣", False),
    ],
)
def test_what_both_know_means_the_same(expression, text, found):
    assert (compile_re2(expression).search(text) is not None) is found


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "a(?=b)",
            "a(?!b)",
            "(?<=a)b",
            "(?<!a)b",
            r"(a)\1",
            "(?P=n)",
            "(?>a)",
            "(?#note)a",
            "a++",
            "a*+",
            "a**",
            r"\Z",
        ),
        *("a{1001}", "a{2,1}", "(", ")", "*a", "[z-a]", "[a", "\\", r"\y", "(?(1)a)"),
    ],
)
def test_what_re2_refuses_is_refused(expression):
    with pytest.raises(BadExpression):
        compile_re2(expression)


@pytest.mark.parametrize("expression", [r"\pL", "[[:alpha:]]", "(?U)a+", "(?m)^a$", "a(?i)b", "^*a", r"\12", r"[\s]"])
def test_what_python_has_no_equal_for_is_not_guessed(expression):
    with pytest.raises(NotModelled):
        compile_re2(expression)
