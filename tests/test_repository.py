"""The files of the project as a whole: sizes, pins, promises of the README, no paths of a machine."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
MEGABYTE = 1_000_000

# Each pattern ends in a one-letter class, so that it does not match itself.
UNPICKLES = re.compile(r"pickle\.loa[d]|allow_pickle=Tru[e]|weights_only=Fals[e]|joblib\.loa[d]|\bdil[l]\b")
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X]|NotImplementedErro[r])\b|type: ignor[e]|pragma: no cove[r]")
MACHINE_PATH = re.compile(r"(?<![\w.\-/])/(home|root|tmp|mnt|work|Users)/[\w.]")
REGISTRY_HOST = re.compile(r"pypi\.or[g]|pythonhosted\.or[g]|registry\.npmj[s]|download\.pytorc[h]|conda\.anacond[a]")
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".js", ".css", ".yml", ".yaml", ".cfg", ".sh", ""}


@cache
def tracked() -> tuple[Path, ...]:
    """The files under version control that are there; the tests skip where git or its history is not."""
    git = shutil.which("git")
    outcome = git and subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if not outcome or outcome.returncode != 0:
        return ()
    paths = (ROOT / name for name in outcome.stdout.decode("utf-8").split("\0") if name)
    return tuple(path for path in paths if path.is_file())


@pytest.fixture
def files() -> tuple[Path, ...]:
    if not tracked():
        if os.environ.get("CI"):
            pytest.fail("git lists no files: on CI the project must be a clone")
        pytest.skip("git lists no files here: this is an unpacked archive")
    return tracked()


def texts(files: tuple[Path, ...], *suffixes: str) -> dict[str, str]:
    """The text files by their path in the project."""
    wanted = set(suffixes) or TEXT
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in files
        if path.suffix in wanted and path.name != "LICENSE"
    }


def matches(pattern: re.Pattern[str], found: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in found.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


# -- sizes -------------------------------------------------------------------------------------------------


def test_no_file_is_over_nine_megabytes(files: tuple[Path, ...]) -> None:
    assert not [path for path in files if path.stat().st_size > 9 * MEGABYTE]


def test_the_project_is_at_most_fifty_megabytes(files: tuple[Path, ...]) -> None:
    assert sum(path.stat().st_size for path in files) <= 50 * MEGABYTE


def test_every_checkpoint_is_at_most_four_megabytes() -> None:
    folders = [path.parent for path in (ROOT / "checkpoints").glob("*/card.json")]
    assert folders
    for folder in folders:
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 4 * MEGABYTE, folder.name


# -- what is in the text -----------------------------------------------------------------------------------


def test_nothing_on_disk_is_unpickled(files: tuple[Path, ...]) -> None:
    assert matches(UNPICKLES, texts(files, ".py")) == []


def test_no_code_is_left_unfinished_or_silenced(files: tuple[Path, ...]) -> None:
    assert matches(UNFINISHED, texts(files, ".py", ".js")) == []


def test_no_text_names_a_path_of_a_machine(files: tuple[Path, ...]) -> None:
    assert matches(MACHINE_PATH, texts(files)) == []


def test_no_text_names_the_host_of_a_package_registry(files: tuple[Path, ...]) -> None:
    assert matches(REGISTRY_HOST, texts(files)) == []


@pytest.mark.parametrize(
    ("pattern", "before", "after"),
    [
        (MACHINE_PATH, "open('/ho", "me/x')"),
        (MACHINE_PATH, "/tm", "p/a"),
        (UNPICKLES, "pickle", ".load(file)"),
        (UNPICKLES, "np.load(path, allow_pickle=", "True)"),
        (UNPICKLES, "torch.load(path, weights_only=", "False)"),
        (UNFINISHED, "# TO", "DO: later"),
        (UNFINISHED, "x = 1  # type: ", "ignore[assignment]"),
        (REGISTRY_HOST, "see https://py", "pi.org/simple"),
    ],
)
def test_a_pattern_catches_what_it_is_for(pattern: re.Pattern[str], before: str, after: str) -> None:
    assert pattern.search(before + after)


@pytest.mark.parametrize("line", ["app/home/x", "the /tmp folder", "np.load(p, allow_pickle=False)", "its type: int"])
def test_no_pattern_catches_what_is_harmless(line: str) -> None:
    assert not any(pattern.search(line) for pattern in (MACHINE_PATH, UNPICKLES, UNFINISHED, REGISTRY_HOST))


# -- promises ----------------------------------------------------------------------------------------------


def test_the_readme_shows_both_commands_and_what_is_behind_them() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("make app", "make test", "python -m streamlit run app/main.py", "python -m pytest"):
        assert command in readme


def test_the_files_that_the_readme_links_to_are_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", readme) if "://" not in link]
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_exactly(name: str) -> None:
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    requirements = [line for line in lines if line and not line.startswith("-r ")]
    assert requirements
    assert not [line for line in requirements if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][\w.]*", line)]


def test_the_checks_of_ci_are_those_of_a_person() -> None:
    script = ROOT / ".ci" / "run"
    assert re.search(r"^make test$", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert os.name == "nt" or os.access(script, os.X_OK)


@pytest.mark.parametrize(
    ("ci", "test", "code"),
    [
        ("", "@pytest.mark.browser\ndef test_it(): pytest.skip('no browser')", 0),
        ("true", "@pytest.mark.browser\ndef test_it(): pytest.skip('no browser')", 1),
        ("true", "@pytest.mark.browser\n@pytest.mark.skip(reason='no browser')\ndef test_it(): pass", 1),
        ("true", "pytest.skip('no browser', allow_module_level=True)", 2),
        ("true", "@pytest.mark.browser\ndef test_it(): pass", 0),
        ("true", "def test_it(): pytest.skip('for another reason')", 0),
    ],
)
def test_a_skipped_browser_test_fails_on_ci_alone(tmp_path: Path, ci: str, test: str, code: int) -> None:
    folder = tmp_path / "browser"
    folder.mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser")
    (tmp_path / "conftest.py").write_bytes((ROOT / "tests" / "conftest.py").read_bytes())
    (folder / "test_page.py").write_text(f"import pytest\n\n{test}\n")
    command = [sys.executable, "-m", "pytest", "-q"]
    environment = {**os.environ, "CI": ci}
    outcome = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == code, outcome.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
@pytest.mark.parametrize("verb", ["app", "test", "soak", "measure", "install"])
def test_make_leaves_everything_to_the_script(verb: str) -> None:
    outside = {name: value for name, value in os.environ.items() if "MAKE" not in name}  # of the make running this
    environment = {**outside, "PYTHON": "my-python", "PORT": "8600"}
    shown = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", verb],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    options = " --port 8600" if verb == "app" else ""
    assert shown == [f"my-python tools/bootstrap.py {verb}{options}"]


def test_the_bundled_data_match_their_checksums() -> None:
    lines = (ROOT / "data" / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    stated = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    present = {path.relative_to(ROOT / "data").as_posix() for path in (ROOT / "data").rglob("*.nc")}
    assert present == {name for name in stated if name.endswith(".nc")}
    for name, digest in stated.items():
        assert hashlib.sha256((ROOT / "data" / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_of_the_engine_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert f"usage: python -m engine {verb}" in capsys.readouterr().out


def test_the_readme_shows_every_command_and_the_engine_offers_them() -> None:
    assert {"forecast", "datasets", "models", "schedules", "simulate", "train", "evaluate", "fetch"} <= set(COMMANDS)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [verb for verb in COMMANDS if f"`python -m engine {verb}" not in readme] == []
