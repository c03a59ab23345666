"""The package works on the systems that it names, Linux and macOS, and no import fails on Windows; and its Pythons."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import coalm_it

PACKAGE = Path(coalm_it.__file__).parent
PROJECT = PACKAGE.parent / "pyproject.toml"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.name != "__main__.py"
)
UNIX_MODULES = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty")
UNIX_NAMES = {
    "os": {"fork", "forkpty", "geteuid", "getegid", "getgid", "getloadavg", "getpgid", "getpgrp", "getuid", "killpg"}
    | {"mkfifo", "nice", "openpty", "register_at_fork", "sched_getaffinity", "setpgid", "setsid", "uname", "wait"},
    "signal": {"SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2", "alarm", "pthread_sigmask"},
}
"""Names of the standard library that Windows lacks."""
# Modules that other packages import where there are any are imported first; what remains is what ours import.
IMPORT_ALL = """
import sys
modules, missing = sys.argv[1].split(), sys.argv[2].split()
for name in modules:
    __import__(name)
for name in [*sys.modules]:
    if name.partition(".")[0] == "coalm_it":
        del sys.modules[name]
for name in missing:
    sys.modules[name] = None
for name in modules:
    __import__(name)
"""


def test_every_module_can_be_imported_without_what_windows_lacks() -> None:
    command = [sys.executable, "-c", IMPORT_ALL, " ".join(MODULES), " ".join(UNIX_MODULES)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert len(MODULES) > 100


def test_such_an_import_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "unixy.py").write_text("import json, fcntl\n", encoding="utf-8")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}){IMPORT_ALL}"]
    code = command[2].replace('== "coalm_it"', '== "unixy"')
    ran = subprocess.run([*command[:2], code, "unixy", "fcntl"], capture_output=True, text=True)
    assert "import of fcntl halted" in ran.stderr


def list_unguarded_names(code: str) -> list[str]:
    """`os.killpg` and the like, and `preexec_fn=`, outside an `if` or a `try` that asks for them or for the system."""
    found: list[str] = []

    def visit(node: ast.AST, guarded: bool) -> None:
        guarded = guarded or isinstance(node, ast.Try)
        if isinstance(node, ast.If | ast.IfExp):
            guarded = guarded or bool(re.search(r"platform|hasattr|os\.name", ast.unparse(node.test)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and not guarded:
            found.extend([ast.unparse(node)] * (node.attr in UNIX_NAMES.get(node.value.id, ())))
        if isinstance(node, ast.keyword) and node.arg == "preexec_fn" and not guarded:
            found.append("preexec_fn")
        for inner in ast.iter_child_nodes(node):
            visit(inner, guarded)

    visit(ast.parse(code), False)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_what_windows_lacks_is_used_only_where_it_is_asked_for(module: str) -> None:
    path = PACKAGE.parent / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert list_unguarded_names(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("os.killpg(1, signal.SIGKILL)", ["os.killpg", "signal.SIGKILL"]),
        ("if hasattr(os, 'killpg'):\n    os.killpg(1, 9)", []),
        ("try:\n    os.getuid()\nexcept AttributeError:\n    pass", []),
        ("x = os.getuid() if sys.platform != 'win32' else 0", []),
        ("Popen(['x'], preexec_fn=f)", ["preexec_fn"]),
        ("os.getpid()", []),
    ],
)
def test_such_a_name_would_be_seen(code: str, names: list[str]) -> None:
    assert list_unguarded_names(code) == names


def test_the_classifiers_say_what_is_so() -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    named = [one.rpartition(" :: ")[2] for one in project["classifiers"] if one.count(" :: ") == 2]
    versions = [one for one in named if re.fullmatch(r"3\.\d+", one)]
    assert project["requires-python"] == f">={versions[0]}"
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
