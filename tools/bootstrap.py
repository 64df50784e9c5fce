"""All the set-up behind `make app`, `test`, `soak`, `measure` and `install`, on any system with a Python.

    python tools/bootstrap.py app [--port 8501]

Needs nothing but the standard library, and is written so that every Python 3 can read it: one that is too old
says so in a sentence instead of a SyntaxError. Whatever goes wrong for a reason known in advance is one
sentence and exit code 2; otherwise the exit code of the program that failed is passed on.
"""

import argparse
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys

OLDEST_PYTHON = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEFAULT_PORT = 8501
CHECKS = (["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"], ["pytest"])

# Where browsers lie that are not on PATH; the variables are those of Windows.
CHROMIUM_COMMANDS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)
CHROMIUM_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
    r"%ProgramFiles(x86)%\Google\Chrome\Application\chrome.exe",
    r"%LocalAppData%\Google\Chrome\Application\chrome.exe",
    r"%ProgramFiles(x86)%\Microsoft\Edge\Application\msedge.exe",
    r"%ProgramFiles%\Microsoft\Edge\Application\msedge.exe",
)


class Refusal(Exception):
    """A known obstacle, in one sentence that names the remedy."""


def main(arguments: "list[str] | None" = None) -> int:
    """Run one verb and return the exit code."""
    try:
        check_python(sys.version_info[:2])
        options = parse(arguments)
        if options.verb == "app":
            check_port(options.port)
        python = install(options.verb in ("test", "soak", "measure"))
        if options.verb == "app":
            return start_page(python, options.port)
        if options.verb == "test":
            return run_checks(python)
        if options.verb == "soak":
            return run_in_root([python, "-m", "pytest", "-m", "soak"])
        if options.verb == "measure":
            return run_in_root([python, "-m", "tools.measure"], with_chromium(python))
        return 0
    except Refusal as refusal:
        sys.stderr.write("coldcast: {}\n".format(refusal))
        return 2
    except KeyboardInterrupt:
        return 130


def parse(arguments: "list[str] | None") -> argparse.Namespace:
    """The verb and, for `app`, the port."""
    parser = argparse.ArgumentParser(prog="bootstrap.py", description="Set Coldcast up and start it.")
    verbs = parser.add_subparsers(dest="verb")
    verbs.required = True
    app = verbs.add_parser("app", help="install what the page needs and start it")
    app.add_argument(
        "--port",
        type=int,
        default=os.environ.get("PORT") or DEFAULT_PORT,
        help="the port to serve on (default: the variable PORT, else {})".format(DEFAULT_PORT),
    )
    verbs.add_parser("test", help="install what the tests need and run every check")
    verbs.add_parser("soak", help="run the long loops")
    verbs.add_parser("measure", help="time the page in a browser")
    verbs.add_parser("install", help="install what the page needs, and stop")
    return parser.parse_args(arguments)


def check_python(version: "tuple[int, ...]") -> None:
    """Refuse a Python older than the project supports."""
    if version < OLDEST_PYTHON:
        raise Refusal(
            "this is Python {}.{}, but Coldcast needs {}.{} or newer: install one and name it, as in `{}`.".format(
                *version, *OLDEST_PYTHON, typed(python="3.12")
            )
        )


def check_port(port: int) -> None:
    """Refuse a port that something else serves on, before anything is installed."""
    if not 1 <= port <= 65535:
        raise Refusal("the port {} does not exist: choose one from 1 to 65535.".format(port))
    if not port_is_free(port):
        other = port + 1 if 1024 <= port < 65535 else DEFAULT_PORT
        raise Refusal(
            "the port {} is in use or not allowed: choose another one, as in `{}`.".format(port, typed(port=other))
        )


