"""What depends on what, in the real catalogue: a change rebuilds what it touches and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from meshproof.bed.images.cache import Cache
from meshproof.bed.images.catalogue import load_catalogue
from meshproof.bed.images.container import EngineImages
from meshproof.bed.images.goparts import ModuleFiles
from meshproof.bed.images.node_recipe import node_base, preloaded
from meshproof.bed.images.recipes import built_by_engine, from_source
from meshproof.bed.images.toolchain import Toolchain
from meshproof.bed.images.workshop import Workshop
from meshproof.files import data_root
from meshproof.timeouts import Timeouts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(data_root() / "images", tmp_path / "images")
    shutil.copytree(data_root() / "fixtures" / "apps", tmp_path / "fixtures" / "apps")
    return tmp_path


def planned(root: Path, *, metallb: str | None = None) -> Workshop:
    catalogue = load_catalogue(root, metallb=metallb)
    toolchain = Toolchain(Path("go"), catalogue.go.version, "local")
    modules = ModuleFiles(catalogue, toolchain, timeout=1)
    engine = EngineImages(None, timeout=1)  # type: ignore[arg-type]  # planning asks the engine nothing
    workshop = Workshop(catalogue, toolchain, modules, Cache(root / "cache"), engine, Timeouts())
    contents = {image.reference: from_source(workshop, image) for image in catalogue.with_role("component")}
    preloaded(workshop, "node", node_base(workshop), contents)
    return workshop


def append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line)


def changed(before: Workshop, after: Workshop) -> set[str]:
    return {name for name, key in after.keys.items() if before.keys.get(name) != key}


def test_nothing_changed_gives_the_same_keys(root: Path) -> None:
    assert changed(planned(root), planned(root)) == set()


def test_every_input_is_a_product(root: Path) -> None:
    products = planned(root).plan.products
    for product in products.values():
        assert set(product.after) <= set(products)


def test_changed_app_leaves_kubernetes_alone(root: Path) -> None:
    before = planned(root)
    append(root / "fixtures" / "apps" / "goapi" / "main.go", "// changed\n")
    assert changed(before, planned(root)) == {"compile goapi", "image goapi", "image node"}


def test_changed_package_rebuilds_the_apps_that_share_it(root: Path) -> None:
    before = planned(root)
    append(root / "fixtures" / "apps" / "serving" / "app.go", "// changed\n")
    apps = ("alpine", "goapi", "text-to-speech")
    products = {f"{what} {app}" for app in apps for what in ("compile", "image")}
    assert changed(before, planned(root)) == {*products, "image node"}


@pytest.mark.parametrize(
    ("path", "line", "images"),
    [
        ("text-to-speech-canary/canary/app.py", "# changed\n", {"image text-to-speech-canary", "image node"}),
        ("alpine/Dockerfile", "LABEL changed=1\n", {"image alpine", "image node"}),
        ("goapi/api_test.go", "// changed\n", set()),
    ],
)
def test_changed_file_rebuilds_only_what_has_it(root: Path, path: str, line: str, images: set[str]) -> None:
    before = planned(root)
    append(root / "fixtures" / "apps" / path, line)
    assert changed(before, planned(root)) == images


@pytest.mark.parametrize(
    ("path", "rebuilt"),
    [
        ("goapi/main.go", True),
        ("serving/app.go", True),
        ("goapi/Dockerfile", True),
        ("alpine/main.go", False),
        ("goapi/api_test.go", False),
    ],
)
def test_engine_builds_an_app_anew_when_what_it_copies_changed(root: Path, path: str, rebuilt: bool) -> None:
    def key() -> str:
        workshop = planned(root)
        workshop.keys.clear()
        return workshop.keys[built_by_engine(workshop, workshop.catalogue.image("goapi"))]

    before = key()
    append(root / "fixtures" / "apps" / path, "# changed\n")
    assert (key() != before) is rebuilt


def test_changed_agent_rebuilds_both_its_images(root: Path) -> None:
    before = planned(root)
    append(root / "images" / "agent" / "cmd" / "added.go", "package main\n")
    images = {"image datadog-agent", "image datadog-cluster-agent", "image node"}
    assert changed(before, planned(root)) == {"compile agent", *images}


def test_changed_test_of_the_agent_rebuilds_nothing(root: Path) -> None:
    before = planned(root)
    append(root / "images" / "agent" / "internal" / "settings" / "settings_test.go", "// changed\n")
    assert changed(before, planned(root)) == set()


def test_changed_module_rebuilds_its_images(root: Path) -> None:
    before = planned(root)
    append(root / "images" / "istio" / "go.sum", "\n")
    assert changed(before, planned(root)) == {
        "compile istio",
        "image istio-pilot",
        "image istio-proxyv2",
        "image node",
    }


def test_other_metallb_changes_metallb_only(root: Path) -> None:
    assert changed(planned(root), planned(root, metallb="0.13.12")) == {
        "compile metallb",
        "image metallb-controller",
        "image metallb-speaker",
        "image node",
    }


def test_changed_suite_rebuilds_everything_on_debian(root: Path) -> None:
    before = planned(root)
    path = root / "images" / "catalogue.toml"
    path.write_text(path.read_text().replace('suite = "bookworm"', 'suite = "trixie"'))
    touched = changed(before, planned(root))
    assert {"debian root", "image kube-proxy", "image istio-proxyv2", "image node-base", "image node"} <= touched
    assert "image istio-pilot" not in touched


def test_images_with_the_same_packages_share_the_layer(root: Path) -> None:
    products = planned(root).plan.products
    assert products["image kube-proxy"].after[0] == products["image istio-proxyv2"].after[0]
    assert products["image text-to-speech"].after[0] in products[products["image text-to-speech-canary"].after[0]].after


def test_helper_of_the_storage_is_the_debian_root_itself(root: Path) -> None:
    workshop = planned(root)
    assert from_source(workshop, workshop.catalogue.image("local-path-helper")) == "image of debian root"
