"""Native code that crashes, loops, gives no number, lies and chatters, in the middle of a tone."""

import ctypes.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from struck.realtime.inserts.rack.process import COMMAND

from .rack_host import RackHost, insert, largest_step
from .test_supervision import FRAMES, OWN_STEP, Stage, children

CRASH, LOOP, NOT_A_NUMBER, SLOW, CHATTER = range(1, 6)
URI = "urn:struck:faulty"

pytestmark = [
    pytest.mark.wall_clock,
    pytest.mark.skipif(
        ctypes.util.find_library("lilv-0") is None, reason="liblilv is not installed (Debian: liblilv-0-0)"
    ),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("lv2")
    source = Path(__file__).parent / "faulty.lv2"
    target = shutil.copytree(source, folder / "faulty.lv2")
    subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", target / "faulty.c", "-o", target / "faulty.so", "-lm"],
        check=True,
    )
    (target / "nothing.so").write_bytes(b"no library at all")
    return folder


@pytest.fixture
def path(bundle, monkeypatch):
    monkeypatch.setenv("LV2_PATH", f"{bundle}:/usr/lib/lv2")


def hosted(patient=False, **options):
    return RackHost(FRAMES, patient=patient, command=COMMAND, **options)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (CRASH, "insert faulty crashed (SIGSEGV); it is started again"),
        (LOOP, "insert faulty hangs; it is started again"),
        (NOT_A_NUMBER, "insert faulty gave sound that is no number; it passes dry meanwhile"),
        (SLOW, "the inserts are too slow for this block size: the sound passes dry"),
    ],
)
def test_the_tone_goes_on(fault, line):
    before = children()
    with hosted() as host:
        host.change(insert(URI, name="faulty"))
        rack = host.bay.rack
        assert rack.latency_samples[3] == 1_000
        stage = Stage(host)
        stage.play(60)
        rack.controls.set_parameter(0, "fault", float(fault))
        stage.play_until(lambda: bool(host.told))
        rack.controls.set_parameter(0, "fault", 0.0)  # what is started again is told of it, too
        stage.play_until(lambda: host.bay.rack._process is not None)
        stage.play(30)
        assert host.told[0] == line
        sound = stage.sound
        assert np.isfinite(sound).all()
        # dry is as late as the plug-in said it is, a lie: the two are apart, and the ways between them smooth
        assert largest_step(sound[1_000 + 4 * FRAMES :]) <= OWN_STEP
    assert children() == before


@pytest.mark.usefixtures("path")
def test_what_it_prints_is_kept_and_does_not_disturb(tmp_path, capfd):
    with hosted(patient=True, log=tmp_path / "log") as host:
        host.change(insert(URI, name="faulty", parameters={"fault": float(CHATTER)}))
        host.play(np.zeros((10 * FRAMES, 2), np.float32))
    assert "faulty chatters" in (tmp_path / "log").read_text()
    assert "chatters" not in "".join(capfd.readouterr())


@pytest.mark.usefixtures("path")
def test_what_cannot_be_hosted_is_told_by_name():
    with hosted(patient=True) as host:
        host.change(insert("urn:struck:strange", name="strange"), insert("urn:struck:none", name="none"))
        host.play(np.zeros((FRAMES, 2), np.float32))
    assert host.told == [
        "insert strange: the LV2 plug-in urn:struck:strange requires urn:struck:a-display, "
        "which is not given; it is passed by",
        "insert none: the LV2 plug-in urn:struck:none cannot be instantiated; it is passed by",
    ]
