"""Imports point one way: between the packages, and from file to file inside the world."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "videoatlas_gym": set(),
    "policies": {"videoatlas_gym"},
    "eval": {"videoatlas_gym", "policies"},
    "train_rl": {"videoatlas_gym", "policies"},
    "benchmarks": {"videoatlas_gym", "eval"},
}
"""Each package, with the others of ours that it may import."""
THIRD_PARTIES = {"numpy", "PIL", "av", "gymnasium", "pysubs2", "tqdm"}
"""All that the world may import besides the standard library."""
FLOW = (
    "_lazy",
    *("errors", "arguments", "files", "span", "usage", "memory", "actions", "state", "atlas"),
    *("cues", "_subtitle_text", "subtitles", "video"),
    *(
        "render",
        "observation",
        "recent",
        "previews",
        "viewer",
        "tasks",
        "rewards",
        "env",
        "wrappers",
        "trajectory",
    ),
    *("cli", "story", "_scan", "doctor", "sheet", "warm"),
)
"""Modules of the world in the order of the flow: each imports only what comes before it."""

every_file = pytest.mark.parametrize(
    "path",
    [path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")],
    ids=str,
)


def imports(path):
    """Return the dotted names that a file imports, at the top or inside functions."""
    tree, names = ast.parse((ROOT / path).read_text()), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself; write the full name"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name.split(".") for name in names]


def module_of(parts):
    """Return the top module of the world that a path or dotted name belongs to, or None."""
    name = Path(parts[1]).stem if len(parts) > 1 else "__init__"
    return name if (ROOT / parts[0] / name).is_dir() or name in FLOW else None


@every_file
def test_packages_import_only_from_upstream(path):
    package = path.parts[0]
    ours = {parts[0] for parts in imports(path)} & set(PACKAGES)
    assert ours - {package} <= PACKAGES[package]


@every_file
def test_the_world_imports_nothing_heavy(path):
    if path.parts[0] != "videoatlas_gym":
        return
    outside = {parts[0] for parts in imports(path)} - set(sys.stdlib_module_names)
    assert outside <= THIRD_PARTIES | {"videoatlas_gym"}


@every_file
def test_inside_the_world_a_file_imports_only_what_comes_before_it(path):
    if path.parts[0] != "videoatlas_gym" or path.parts[1] == "__init__.py":
        return
    own = module_of(path.parts)
    assert own in FLOW, f"{path} has no place in the flow; give it one in FLOW"
    for parts in imports(path):
        if parts[0] == "videoatlas_gym":
            other = module_of(parts)
            assert other is None or other == own or FLOW.index(other) < FLOW.index(own)


def test_the_tests_see_every_file_they_are_about():
    assert imports(Path("videoatlas_gym/atlas.py")).count(["videoatlas_gym", "span", "Span"]) == 1
    assert module_of(("videoatlas_gym", "video", "reader.py")) == "video"
    assert module_of(("videoatlas_gym", "atlas.py")) == module_of(("videoatlas_gym", "atlas"))


@pytest.mark.parametrize("module", ["videoatlas_gym", "videoatlas_gym.atlas"])
def test_importing_the_world_loads_no_learning_library(module):
    heavy = {"torch", "transformers", "stable_baselines3", "sb3_contrib", "trl"}
    code = f"import {module}, sys; print(sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"
