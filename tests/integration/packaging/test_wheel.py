"""The wheel, installed alone into an empty venv, has all that the program needs."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bootimg.platform import platforms
from tests.support.builds import sites
from tests.support.layers import oci

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools writes beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    names = [
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "bootimg",
        "platforms",
        "uploaders",
        "pipelines",
        "osbuild-manifests",
    ]
    source.mkdir()
    subprocess.run(["cp", "-r", *[str(ROOT / name) for name in names], str(source)], check=True)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(source))
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a venv with nothing but the wheel and its dependencies."""
    venv = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", str(venv))
    run(str(venv / "bin" / "python"), "-m", "pip", "install", "-q", str(wheel))
    return venv / "bin"


@pytest.fixture(scope="module")
def extended(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a venv with the wheel and a platform's plugin in a package of its own."""
    folder = tmp_path_factory.mktemp("extended")
    # A copy, without what an earlier build left there: setuptools writes beside what it builds.
    leftovers = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    shutil.copytree(ROOT / "tests" / "plugin", folder / "plugin", ignore=leftovers)
    run(sys.executable, "-m", "venv", str(folder / "venv"))
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "-q"]
    run(*pip, str(wheel), str(folder / "plugin"))
    return folder / "venv" / "bin"


def run(*argv: str, cwd: Path | None = None) -> str:
    """Run a program without the environment in which these tests find bootimg."""
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, env=environment, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_holds_licence_recipes_and_marker_of_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    recipes = {path.name for path in (ROOT / "osbuild-manifests").glob("*.yaml")}
    assert recipes
    assert recipes <= {Path(name).name for name in names if name.startswith("bootimg_manifests/")}
    tasks = {f"bootimg_pipelines/tekton/{path.name}" for path in (ROOT / "pipelines/tekton").glob("*.yaml")}
    assert tasks
    assert tasks <= {*names}
    assert "bootimg/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]


def test_every_module_of_the_program_is_in_the_wheel(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("bootimg/**/*.py")}
    assert modules <= inside


def test_installed_program_lists_its_platforms(installed: Path, tmp_path: Path) -> None:
    document = json.loads(run(str(installed / "bootimg"), "platforms", "--json", cwd=tmp_path))
    assert {row["name"] for row in rows(document)} == set(platforms())


def rows(document: object) -> Sequence[dict[str, str]]:
    found = document["platforms"] if isinstance(document, dict) else document
    assert isinstance(found, list)
    return found


def test_installed_program_answers_for_every_verb(installed: Path, tmp_path: Path) -> None:
    from bootimg.cli.main import VERBS

    for verb in VERBS:
        assert run(str(installed / "bootimg"), verb, "--help", cwd=tmp_path).startswith(
            "Usage: bootimg " + verb
        )


def test_installed_program_finds_its_recipes(installed: Path, tmp_path: Path) -> None:
    code = "from importlib.resources import files; print(*files('bootimg_manifests').iterdir(), sep='\\n')"
    names = run(str(installed / "python"), "-c", code, cwd=tmp_path).splitlines()
    assert any(name.endswith(".yaml") for name in names)


def test_installed_program_renders_the_manifest_of_an_image(installed: Path, tmp_path: Path) -> None:
    oci.Layout(tmp_path / "image").add([oci.bootable()])
    words = ["manifest", str(tmp_path / "image"), "--arch", "x86_64", "--cache", str(tmp_path / "cache")]
    document = json.loads(run(str(installed / "bootimg"), *words, cwd=tmp_path))
    assert document["version"] == "2"
    assert "raw-image" in {pipeline["name"] for pipeline in document["pipelines"]}


def test_installed_program_makes_the_release_browser(installed: Path, tmp_path: Path) -> None:
    sites.write_tree(tmp_path / "builds")
    run(str(installed / "bootimg"), "browse", "-d", "site", "--cache", "cache", cwd=tmp_path)
    assert (tmp_path / "site" / "index.html").read_text().startswith("<!doctype html>")


def test_a_plugin_of_its_own_package_is_a_platform_like_the_others(extended: Path, tmp_path: Path) -> None:
    document = json.loads(run(str(extended / "bootimg"), "platforms", "--json", cwd=tmp_path))
    assert {row["name"] for row in rows(document)} == {*platforms(), "example", "examplehv"}
    [row] = [row for row in rows(document) if row["name"] == "example"]
    assert set(row["arches"]) == {"aarch64", "x86_64"}


def test_a_plugin_has_its_pipelines_in_the_manifest(extended: Path, tmp_path: Path) -> None:
    oci.Layout(tmp_path / "image").add([oci.bootable()])
    words = ["manifest", str(tmp_path / "image"), "--arch", "x86_64", "--cache", str(tmp_path / "cache")]
    document = json.loads(run(str(extended / "bootimg"), *words, "-p", "example,examplehv", cwd=tmp_path))
    assert {"example", "examplehv"} <= {pipeline["name"] for pipeline in document["pipelines"]}
