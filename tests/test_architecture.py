"""The arrows between the parts, read from the imports themselves.

app.main → screens → controls, plots, player → engine; inside the engine forecasting and jobs are on top.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What the simulators and the training may load: they also run where nothing else is installed.
LIGHT = frozenset({"numpy", "scipy", "torch", "safetensors", "skfem"})
ORCHESTRATORS = ("engine.forecasting", "engine.jobs")
ABOVE_THE_ORCHESTRATORS = (
    "engine",  # exposes them lazily
    "engine.jobs",
    "engine.commands",
    "engine.evaluation",
    "engine.trials",
    "engine.fronts",
    "engine.benchmark",
    "engine.remote",
    "engine.verifying",
    "engine.walk_trace",
    "engine.fill_in",
    "engine.forward_process",
    "engine.__main__",
)
ENGINE_MODULES = (
    "engine",
    "engine.__main__",
    "engine.ablation",
    "engine.baselines",
    "engine.cache",
    "engine.checkpoint",
    "engine.datasets",
    "engine.errors",
    "engine.folders",
    "engine.evaluation",
    "engine.forecasting",
    "engine.fronts",
    "engine.jobs",
    "engine.models",
    "engine.noise",
    "engine.own",
    "engine.sampling",
    "engine.schedules",
    "engine.scores",
    "engine.simulators",
    "engine.training",
)
APP_MODULES = ("app.main", "app.screens", "app.controls", "app.player", "app.plots", "app.skill")


@dataclass(frozen=True)
class Imports:
    """Dotted names that a module imports: as it is loaded, and anywhere in its text."""

    eager: frozenset[str]
    all: frozenset[str]


@cache
def modules() -> dict[str, Imports]:
    """Every module of the engine and the app with its imports."""
    paths = [path for part in ("engine", "app") for path in sorted((ROOT / part).rglob("*.py"))]
    names = {_module_name(path): path for path in paths}
    return {name: _imports(name, path, frozenset(names)) for name, path in names.items()}


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(name: str, path: Path, known: frozenset[str]) -> Imports:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    everything = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return Imports(
        eager=frozenset(target for node in _eager(tree) for target in _targets(node, package, known)),
        all=frozenset(target for node in everything for target in _targets(node, package, known)),
    )


def _eager(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run as the module is loaded: not those in functions or for the type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test) in (
            "TYPE_CHECKING",
            "typing.TYPE_CHECKING",
        ):
            for other in child.orelse:
                yield from _eager(other)
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _eager(child)


def _targets(node: ast.Import | ast.ImportFrom, package: str, known: frozenset[str]) -> Iterator[str]:
    """`from a import b` means the module a.b where there is one, and a otherwise."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) + 1 - node.level]
        base = ".".join([*above, base] if base else above)
    for alias in node.names:
        yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base


