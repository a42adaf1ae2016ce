"""What struck needs of the system, with systems faked that lack it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: What Windows' Python does not have. ``select`` it has, but for sockets only.
WITHOUT_POSIX = """
import importlib, os, pkgutil, signal, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None  # importing it raises ImportError
for name in ("SIGHUP", "SIGUSR1", "SIGKILL", "SIGALRM", "pthread_sigmask"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("fork", "nice", "getloadavg", "sched_setaffinity", "sched_getaffinity", "O_DIRECTORY"):
    if hasattr(os, name):
        delattr(os, name)
import struck.codec, struck.patches, struck.realtime
for package in (struck.codec, struck.patches, struck.realtime):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(("__main__", "make_performance")):
            importlib.import_module(module.name)
            if "select" in vars(sys.modules[module.name]):
                sys.exit(f"{module.name} asks with select, which takes no pipes on Windows")
"""


def test_everything_but_the_models_is_imported_where_posix_is_not():
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
