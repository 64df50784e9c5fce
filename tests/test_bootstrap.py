"""The set-up script: every known obstacle is one sentence, and an installation is whole or repaired."""

import ast
import importlib.util
import os
import socket
import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "tools" / "bootstrap.py"


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module whose project is an empty folder with requirements files."""
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    for variable in ("PORT", "CHROMIUM", "TORCH_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "requirements.txt").write_text("numpy==1.0\ntorch==9.9.9\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\npytest==1.0\n")
    return module


class FakePip:
    """Stands in for an environment and its pip: writes down what it is asked, returns what it is told."""

    def __init__(self, bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installs: list[list[str]] = []
        self.made = 0
        self.outcome = 0
        self._environment = Path(bootstrap.ROOT) / ".venv"
        monkeypatch.setattr(bootstrap, "works", lambda python: self._environment.is_dir())
        monkeypatch.setattr(bootstrap.subprocess, "call", self._call)

    def _call(self, command: list[str], **options: object) -> int:
        if command[1:3] == ["-m", "venv"]:
            self.made += 1
            self._environment.mkdir(exist_ok=True)
            for file in self._environment.iterdir():
                file.unlink()
            return 0
        assert command[1:4] == ["-m", "pip", "install"]
        self.installs.append(command[5:])
        if self.outcome == KEYBOARD:
            raise KeyboardInterrupt
        return self.outcome


KEYBOARD = 1000


@pytest.fixture
def pip(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    return FakePip(bootstrap, monkeypatch)


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said on stderr, which must be one line."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("coldcast: ") and lines[0].endswith(".")
    return lines[0]


# -- the obstacles -----------------------------------------------------------------------------------------


def test_an_old_python_can_read_the_script() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 7))
    newer = (ast.JoinedStr, ast.NamedExpr, ast.AnnAssign, ast.Match)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, newer)]


def test_an_old_python_may_evaluate_every_annotation_of_the_script() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert functions
    for function in functions:
        annotations = [argument.annotation for argument in function.args.args] + [function.returns]
        for annotation in annotations:
            assert isinstance(annotation, ast.Name | ast.Constant | ast.Attribute), function.name


def test_an_old_python_is_named_with_the_remedy(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 4))
    assert bootstrap.main(["app"]) == 2
    said = sentence(capsys)
    assert "Python 3.10" in said and "3.11 or newer" in said and "make app" in said


def test_the_oldest_supported_python_is_accepted(bootstrap: ModuleType) -> None:
    bootstrap.check_python((3, 11))
    with pytest.raises(bootstrap.Refusal):
        bootstrap.check_python((3, 10))


@pytest.mark.parametrize("address", ["127.0.0.1", ""])
def test_a_port_in_use_is_named_before_anything_is_installed(
    bootstrap: ModuleType, pip: FakePip, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    with socket.socket() as server:
        server.bind((address, 0))
        server.listen()
        port = server.getsockname()[1]
        assert bootstrap.main(["app", "--port", str(port)]) == 2
    assert f"port {port} is in use" in sentence(capsys)
    assert pip.made == 0 and pip.installs == []


def test_a_port_that_was_closed_again_is_free(bootstrap: ModuleType) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    bootstrap.check_port(port)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_does_not_exist_is_refused(bootstrap: ModuleType, port: int) -> None:
    with pytest.raises(bootstrap.Refusal, match=f"port {port} does not exist"):
        bootstrap.check_port(port)


def test_the_port_comes_from_the_variable_unless_it_is_given(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bootstrap.parse(["app"]).port == 8501
    monkeypatch.setenv("PORT", "8777")
    assert bootstrap.parse(["app"]).port == 8777
    assert bootstrap.parse(["app", "--port", "9000"]).port == 9000


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_missing_venv_module_is_named_with_the_remedy(
    bootstrap: ModuleType,
    pip: FakePip,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert bootstrap.main(["install"]) == 2
    said = sentence(capsys)
    assert f"no {module} module" in said and "apt install python3-venv" in said
    assert pip.made == 0


# -- installing --------------------------------------------------------------------------------------------


def test_a_second_run_installs_nothing(bootstrap: ModuleType, pip: FakePip) -> None:
    assert bootstrap.main(["install"]) == 0
    assert bootstrap.main(["install"]) == 0
    assert pip.made == 1
    assert pip.installs == [["-r", os.path.join(bootstrap.ROOT, "requirements.txt")]]


def test_installing_for_the_tests_covers_the_page(bootstrap: ModuleType, pip: FakePip) -> None:
    bootstrap.install(for_tests=True)
    bootstrap.install(for_tests=False)
    assert pip.installs == [["-r", os.path.join(bootstrap.ROOT, "requirements-dev.txt")]]


def test_changed_requirements_are_installed_into_the_same_environment(bootstrap: ModuleType, pip: FakePip) -> None:
    bootstrap.install(for_tests=False)
    Path(bootstrap.ROOT, "requirements.txt").write_text("numpy==2.0\ntorch==9.9.9\n")
    bootstrap.install(for_tests=False)
    assert len(pip.installs) == 2
    assert pip.made == 1


def test_a_failed_installation_is_a_sentence_and_is_tried_again(
    bootstrap: ModuleType, pip: FakePip, capsys: pytest.CaptureFixture[str]
) -> None:
    pip.outcome = 1
    assert bootstrap.main(["install"]) == 2
    assert "run the command again" in sentence(capsys)
    pip.outcome = 0
    assert bootstrap.main(["install"]) == 0
    assert len(pip.installs) == 2
    assert pip.made == 1


@pytest.mark.parametrize(("killed", "code"), [(KEYBOARD, 130), (-9, 2)])
def test_an_interrupted_installation_is_started_afresh(
    bootstrap: ModuleType, pip: FakePip, killed: int, code: int
) -> None:
    pip.outcome = killed
    assert bootstrap.main(["install"]) == code
    pip.outcome = 0
    assert bootstrap.main(["install"]) == 0
    assert pip.made == 2
    assert bootstrap.main(["install"]) == 0
    assert len(pip.installs) == 2


def test_a_named_torch_index_is_followed_once_and_remembered(
    bootstrap: ModuleType, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_INDEX_URL", "file:///cpu")
    bootstrap.install(for_tests=False)
    assert pip.installs[0] == ["--force-reinstall", "--index-url", "file:///cpu", "torch==9.9.9"]
    assert len(pip.installs) == 2

    monkeypatch.delenv("TORCH_INDEX_URL")
    bootstrap.install(for_tests=False)
    assert len(pip.installs) == 2  # the choice stands

    monkeypatch.setenv("TORCH_INDEX_URL", "file:///cuda")
    bootstrap.install(for_tests=False)
    assert pip.installs[2][2] == "file:///cuda"


def test_a_new_torch_comes_from_the_index_chosen_earlier(
    bootstrap: ModuleType, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_INDEX_URL", "file:///cpu")
    bootstrap.install(for_tests=False)
    monkeypatch.delenv("TORCH_INDEX_URL")
    Path(bootstrap.ROOT, "requirements.txt").write_text("torch==10.0.0\n")
    bootstrap.install(for_tests=False)
    assert pip.installs[2] == ["--force-reinstall", "--index-url", "file:///cpu", "torch==10.0.0"]


def test_a_folder_that_is_no_environment_does_not_work(bootstrap: ModuleType, tmp_path: Path) -> None:
    assert not bootstrap.works(str(tmp_path / "python"))
    broken = tmp_path / "broken"
    broken.write_text("not a program")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    assert not bootstrap.works(str(broken))
    assert bootstrap.works(sys.executable)


# -- running -----------------------------------------------------------------------------------------------


def test_every_check_runs_and_the_first_failure_is_the_exit_code(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[list[str], str]] = []
    codes = {"ruff": 0, "mypy": 3, "pytest": 5}

    def run_in_root(command: list[str], environment: dict[str, str]) -> int:
        seen.append((command[2:], environment["CHROMIUM"]))
        return codes[command[2]]

    monkeypatch.setattr(bootstrap, "run_in_root", run_in_root)
    monkeypatch.setattr(bootstrap, "find_chromium", lambda: "browser")
    assert bootstrap.run_checks("python") == 3
    assert seen == [(check, "browser") for check in bootstrap.CHECKS]
    assert capsys.readouterr().out.splitlines()[-2:] == ["mypy: FAILED", "pytest: FAILED"]


def test_the_exit_code_of_the_page_is_passed_on(
    bootstrap: ModuleType, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run_in_root(command: list[str]) -> int:
        commands.append(command[1:])
        return 7

    monkeypatch.setattr(bootstrap, "run_in_root", run_in_root)
    monkeypatch.setattr(bootstrap, "check_port", lambda port: None)
    assert bootstrap.main(["app", "--port", "8600"]) == 7
    assert commands == [["-m", "streamlit", "run", "app/main.py", "--server.port", "8600"]]


def test_the_soak_runs_only_the_long_loops(
    bootstrap: ModuleType, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run_in_root(command: list[str]) -> int:
        commands.append(command[1:])
        return 0

    monkeypatch.setattr(bootstrap, "run_in_root", run_in_root)
    assert bootstrap.main(["soak"]) == 0
    assert commands == [["-m", "pytest", "-m", "soak"]]


def test_measuring_installs_what_the_tests_need_and_names_the_browser(
    bootstrap: ModuleType, pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[list[str], str]] = []

    def run_in_root(command: list[str], environment: dict[str, str]) -> int:
        commands.append((command[1:], environment["CHROMIUM"]))
        return 1

    monkeypatch.setattr(bootstrap, "run_in_root", run_in_root)
    monkeypatch.setattr(bootstrap, "find_chromium", lambda: "browser")
    assert bootstrap.main(["measure"]) == 1
    assert commands == [(["-m", "tools.measure"], "browser")]
    assert pip.installs == [["-r", os.path.join(bootstrap.ROOT, "requirements-dev.txt")]]


# -- the browser -------------------------------------------------------------------------------------------


def browser(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(os.name == "nt", reason="shell scripts stand in for browsers")
def test_a_named_browser_is_used_and_a_wrong_name_refused(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHROMIUM", browser(tmp_path / "named", "echo Chromium 130.0"))
    assert bootstrap.find_chromium() == str(tmp_path / "named")
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "absent"))
    with pytest.raises(bootstrap.Refusal, match="absent"):
        bootstrap.find_chromium()


@pytest.mark.skipif(os.name == "nt", reason="shell scripts stand in for browsers")
def test_a_stand_in_that_does_not_start_is_passed_over(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    browser(tmp_path / "chromium", "echo please install the snap; exit 1")
    browser(tmp_path / "google-chrome", "echo Google Chrome 130.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.find_chromium() == str(tmp_path / "google-chrome")


def test_text_is_shown_on_a_terminal_of_few_letters(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        encoding = "ascii"
        shown = ""

        def write(self, text: str) -> None:
            self.shown += text

        def flush(self) -> None:
            pass

    terminal = Terminal()
    monkeypatch.setattr(bootstrap.sys, "stdout", terminal)
    bootstrap.say("Installing …")
    assert terminal.shown == "Installing ?\n"