def port_is_free(port: int) -> bool:
    """Whether nobody answers on the port and a server may open it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as caller:
        caller.settimeout(1)
        if caller.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        if os.name != "nt":  # on Windows this option would let two servers share the port
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("", port))
        except OSError:
            return False
    return True


def typed(python: str = "", port: int = 0) -> str:
    """What a person types to start the page with another Python or port on this system."""
    if os.name == "nt":
        launcher = "py -{}".format(python) if python else "python"
        return launcher + r" tools\bootstrap.py app" + (" --port {}".format(port) if port else "")
    return ("PYTHON=python{} ".format(python) if python else "PORT={} ".format(port)) + "make app"


# -- the environment ---------------------------------------------------------------------------------------


def install(for_tests: bool) -> str:
    """Bring .venv up to date with the requirements files and return its Python; does nothing where it is."""
    environment = os.path.join(ROOT, ".venv")
    python = ensure_environment(environment)
    index = torch_index(environment)
    wanted = fingerprint(index)
    files = ("requirements-dev.txt", "requirements.txt") if for_tests else ("requirements.txt",)
    stamps = [os.path.join(environment, ".installed-" + name) for name in files]
    if read(stamps[0]) == wanted:
        return python

    # The marker outlives only an install that was killed, which may leave half a package that looks whole.
    marker = installing_marker(environment)
    write(marker, "")
    remove(stamps[0])
    outcome = install_torch(python, environment, index)
    if outcome == 0:
        say("Installing {} into .venv …".format(files[0]))
        outcome = pip(python, ["-r", os.path.join(ROOT, files[0])])
    if outcome < 0:
        raise Refusal("pip was killed by the signal {}: run the command again.".format(-outcome))
    remove(marker)
    if outcome > 0:
        raise Refusal(
            "pip could not install the requirements (its message is above): check the network, a proxy and "
            "the free disk space, and run the command again; what was downloaded is kept."
        )
    for stamp in stamps:  # requirements-dev.txt includes requirements.txt
        write(stamp, wanted)
    return python


def ensure_environment(environment: str) -> str:
    """The Python of a working .venv, which is made, or made anew where it is broken or half installed."""
    python = environment_python(environment)
    if os.path.exists(installing_marker(environment)):
        say("The last installation was interrupted: starting it afresh.")
    elif works(python):
        return python
    check_venv_module()
    say("Creating .venv with Python {}.{} …".format(*sys.version_info[:2]))
    outcome = subprocess.call([sys.executable, "-m", "venv", "--clear", environment])
    if outcome != 0:
        raise Refusal(
            "python -m venv failed with exit code {} (its message is above): delete the folder {} and "
            "see that the disk is not full and can be written to.".format(outcome, environment)
        )
    return python


def check_venv_module() -> None:
    """Refuse a Python from which the system's packager has cut the venv module."""
    for module in ("venv", "ensurepip"):
        try:
            __import__(module)
        except ImportError:
            raise Refusal(
                "this Python has no {} module: install it, on Debian and Ubuntu with "
                "`sudo apt install python3-venv`, and run the command again.".format(module)
            ) from None