def inside(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or lies in one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def ours(targets: frozenset[str]) -> set[str]:
    return {target for target in targets if inside(target, "engine", "app")}


def foreign(targets: frozenset[str]) -> set[str]:
    """The top-level names outside the project and the standard library."""
    tops = {target.partition(".")[0] for target in targets}
    return {top for top in tops if top not in sys.stdlib_module_names and top not in ("engine", "app")}


def loaded_by(*starts: str) -> set[str]:
    """Every top-level foreign name that loading these modules loads, through all modules of the project."""
    seen: set[str] = set()
    waiting = list(starts)
    names: set[str] = set()
    while waiting:
        name = waiting.pop()
        # Loading a.b.c loads a and a.b first.
        for part in [name.rsplit(".", cut)[0] for cut in range(name.count(".") + 1)]:
            if part in modules() and part not in seen:
                seen.add(part)
                names |= foreign(modules()[part].eager)
                waiting += ours(modules()[part].eager)
    return names


def within(*packages: str) -> list[str]:
    found = [name for name in modules() if inside(name, *packages)]
    assert found, f"there are no modules in {packages}"
    return found


# -- the reader itself -------------------------------------------------------------------------------------


def test_the_reader_tells_apart_what_runs_at_import_and_what_does_not(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "import os.path\n"
        "from typing import TYPE_CHECKING\n"
        "from . import sibling\n"
        "from ..other import thing\n"
        "try:\n    import numpy as np\nexcept ImportError:\n    pass\n"
        "class A:\n    import scipy\n"
        "if TYPE_CHECKING:\n    import torch\n"
        "def f():\n    import xarray\n"
    )
    read = _imports("a.b.m", path, frozenset({"a.b.sibling", "a.other"}))
    assert read.eager == {"os.path", "typing", "a.b.sibling", "a.other", "numpy", "scipy"}
    assert read.all == read.eager | {"torch", "xarray"}


def test_the_reader_resolves_a_relative_import_in_a_package_itself(tmp_path: Path) -> None:
    path = tmp_path / "__init__.py"
    path.write_text("from .one import x\nfrom . import two\n")
    read = _imports("a.b", path, frozenset({"a.b.one", "a.b.two"}))
    assert read.eager == {"a.b.one", "a.b.two"}


# -- the layout --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ENGINE_MODULES, *APP_MODULES])
def test_the_module_is_where_the_layout_puts_it(name: str) -> None:
    assert within(name)


# -- the app -----------------------------------------------------------------------------------------------


def test_nothing_imports_pages() -> None:
    for name in within("app"):
        if not inside(name, "app.screens"):
            assert not [target for target in modules()[name].all if inside(target, "app.screens")], name


def test_the_main_script_lists_every_page() -> None:
    listed = re.findall(r'^ *screen\("(\w+)"', (ROOT / "app" / "main.py").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(name.rpartition(".")[2] for name in within("app.screens") if name != "app.screens")


def test_the_first_page_waits_for_no_library_that_others_need() -> None:
    assert not loaded_by("app.main", "app.screens.forecast") & {"matplotlib", "cartopy", "scipy", "contourpy", "PIL"}


def test_nothing_imports_the_main_script() -> None:
    assert not [name for name, imports in modules().items() if "app.main" in imports.all]


@pytest.mark.parametrize("part", ["app.controls", "app.plots", "app.player"])
def test_controls_plots_and_player_do_not_import_one_another(part: str) -> None:
    others = {"app.controls", "app.plots", "app.player"} - {part}
    for name in within(part):
        assert not [target for target in modules()[name].all if inside(target, *others)], name


def test_plots_know_nothing_of_the_page() -> None:
    for name in within("app.plots"):
        assert "streamlit" not in loaded_by(name) | foreign(modules()[name].all), name


# -- the engine --------------------------------------------------------------------------------------------


def test_the_engine_knows_nothing_of_the_app() -> None:
    for name in within("engine"):
        imports = modules()[name].all
        assert not foreign(imports) & {"streamlit", "plotly", "tests", "tools"}, name
        assert not [target for target in imports if inside(target, "app")], name


@pytest.mark.parametrize(("name", "libraries"), [("engine.schedules", set()), ("engine.sampling", {"torch"})])
def test_the_core_needs_no_part_of_the_project_but_the_errors(name: str, libraries: set[str]) -> None:
    (found,) = within(name)
    assert ours(modules()[found].all) <= {"engine.errors"}
    assert foreign(modules()[found].all) <= libraries


@pytest.mark.parametrize("package", ["engine.simulators", "engine.training"])
def test_simulators_and_training_load_only_what_is_installed_anywhere(package: str) -> None:
    assert loaded_by(*within(package)) <= LIGHT


def test_the_cache_loads_no_torch() -> None:
    (found,) = within("engine.cache")
    assert "torch" not in loaded_by(found) | foreign(modules()[found].all)


def test_forecasting_and_jobs_are_on_top() -> None:
    for name in within("engine"):
        if name == "engine" or inside(name, *ABOVE_THE_ORCHESTRATORS[1:]):
            continue
        used = {target for target in modules()[name].all if inside(target, *ORCHESTRATORS)}
        assert not {target for target in used if target != name}, name


def test_commands_are_used_by_the_command_line_alone() -> None:
    for name in within("engine", "app"):
        if not inside(name, "engine.commands", "engine.__main__"):
            assert not [target for target in modules()[name].all if inside(target, "engine.commands")], name


def test_every_library_that_is_imported_is_required() -> None:
    for name in within("engine", "app"):
        missing = {library for library in foreign(modules()[name].all) if not distributions(library) & required()}
        assert not missing, name


def required() -> set[str]:
    """The distributions that requirements.txt pins."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return {_plain(pin) for pin in re.findall(r"^([\w-]+)==", text, re.MULTILINE)}


def distributions(library: str) -> set[str]:
    """What is installed to import a library, mostly its own name."""
    return {_plain(found) for found in installed().get(library, [library])}


@cache
def installed() -> dict[str, list[str]]:
    """Every library that can be imported here with the distributions that hold it."""
    return dict(packages_distributions())


def _plain(distribution: str) -> str:
    return distribution.lower().replace("_", "-")


# -- in a process of its own -------------------------------------------------------------------------------


def run_python(program: str) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize(
    ("imports", "absent"),
    [
        ("engine, engine.schedules", {"torch", "xarray", "numpy"}),
        ("engine.cache", {"torch"}),
        ("engine.__main__", {"torch", "xarray", "scipy"}),
    ],
)
def test_loading_a_light_part_leaves_the_heavy_libraries_alone(imports: str, absent: set[str]) -> None:
    run_python(f"import sys, {imports}\nfound = sorted({absent!r} & set(sys.modules))\nassert not found, found")


def test_simulators_and_training_load_where_nothing_else_is_installed() -> None:
    names = [name for name in within("engine.simulators", "engine.training") if not name.endswith("__main__")]
    elsewhere = required() - {distribution for library in LIGHT for distribution in distributions(library)}
    absent = {library for library in installed() if distributions(library) & elsewhere}
    assert {"xarray", "streamlit", "platformdirs"} <= absent
    run_python(
        "import importlib, sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name in {absent!r}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
    )
