"""Where a generator is installed, and how its driver is started there: a folder of its own for each."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.foreign.generators import Generator
from ctc_ocr.errors import RunError

DRIVERS = Path(__file__).resolve().parent / "drivers"
SECONDS = 900  # most time that a package manager may take


@dataclass(frozen=True)
class Driver:
    """A command that draws images of one generator, see `benchmarks/foreign/drivers`."""

    command: tuple[str, ...]
    environment: dict[str, str]


def installed(generator: Generator, folder: Path) -> Driver:
    """Install the generator below the folder, unless that is done, and return its driver. Raises RunError."""
    folder = folder.resolve()
    finished = folder / "finished"
    if not finished.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _INSTALLED[generator.registry](generator.packages, folder)
        if generator.fonts:
            _unpack(generator.fonts, folder)
        finished.touch()
    return {"PyPI": _pypi, "npm": _npm, "Debian": _debian}[generator.registry](generator, folder)


def python_with(packages: tuple[str, ...], folder: Path) -> Path:
    """The Python of an environment in the folder, with packages of PyPI; made unless that is done. Raises RunError."""
    finished = folder / "finished"
    if not finished.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _install_pypi(packages, folder)
        finished.touch()
    return folder / "venv" / "bin" / "python"


def _install_pypi(packages: tuple[str, ...], folder: Path) -> None:
    _run(folder, sys.executable, "-m", "venv", "venv")
    _run(folder, "venv/bin/pip", "install", "--disable-pip-version-check", *packages)


def _pypi(generator: Generator, folder: Path) -> Driver:
    # Some draw from a set of characters, whose order is otherwise another in each process.
    variables = {"PYTHONHASHSEED": "0"}
    return _driver(generator, folder, (str(folder / "venv/bin/python"), str(DRIVERS / "pypi.py")), variables)


def _install_npm(packages: tuple[str, ...], folder: Path) -> None:
    (folder / "package.json").write_text("{}", encoding="utf-8")  # or npm looks for one in the folders above
    # No package here has a script that it needs, and none gets to run one.
    _run(folder, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *packages)


def _npm(generator: Generator, folder: Path) -> Driver:
    modules = {"NODE_PATH": str(folder / "node_modules")}
    return _driver(generator, folder, ("node", str(DRIVERS / "npm.js")), modules)


# A package and its new version; the installed one, if any, stands in brackets before it.
TO_INSTALL = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ", re.MULTILINE)


def _install_debian(packages: tuple[str, ...], folder: Path) -> None:
    """Unpack the packages, and what they need and the system lacks: nothing is installed into it, nor by root."""
    simulated = _run(folder, "apt-get", "install", "--simulate", "--no-install-recommends", *packages)
    missing = ["=".join(each) for each in TO_INSTALL.findall(simulated)]
    named = {each.partition("=")[0] for each in missing}
    _unpack((*missing, *(each for each in packages if each.partition("=")[0] not in named)), folder)


_INSTALLED = {"PyPI": _install_pypi, "npm": _install_npm, "Debian": _install_debian}


def _unpack(packages: tuple[str, ...], folder: Path) -> None:
    archives = folder / "archives"
    archives.mkdir(exist_ok=True)
    _run(archives, "apt-get", "download", *packages)
    for archive in sorted(archives.glob("*.deb")):
        _run(folder, "dpkg-deb", "-x", str(archive), "root")
    shutil.rmtree(archives)


def _debian(generator: Generator, folder: Path) -> Driver:
    root = folder / "root"
    libraries = {"LD_LIBRARY_PATH": os.pathsep.join(map(str, sorted(root.glob("usr/lib/*-linux-gnu*"))))}
    if generator.packages[0].startswith("php-"):
        php, extensions = next(root.glob("usr/bin/php[0-9]*")), next(root.glob("usr/lib/php/*/gd.so")).parent
        settings = ("display_errors=stderr", f"extension_dir={extensions}", "extension=gd", "extension=mbstring")
        options = [option for setting in settings for option in ("-d", setting)]
        return _driver(generator, folder, (str(php), "-n", *options, str(DRIVERS / "debian.php")), libraries)
    modules = [root / "usr/share/perl5", *sorted(root.glob("usr/lib/*/perl5/*"))]
    paths = {"PERL5LIB": os.pathsep.join(map(str, modules)), **libraries}
    return _driver(generator, folder, ("perl", str(DRIVERS / "debian.pl")), paths)


def _driver(generator: Generator, folder: Path, command: tuple[str, ...], variables: dict[str, str]) -> Driver:
    return Driver((*command, generator.name, str(folder)), variables)


def _run(folder: Path, *command: str) -> str:
    """What the command prints. Raises RunError with the end of what it says if it fails or takes too long."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except OSError as error:
        raise RunError(f"cannot be started: {error.strerror}", command[0]) from None
    except subprocess.TimeoutExpired:
        raise RunError(f"took more than {SECONDS} seconds", " ".join(command)) from None
    if done.returncode:
        raise RunError(f"failed: {done.stderr.strip()[-500:]}", " ".join(command))
    return done.stdout
