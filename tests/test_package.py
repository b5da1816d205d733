"""The wheel: what is in it, and that it works without the checkout it was built from."""

import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import matplotlib
import pytest
from packaging import requirements, utils

ROOT = pathlib.Path(__file__).parents[1]
WEB = ROOT / "arn_keras" / "export" / "web"


def _built(kind, copy, out):
    """The file that is built of a copy of the sources, "wheel" or "sdist"."""
    build = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(out)],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel's file and the sdist's, of a copy, so that nothing is left beside the sources."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(
        ROOT / "arn_keras",
        copy / "arn_keras",
        ignore=shutil.ignore_patterns("node_modules", "__pycache__"),
    )
    (copy / "export").symlink_to("arn_keras/export")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    sdist = _built("sdist", copy, tmp_path_factory.mktemp("sdist"))
    return _built("wheel", copy, tmp_path_factory.mktemp("wheel")), sdist


@pytest.fixture(scope="module")
def wheel(built):
    """The wheel, open."""
    return zipfile.ZipFile(built[0])


def test_the_wheel_holds_the_package_alone_and_all_of_it(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert {name.partition("/")[0] for name in names} == {"arn_keras"}
    sources = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "arn_keras").rglob("*")
        if file.is_file() and not {"node_modules", "__pycache__"} & set(file.parts)
    }
    assert names == sources
    assert {"arn_keras/py.typed", "arn_keras/export/web/page/main.js"} < names


def test_the_wheel_has_the_commands(wheel):
    (entry,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    commands = {line.partition(" = ")[0] for line in wheel.read(entry).decode().splitlines()}
    assert {"arn-train", "arn-sweep", "arn-audit", "arn-figures", "arn-export"} <= commands


def test_the_sdist_makes_the_same_wheel(wheel, built, tmp_path):
    with tarfile.open(built[1]) as archive:
        archive.extractall(tmp_path / "sources", filter="data")
    (sources,) = (tmp_path / "sources").iterdir()
    (tmp_path / "out").mkdir()
    again = zipfile.ZipFile(_built("wheel", sources, tmp_path / "out"))
    assert sorted(again.namelist()) == sorted(wheel.namelist())


def _closure(declared):
    """The distributions that these requirements ask for, and what those ask for, by name."""
    found, left = {}, [requirements.Requirement(each) for each in declared]
    while left:
        asked = left.pop()
        key = utils.canonicalize_name(asked.name), frozenset(asked.extras)
        if key in found:
            continue
        found[key] = importlib.metadata.distribution(asked.name)
        for each in map(requirements.Requirement, found[key].requires or ()):
            extras = asked.extras or {""}
            if not each.marker or any(each.marker.evaluate({"extra": e}) for e in extras):
                left.append(each)
    return {name: distribution for (name, _), distribution in found.items()}


def _unit(file):
    """What is linked for a file: its package's folder, for `google` one level below; or None."""
    if file.parts[0] in ("..", "__pycache__"):
        return None
    return pathlib.Path(*file.parts[: 1 + (file.parts[0] == "google")])


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A function that runs a program where nothing is but the wheel and what it declares.

    The declared packages are links to those of this environment, whose other packages, those of
    the tests, are out of sight.
    """
    there = tmp_path_factory.mktemp("there")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", there, built[0]], check=True)
    (metadata,) = there.glob("*.dist-info/METADATA")
    declared = importlib.metadata.PathDistribution(metadata.parent).requires
    for distribution in _closure(each for each in declared if "extra ==" not in each).values():
        for file in {_unit(file) for file in distribution.files} - {None}:
            (there / file).parent.mkdir(exist_ok=True)
            (there / file).symlink_to(distribution.locate_file(file))
    empty = tmp_path_factory.mktemp("empty")
    fonts = matplotlib.get_cachedir()  # to list them anew takes seconds
    environment = {**os.environ, "PYTHONPATH": str(there), "MPLCONFIGDIR": fonts}

    def run(name, *options):
        command = [sys.executable, "-S", there / "bin" / name, *options]
        return subprocess.run(
            command, cwd=empty, env=environment, capture_output=True, text=True, check=False
        )

    run.there, run.empty = there, empty
    return run


def test_every_installed_command_runs_from_an_empty_folder(installed):
    for name in ("train", "sweep", "audit", "figures", "export"):
        done = installed(f"arn-{name}", "--help")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("usage: ")


def test_what_the_wheel_declares_is_all_that_a_run_and_its_bundle_need(installed):
    assert not list(installed.there.glob("pytest*"))
    short = ["--dataset", "digits", "--limit", "100", "--epochs", "1", "--link-epochs", "1"]
    short += ["--eve-epochs", "1", "--knowledge", "white", "--no-export", "--run-dir", "run"]
    done = installed("arn-train", *short)
    assert done.returncode == 0, done.stderr
    done = installed("arn-export", "run", "--precision", "float32")
    assert done.returncode == 0, done.stderr
    run = installed.empty / "run"
    assert (run / "figures" / "examples.png").exists()
    assert (run / "bundle" / "manifest.json").exists()


@pytest.mark.skipif(
    not (WEB / "node_modules").is_dir() and not os.environ.get("CI"), reason="make browser"
)
def test_an_installed_package_builds_the_page_with_packages_of_the_user_s_cache(wheel, tmp_path):
    """npm itself is asked for nothing: the cache is filled from the checkout's packages."""
    wheel.extractall(tmp_path / "installed")
    code = (
        "import pathlib, sys; from arn_keras.export.web import building\n"
        "assert not building.HERE.is_relative_to(sys.argv[1])\n"
        "assert building.packages() is None\n"
        "building.cache().mkdir(parents=True)\n"
        "(building.cache() / 'node_modules').symlink_to(pathlib.Path(sys.argv[1]) / sys.argv[2])\n"
        "pathlib.Path('page').mkdir(); building.build('page')"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "installed"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    packages = (WEB / "node_modules").relative_to(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), str(packages)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("index.html", "page.css", "page.js", "wasm/litert_wasm_internal.wasm"):
        assert (tmp_path / "page" / name).stat().st_size > 1000


@pytest.mark.parametrize(
    ("has", "lacking"),
    [((), "Node.js 20 or later"), (("node",), "npm, which gets the page's packages")],
)
def test_what_an_installed_page_lacks_is_named(tmp_path, monkeypatch, has, lacking):
    from arn_keras.export.web import building

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(building, "packages", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: name if name in has else None)
    assert building.missing().startswith(lacking)


def test_packages_that_cannot_be_had_leave_nothing_behind(tmp_path, monkeypatch):
    from arn_keras.errors import ExportError
    from arn_keras.export.web import building

    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no network' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ExportError, match="the page's packages: npm failed: no network"):
        building.install()
    assert list((tmp_path / "cache" / "arn_keras").iterdir()) == []
