"""Patches saved while they are played: where, under which names, and what is refused."""

import numpy as np
import pytest
import soundfile

from struck.codec.events.errors import StruckError
from struck.patches.patch import load_patch
from struck.patches.shelf import Shelf
from struck.realtime.host.host import Host
from struck.realtime.host.settings import LiveSettings
from struck.realtime.screen.teller import Teller

PATCH = """\
# mine
format = 2
program = 99

[controls]
decay = 2.0  # long

[[insert]]
name = "clip"
place = "master"
host = "pyo"
plugin = "Clip"

[insert.parameters]
mul = 0.5  # half
"""


@pytest.fixture
def host(tmp_path):
    """Opens a host with a patch; it plays nothing."""
    hosts = []
    (tmp_path / "own").mkdir()
    soundfile.write(tmp_path / "in.wav", np.zeros(4_800), 48_000)

    def open_host(patch):
        teller = Teller()
        settings = LiveSettings(
            input=str(tmp_path / "in.wav"),
            output="none",
            profile="tight",
            patch=patch,
            patches=tmp_path / "own",
        )
        host = Host(settings, None, teller)
        host.teller = teller
        hosts.append(host)
        return host

    yield open_host
    for host in hosts:
        host.close()


def saved(host):
    host._saver.close()
    return host.teller.take(True)[-1]


def test_a_patch_is_saved_in_its_place_and_as_another(host, tmp_path):
    pytest.importorskip("pyo", reason="pyo is not installed")
    path = tmp_path / "mine.toml"
    path.write_text(PATCH)
    played = host(str(path))
    played.stage.set_control("decay", 3.0)
    played.stage.set_control("room", 1.0)
    played.stage.set_insert("clip", "mul", 0.75)
    played.stage.set_insert("clip", "max", 0.5)
    played.stage.set_insert("clip", "wet", 0.25)
    played.stage.save_patch("")
    assert saved(played) == f"patch mine saved to {path}"
    for line in ("# mine", "decay = 3.0  # long", "mul = 0.75  # half"):
        assert line in path.read_text().splitlines()
    found = load_patch(str(path))
    assert found.controls == {"decay": 3.0, "room": 1.0}
    assert found.inserts[0].parameters == {"mul": 0.75, "max": 0.5}
    assert (found.inserts[0].wet, found.program) == (0.25, 99)
    played.stage.save_patch("other")
    assert saved(played) == f"patch other saved to {tmp_path / 'own' / 'other.toml'}"
    copy = Shelf(tmp_path / "own").find("other")
    assert (copy.controls, copy.inserts, copy.program) == (found.controls, found.inserts, None)
    assert sorted(p.name for p in (tmp_path / "own").iterdir()) == ["other.toml"]
    with pytest.raises(StruckError, match="there is another patch other"):
        played.stage.save_patch("other.toml")


def test_what_cannot_be_saved_is_refused_and_leaves_nothing(host, tmp_path):
    played = host("default")
    for name, message in (
        ("", "default is shipped with struck"),
        ("pad", "pad is shipped with struck"),
        ("../up", "is no name of a patch"),
        ("/etc/x", "is no name of a patch"),
        ("a" * 80, "is no name of a patch"),
    ):
        with pytest.raises(StruckError, match=message):
            played.stage.save_patch(name)
    assert list((tmp_path / "own").iterdir()) == []
    (tmp_path / "own").rmdir()
    (tmp_path / "own").write_text("in the way")
    played.stage.save_patch("mine")
    assert saved(played).startswith("the patch was not saved: ")
