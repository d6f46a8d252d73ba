"""What only some systems have is asked for behind a question for the system, and processes are never forked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

import pytest

from core.settings import PROJECT

PACKAGES: Final = ("alerts", "api", "client", "core", "dashboard", "etl", "mcp_server", "model", "suite")
POSIX_ALONE: Final = {
    "signal": {"SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "setitimer", "pthread_kill"},
    "os": {
        *("fork", "forkpty", "killpg", "setsid", "setpgid", "getpgid", "getuid", "geteuid", "nice", "mkfifo", "wait"),
        *("sched_setaffinity", "sched_getaffinity", "posix_fadvise", "fchmod", "chown", "statvfs", "WNOHANG", "uname"),
    },
    "socket": {"AF_UNIX", "SO_REUSEPORT", "socketpair"},
}
POSIX_MODULES: Final = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "syslog", "crypt"}
WORDS: Final = {word for words in POSIX_ALONE.values() for word in words}
FORKING: Final = {"ProcessPoolExecutor", "Pool"}
FORK_WORDS: Final = {"multiprocessing", "get_context", "set_start_method"}
UNGUARDED: Final = {("suite/service_manager.py", "AF_UNIX")}
"""Used where a variable is set that systemd alone sets."""


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the product that has one of these words at all, by its path."""
    words = re.compile(rb"\b(" + "|".join({*WORDS, *FORKING, *POSIX_MODULES, *FORK_WORDS}).encode() + rb")\b")
    paths = [path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")]
    texts = {path.relative_to(PROJECT).as_posix(): path.read_bytes() for path in paths}
    return {path: ast.parse(text) for path, text in texts.items() if words.search(text)}


def findings(tree: ast.AST) -> Iterator[str]:
    """What of POSIX alone a module uses in a function (or at its top) that asks for no system."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    guarded = {id(inner) for node in functions if asks_for_system(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in POSIX_ALONE.get(node.value.id, ()):
                yield node.attr
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in POSIX_MODULES)
        elif isinstance(node, ast.ImportFrom):
            yield from (name for name in [node.module or ""] if name in POSIX_MODULES)
            yield from (name.name for name in node.names if name.name in POSIX_ALONE.get(node.module or "", ()))


def asks_for_system(function: ast.AST) -> bool:
    """Whether a function looks at sys.platform or os.name, or whether something is there at all."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in {("sys", "platform"), ("os", "name")}:
                return True
        elif isinstance(node, ast.Name) and node.id in ("hasattr", "getattr"):
            return True
    return False


def forks(tree: ast.AST) -> Iterator[str]:
    """Ways to start Python processes that fork on some systems, where a module does not ask for the system."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    guarded = {id(inner) for node in functions if asks_for_system(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            owner = called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else ""
            is_told_how = len(node.args) > 1 or any(given.arg == "mp_context" for given in node.keywords)
            if (name in FORKING and not is_told_how) or (owner, name) == ("multiprocessing", "Process"):
                yield name
            if name in ("get_context", "set_start_method"):
                yield from (str(given) for given in map(ast.unparse, node.args) if given != "'spawn'")


def test_no_module_uses_what_its_system_may_lack() -> None:
    """Signals, calls, sockets and modules of POSIX stand behind a question for the system."""
    assert {(path, name) for path, tree in sources().items() for name in findings(tree)} == UNGUARDED


def test_processes_are_spawned_not_forked() -> None:
    """As on Windows and macOS; a module that forks asks for the system first."""
    assert "model/loop/shard_local.py" in sources()
    assert [(path, used) for path, tree in sources().items() for used in forks(tree)] == []


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("import os, signal\nos.kill(1, signal.SIGKILL)", ["SIGKILL"]),
        ("def f():\n    import fcntl", ["fcntl"]),
        ("from signal import SIGHUP", ["SIGHUP"]),
        ("def f():\n    if sys.platform != 'win32':\n        os.killpg(1, signal.SIGKILL)", []),
    ],
)
def test_the_search_finds_what_it_looks_for(source: str, used: list[str]) -> None:
    """A search that finds nothing anywhere would prove nothing."""
    assert list(findings(ast.parse(source))) == used
    assert list(forks(ast.parse("multiprocessing.Process(target=f)\nget_context('fork')"))) == ["Process", "'fork'"]
