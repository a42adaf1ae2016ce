"""What was compiled is not used after any source of a kernel has changed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from struck.codec.kernels.cache import KERNEL_ROOMS, Index, kernels_stamp

ROOT = Path(__file__).parents[3]
PROGRAM = """
from struck.codec.playing.decoder import Decoder
from struck.codec.playing import block
hits = sum(d.stats.cache_hits.total() for d in vars(block).values() if hasattr(d, "stats"))
print(hits)
"""


def test_every_kernel_stands_in_a_room_that_the_stamp_knows():
    rooms = {
        path.parent.relative_to(ROOT).as_posix()
        for top in ("codec", "models", "realtime", "patches")
        for path in (ROOT / top).rglob("*.py")
        if re.search(r"^ *@(n?u?m?b?a?\.?njit|cfunc|c_callback|intrinsic)", path.read_text(), re.MULTILINE)
    }
    assert rooms <= set(KERNEL_ROOMS)
    assert len(rooms) >= 5


def test_a_change_in_one_file_makes_what_was_kept_of_the_others_stale(tmp_path):
    package = tmp_path / "struck"
    for room in ("codec/events", "codec/kernels", "codec/playing", "codec/files", "codec/weights"):
        shutil.copytree(ROOT / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "lazy_names.py"):
        shutil.copy(ROOT / "codec" / name, package / "codec" / name)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def cache_hits():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert cache_hits() == 0
    assert cache_hits() > 0
    constants = package / "codec" / "playing" / "voice_state.py"
    constants.write_text(constants.read_text() + "# changed\n")
    assert cache_hits() == 0


def test_what_was_kept_may_name_a_class_that_is_gone(tmp_path, monkeypatch):
    gone = ModuleType("gone")
    exec("class Tuple: pass", gone.__dict__)
    monkeypatch.setitem(sys.modules, "gone", gone)
    before, now = ((name, kernels_stamp()) for name in ("before", "now"))
    key = ("signature", gone.Tuple)
    Index(str(tmp_path), "kernel", before).save(key, b"code")
    assert Index(str(tmp_path), "kernel", before).load(key) == b"code"
    monkeypatch.delitem(sys.modules, "gone")
    assert Index(str(tmp_path), "kernel", now).load(key) is None
