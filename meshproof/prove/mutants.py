"""fixtures/mutants/: one file a mutant, plain data: what it breaks, which tests must fail, and for what reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from meshproof.errors import UsageError
from meshproof.intake.faults import Fault
from meshproof.intake.spoils import Pattern, Spoil
from meshproof.mend.references import Command, Pods, Reference, Table
from meshproof.parts import Part

__all__ = ["Expectation", "Mutant", "Step", "filled", "load_mutants"]

Test = Annotated[str, Field(pattern=r"^[\w/]+\.py::\w+(\[.+\])?$")]


def _is_about_an_object(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        raise ValueError("an object has apiVersion, kind and metadata.name")
    names = {"name": metadata.get("name"), "namespace": metadata.get("namespace")}
    try:
        Reference.model_validate({"apiVersion": manifest.get("apiVersion"), "kind": manifest.get("kind"), **names})
    except ValidationError as error:
        raise ValueError(
            f"an object has apiVersion, kind and metadata.name, all of them texts: {error.errors()[0]['loc'][0]}"
        ) from error
    return manifest


Object = Annotated[dict[str, Any], AfterValidator(_is_about_an_object)]


class Substitution(Reference):
    """A text to replace in one field of an object, such as `data.mesh` of a ConfigMap."""

    field: Annotated[str, Field(pattern=r"^[\w-]+(\.[\w-]+)*$")]
    old: Annotated[str, Field(min_length=1)]
    new: str


class Step(Table):
    """One thing to do; exactly one of the fields.

    `delete` an object; `overlay` a partial object over one that is there (lists of named things merged by name, null
    removes); `substitute` a text in one of its fields; `apply` further objects; `restart` a workload; `end` pods; wait
    until pods are `gone`; `run` a command in pods; switch on `faults` of the intake, or `spoils`, which alter what it
    answers.
    """

    delete: Reference | None = None
    overlay: Object | None = None
    substitute: Substitution | None = None
    apply: list[Object] | None = None
    restart: Reference | None = None
    end: Pods | None = None
    gone: Pods | None = None
    run: Command | None = None
    faults: Annotated[list[Fault], Field(min_length=1)] | None = None
    spoils: Annotated[list[Spoil], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Step:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a step is exactly one of {', '.join(type(self).model_fields)}, not {given or 'none'}")
        return self


class Steps(Table):
    """The steps of a mutant alone."""

    steps: list[Step]


class Expectation(Table):
    """A test that must fail, all its cases unless one is named in brackets, and the reason that it must give."""

    test: Test
    because: Pattern
    """A regular expression, searched for in the reason."""
    may_be_left_out: bool = False
    """Where the bed cannot make the test at all, so that it ends NOT PROVEN whatever is broken, it need not fail."""


class Mutant(Table):
    """One way to break one property.

    In the texts of the steps `{node}` stands for the first node's name, `{pool.last}` for the pool's last address.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    breaks: str
    """In a sentence."""
    area: Literal[
        "cluster", "injection", "mtls", "gateway", "routing", "apps", "agents", "traces", "logs", "services", "canary"
    ] = Field(alias="property")
    steps: Annotated[list[Step], Field(min_length=1)]
    touches: list[Part] | None = None
    """The parts of the mesh that it can make otherwise; all of them when left out. It may be in force beside a mutant
    that touches others, when no test of either looks at what the other touches."""
    settles: Literal["rolled out", "seen", "at once"] = "rolled out"
    """When it is in force: all workloads rolled out; the change seen by its controller, for pods that will never be
    ready; or without waiting."""
    fails: Annotated[list[Expectation], Field(min_length=1)]
    green: list[Test] = Field(default_factory=list)
    patience: Annotated[float, Field(gt=0)] | None = None
    """Seconds that its tests wait until something can be found, where less than usual is enough: what they ask for is
    there before them."""
    requests: Annotated[int, Field(ge=100)] | None = None
    """How many requests a run makes that compares latencies, where fewer than usual are enough: what is refuted by few
    is refuted by more."""
    only_named: bool = False
    """Whether the other cases of a test, of which some are named, are left out: where each takes its time."""
    order: int = 50
    """Cheap restorations come first."""

    @model_validator(mode="after")
    def _no_test_is_both(self) -> Mutant:
        both = {expectation.test for expectation in self.fails} & set(self.green)
        if both:
            raise ValueError(f"must fail and stay green: {', '.join(sorted(both))}")
        return self

    @property
    def tests(self) -> tuple[str, ...]:
        """What is run: the functions concerned, as `test_x.py::test_y`, or only the cases of them that are named."""
        named = [*(expectation.test for expectation in self.fails), *self.green]
        return tuple(dict.fromkeys(test if self.only_named else test.partition("[")[0] for test in named))


def filled(mutant: Mutant, words: Mapping[str, str]) -> Mutant:
    """The mutant with the words in braces replaced, such as {"node": "worker-1"}."""
    text = mutant.model_dump_json(by_alias=True, exclude_none=True, include={"steps"})
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return mutant.model_copy(update={"steps": Steps.model_validate_json(text).steps})


def load_mutants(folder: Path) -> list[Mutant]:
    """The mutants of a folder in the order in which to try them.

    Raises UsageError that names the file and the field.
    """
    mutants = [_read(path) for path in folder.glob("*.yaml")]
    return sorted(mutants, key=lambda mutant: (mutant.order, mutant.name))


def _read(path: Path) -> Mutant:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # a date that there is not is a ValueError
        raise UsageError(f"{path} cannot be read", seen=error, remedy="write one YAML object, in UTF-8") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} is not a mutant", seen=_shown(content), remedy="write one YAML object")
    if "name" in content:
        raise UsageError(
            f"{path}, name: a mutant is named after its file", seen=_shown(content["name"]), remedy="leave it out"
        )
    try:
        mutant = Mutant.model_validate({"name": path.stem, **content})
        filled(mutant, {})  # only what can be written as JSON can be sent to the cluster
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(word) for word in first["loc"]) or "the whole"
        problem = first["msg"].removeprefix("Value error, ")
        remedy = "rename the file" if where == "name" else f"correct {where} in {path.name}"
        raise UsageError(f"{path}, {where}: {problem}", seen=_shown(first.get("input")), remedy=remedy) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{path}, steps: cannot be written as JSON", seen=_shown(error), remedy="use plain texts, numbers and lists"
        ) from error
    return mutant


def _shown(value: object) -> str:
    try:
        return repr(value)[:200]
    except RecursionError:
        return "something that contains itself"