def works(python: str) -> bool:
    """Whether an environment's Python starts, is new enough and has pip."""
    if not os.path.exists(python):
        return False
    probe = "import sys, pip; sys.exit(sys.version_info[:2] < {})".format(OLDEST_PYTHON)
    try:
        return subprocess.call([python, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def environment_python(environment: str) -> str:
    """Where a virtual environment keeps its interpreter."""
    if os.name == "nt":
        return os.path.join(environment, "Scripts", "python.exe")
    return os.path.join(environment, "bin", "python")


def installing_marker(environment: str) -> str:
    """The file that says an installation is under way."""
    return os.path.join(environment, ".installing")


def torch_index(environment: str) -> str:
    """Where torch comes from: TORCH_INDEX_URL, else what was chosen at an earlier run, else nothing."""
    return os.environ.get("TORCH_INDEX_URL", "").strip() or read(torch_stamp(environment)).partition(" from ")[2]


def torch_stamp(environment: str) -> str:
    """The file that says which torch was installed from a named index."""
    return os.path.join(environment, ".installed-torch")


def install_torch(python: str, environment: str, index: str) -> int:
    """Install torch from the index that the user named: the way to a CPU-only or a CUDA build.

    Without an index torch comes with the other requirements. The build is replaced by force, since pip alone
    would take one of the same version from elsewhere as good enough.
    """
    with open(os.path.join(ROOT, "requirements.txt"), encoding="utf-8") as file:
        requirement = next(line.strip() for line in file if line.startswith("torch=="))
    chosen = "{} from {}".format(requirement, index)
    if not index and sys.platform == "linux" and not shutil.which("nvidia-smi"):
        say('No NVIDIA GPU found: README.md, "Choosing the torch build", shows how to download 2.5 GB less.')
    if not index or read(torch_stamp(environment)) == chosen:
        return 0
    say("Installing {} …".format(chosen))
    remove(torch_stamp(environment))
    outcome = pip(python, ["--force-reinstall", "--index-url", index, requirement])
    if outcome == 0:
        write(torch_stamp(environment), chosen)
    return outcome


def pip(python: str, arguments: "list[str]") -> int:
    """Run pip install and return its exit code, below 0 where a signal ended it."""
    return subprocess.call([python, "-m", "pip", "install", "--disable-pip-version-check", *arguments])


def fingerprint(index: str) -> str:
    """A digest of what is to be installed: both requirements files and where torch comes from."""
    digest = hashlib.sha256(index.encode("utf-8"))
    for name in ("requirements.txt", "requirements-dev.txt"):
        digest.update(read(os.path.join(ROOT, name)).encode("utf-8"))
    return digest.hexdigest()


# -- what is run -------------------------------------------------------------------------------------------


def start_page(python: str, port: int) -> int:
    """Serve the page until it is stopped."""
    say("Coldcast: http://localhost:{}  (Ctrl+C stops it)".format(port))
    return run_in_root([python, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)])


def run_checks(python: str) -> int:
    """Layout, lint, types and tests, all of them even where one fails; the first failure is the exit code."""
    environment = with_chromium(python)
    outcomes = [run_in_root([python, "-m", *check], environment) for check in CHECKS]
    for number, outcome in enumerate(outcomes):
        say("{}: {}".format(" ".join(CHECKS[number]), "passed" if outcome == 0 else "FAILED"))
    return next((outcome for outcome in outcomes if outcome != 0), 0)


def run_in_root(command: "list[str]", environment: "dict[str, str] | None" = None) -> int:
    """Run a command from the project's root, shown as typed, and return its exit code."""
    say("$ " + " ".join(["python", *command[1:]]))
    try:
        return subprocess.call(command, cwd=ROOT, env=environment)
    except KeyboardInterrupt:  # the child had it too and has ended
        return 130


# -- the browser that the tests drive ----------------------------------------------------------------------


def with_chromium(python: str) -> "dict[str, str]":
    """The environment of a program that drives a browser: CHROMIUM names the one found or installed."""
    environment = dict(os.environ)
    chromium = find_chromium() or playwright_chromium(python) or install_chromium(python)
    if chromium:
        environment["CHROMIUM"] = chromium
    return environment


def find_chromium() -> "str | None":
    """The path of a Chromium, Chrome or Edge that starts, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        if not starts(named):
            raise Refusal("CHROMIUM names {}, which does not start: correct or unset it.".format(named))
        return named
    candidates = [shutil.which(command) for command in CHROMIUM_COMMANDS]
    candidates += [os.path.expandvars(place) for place in CHROMIUM_PLACES]
    return next((path for path in candidates if path and starts(path)), None)


def starts(browser: str) -> bool:
    """Whether the browser says its version: some systems ship a stand-in of the same name."""
    if os.name == "nt" or not os.path.isfile(browser):  # on Windows `--version` would open a window
        return os.path.isfile(browser)
    try:
        probe = subprocess.run(
            [browser, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0 and bool(re.search(rb"\d+\.\d+", probe.stdout))


def install_chromium(python: str) -> "str | None":
    """Install a Chromium for the browser tests and return its path; None where that did not work.

    A machine where we are root and have apt gets the system's package; any other the build that Playwright
    keeps in the user's own cache, with nothing asked of the system.
    """
    may_install = bool(shutil.which("apt-get")) and getattr(os, "geteuid", lambda: 1)() == 0
    if may_install:
        say("Installing chromium with apt-get for the browser tests …")
        quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.call(["apt-get", "update", "-qq"], env=quiet)
        subprocess.call(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], env=quiet)
        found = find_chromium()
        if found:
            return found
    say("Installing Playwright's Chromium for the browser tests …")
    system_libraries = ["--with-deps"] if may_install else []
    subprocess.call([python, "-m", "playwright", "install", *system_libraries, "chromium"])
    found = playwright_chromium(python)
    if not found:
        say("No Chromium could be installed: install one and name it in CHROMIUM; its tests are skipped.")
    return found


def playwright_chromium(python: str) -> "str | None":
    """The path of Playwright's own Chromium, or None where it is not installed or does not start."""
    question = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as playwright: print(playwright.chromium.executable_path)"
    )
    answer = subprocess.run([python, "-c", question], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    path = answer.stdout.decode("utf-8", "replace").strip()
    return path if os.path.isfile(path) and starts(path) else None


# -- small files -------------------------------------------------------------------------------------------


def read(path: str) -> str:
    """The text of a file, or nothing where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write(path: str, text: str) -> None:
    """Write a file whole or not at all."""
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".part", path)


def remove(path: str) -> None:
    """Delete a file, if it is there."""
    if os.path.exists(path):
        os.remove(path)


def say(text: str) -> None:
    """One line to the person who waits, in whatever letters the terminal has."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
