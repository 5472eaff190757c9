"""The catalogue is checked when it is read, and says what is wrong where."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from meshproof.bed.images.catalogue import load_catalogue
from meshproof.bed.images.prepare import TOOLS
from meshproof.errors import UsageError
from meshproof.files import data_root


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(data_root() / "images", tmp_path / "images")
    return tmp_path


def edit(root: Path, pattern: str, replacement: str) -> None:
    path = root / "images" / "catalogue.toml"
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1
    path.write_text(text)


def test_both_metallb_versions_can_be_built() -> None:
    folders = {load_catalogue(data_root(), metallb=version).part("metallb").folder for version in ("0.15.2", "0.13.12")}
    assert {folder.name for folder in folders} == {"metallb", "metallb-0.13.12"}


def test_chosen_versions_are_in_the_references() -> None:
    catalogue = load_catalogue(data_root(), metallb="0.14.9")
    assert catalogue.image("metallb-speaker").reference == "quay.io/metallb/speaker:v0.14.9"


def test_version_that_is_not_pinned_lists_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"metallb 0\.14\.9 cannot be built from source") as raised:
        load_catalogue(data_root(), metallb="0.14.9").part("metallb")
    assert raised.value.seen == "pinned are 0.13.12, 0.15.2"
    assert "--metallb" in str(raised.value.remedy)


def test_version_that_is_not_pinned_still_names_its_module() -> None:
    catalogue = load_catalogue(data_root(), metallb="0.14.9")
    assert catalogue.module("metallb") == ("go.universe.tf/metallb", "0.14.9")


def test_versions_are_spelled_out_for_the_linker() -> None:
    part = load_catalogue(data_root(), kubernetes="1.36.3").part("kubernetes")
    assert "k8s.io/component-base/version.gitVersion=v1.36.3" in part.set
    assert "k8s.io/component-base/version.gitMinor=36" in part.set


def test_istio_images_share_hub_and_tag() -> None:
    catalogue = load_catalogue(data_root())
    pilot, proxy = catalogue.image("istio-pilot"), catalogue.image("istio-proxyv2")
    assert (pilot.hub, pilot.tag) == (proxy.hub, proxy.tag) == ("docker.io/istio", catalogue.versions["istio"])


def test_the_operators_image_is_of_the_version_that_is_pinned() -> None:
    catalogue = load_catalogue(data_root())
    assert catalogue.image("datadog-operator").tag == catalogue.part("datadog-operator").version


def test_agent_and_cluster_agent_are_of_one_version() -> None:
    catalogue = load_catalogue(data_root())
    agent, cluster_agent = catalogue.image("datadog-agent"), catalogue.image("datadog-cluster-agent")
    assert (agent.hub, agent.tag) == (cluster_agent.hub, cluster_agent.tag)


def test_images_of_our_own_are_pulled_from_nowhere() -> None:
    own = {image.name for image in load_catalogue(data_root()).images if image.recipe.own}
    assert own == {"goapi", "text-to-speech", "text-to-speech-canary", "alpine", "included", "intake"}


def test_tools_are_programs_of_their_parts() -> None:
    catalogue = load_catalogue(data_root())
    for tool, part in TOOLS.items():
        assert tool in catalogue.part(part).programs


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r'reference = "docker.io/istio/pilot:\{istio\}"\n', "", r"images\.istio-pilot\.reference: Field required"),
        (r"docker.io/istio/pilot:", "docker.io/istio/pilot@", r"images\.istio-pilot\.reference: write HOST/PATH:TAG"),
        (r"pilot:\{istio\}", "pilot:{kuma}", r"images\.istio-pilot\.reference: nothing is called \{kuma\}"),
        (r'"istio/pilot-discovery"', '"istio/pilot-disco"', r"images\.istio-pilot\.programs: no part has this program"),
        (r"user = 1337", "usr = 1337", r"images\.istio-pilot\.usr: Extra inputs are not permitted"),
        (r'"metallb-0.13.12"', '"metallb-0.13"', r"parts\.metallb\.folders: there is no go\.mod"),
        (r'"istio:tools', '"istoi:tools', r"images\.istio-proxyv2\.files: there is no part of that name"),
        (
            r'app = "goapi"',
            'app = "goapi"\npackages = ["jq"]',
            r"images\.goapi: a Dockerfile says everything",
        ),
        (r'role = "node"', 'role = "component"', "exactly one image has the role node"),
        (r"\[go\]", "[go", "is not valid TOML"),
    ],
)
def test_mistake_is_named_with_its_entry_and_field(copy: Path, pattern: str, replacement: str, message: str) -> None:
    edit(copy, pattern, replacement)
    with pytest.raises(UsageError, match=message):
        load_catalogue(copy)


def test_module_that_go_mod_does_not_require_is_named(copy: Path) -> None:
    (copy / "images" / "kind" / "go.mod").write_text("module x\n")
    with pytest.raises(UsageError, match=r"kind/go\.mod does not require sigs\.k8s\.io/kind"):
        load_catalogue(copy).part("kind")
