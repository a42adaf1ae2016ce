"""Builds beside this process: begun by the first thing compiled here, waited for, ended by a fault."""

import subprocess
import sys

import pytest
from numba import njit

from struck.codec import kernel_builds
from struck.codec.kernel_builds import KernelBuild, built_beside


@pytest.fixture
def begun(monkeypatch):
    """The processes that are begun; each lasts a second, unless it is ended before."""
    processes = []
    popen = subprocess.Popen

    def begin(command, **options):
        processes.append(popen([sys.executable, "-c", "import time; time.sleep(1.0)"], **options))
        return processes[-1]

    monkeypatch.setattr(kernel_builds, "CAN_CACHE", True)
    monkeypatch.setattr(kernel_builds.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(kernel_builds.subprocess, "Popen", begin)
    return processes


def compile_something():
    @njit
    def add(x):
        return x + 1

    @njit
    def add_twice(x):
        return add(add(x))

    assert add_twice(1) == 3


def test_where_nothing_is_compiled_nothing_is_begun(begun):
    with built_beside("struck.codec.playing.arrivals"):
        pass
    assert begun == []


def test_one_build_is_begun_and_waited_for(begun):
    with built_beside("struck.codec.playing.arrivals"):
        compile_something()
        assert len(begun) == 1
        assert begun[0].poll() is None
    assert begun[0].poll() == 0
    compile_something()
    assert len(begun) == 1


def test_on_one_core_nothing_is_begun(begun, monkeypatch):
    monkeypatch.setattr(kernel_builds.os, "cpu_count", lambda: 1)
    with built_beside("struck.codec.playing.arrivals"):
        compile_something()
    assert begun == []


def test_a_fault_in_the_body_ends_the_build(begun):
    with pytest.raises(ZeroDivisionError), built_beside("struck.codec.playing.arrivals"):
        compile_something()
        raise ZeroDivisionError
    assert begun[0].poll() not in (None, 0)


def test_a_build_leaves_kernels_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    with KernelBuild("struck.realtime.engine.cycles"):
        pass
    assert [path.name for path in tmp_path.rglob("*.nbi")]
