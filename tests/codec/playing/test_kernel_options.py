"""Where compiled code is kept: beside the source, else in the user's cache folder, else nowhere, and told."""

import subprocess
import sys
from pathlib import Path

import pytest
from numba.core import caching

from struck.codec.playing.kernel_options import find_cache

#: Numba asks each place by this whether it can be written.
ASKED = "ensure_cache_path"

PROGRAM = """
from numba.core import caching

def refuse(self):
    raise PermissionError(13, "Permission denied")

caching._CacheLocator.ensure_cache_path = refuse
from struck.realtime.engine.cycles import read_cycles
from struck.codec.playing.kernel_options import CAN_CACHE
print(CAN_CACHE, read_cycles() > 0)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two rooms, and no user's cache folder yet."""
    for room in ("codec/playing", "realtime/engine"):
        (tmp_path / room).mkdir(parents=True)
        (tmp_path / room / "__init__.py").touch()
    monkeypatch.setattr(caching.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path


def refuse_below(monkeypatch, *folders: Path) -> None:
    """Let nothing be written below these folders (a mode would not keep root out)."""
    ask = caching._CacheLocator.ensure_cache_path

    def ensure(self):
        if any(Path(self.get_cache_path()).is_relative_to(folder) for folder in folders):
            raise PermissionError(13, "Permission denied")
        ask(self)

    monkeypatch.setattr(caching._CacheLocator, ASKED, ensure)


def test_beside_the_source_and_nothing_is_made_elsewhere(package):
    assert find_cache(package)
    assert not (package / "home").exists()


def test_one_room_that_cannot_be_written_is_enough_to_need_the_users_folder(package, monkeypatch):
    refuse_below(monkeypatch, package / "realtime")
    assert find_cache(package)
    assert (package / "home" / "numba").is_dir()
    refuse_below(monkeypatch, package / "realtime", package / "home")
    assert not find_cache(package)


def test_a_folder_that_the_user_names_comes_first(package, monkeypatch):
    refuse_below(monkeypatch, package / "codec", package / "realtime", package / "home")
    monkeypatch.setattr(caching.config, "CACHE_DIR", str(package / "named"))
    assert find_cache(package)
    assert (package / "named").is_dir()


def test_without_any_place_all_works_and_python_is_told_once():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    assert done.stderr.count("StruckWarning") == 1
    assert "NUMBA_CACHE_DIR" in done.stderr
