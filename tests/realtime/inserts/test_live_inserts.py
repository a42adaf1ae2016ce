"""Whole performances from file to file with inserts: as late as the ledger says, and instruments in time."""

import numpy as np
import pytest
import soundfile

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.takes.mpe import gain_to_velocity
from struck.codec.takes.takes import TakeReader
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.realtime.commands.cli import main
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd

from ...codec.hearing.encoder_sounds import melody
from ..host.test_host import Show
from .plugin_bench import run
from .test_instrument import event
from .test_lv2 import MDA, opened

RATE = 48_000

CLIP = """
[[insert]]
name = "{place}"
place = "{place}"
host = "pyo"
plugin = "Clip"
"""
PIANO = """
[[insert]]
name = "piano"
place = "events"
host = "lv2"
plugin = "http://drobilla.net/plugins/mda/Piano"
"""


@pytest.fixture(scope="module")
def weights():
    return load_codec_weights(default_codec_weights_path())


@pytest.fixture(scope="module")
def sound_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("inserts") / "melody.wav"
    soundfile.write(path, 0.5 * melody((57, 64, 69)), ANALYSIS_RATE, subtype="FLOAT")
    return path


@pytest.fixture
def play(weights, sound_path, tmp_path):
    def play(patch, during=None, **options):
        """A show with a patch of this text, and its output ``[N, C]``."""
        (tmp_path / "p.toml").write_text(patch)
        out = tmp_path / "out.wav"
        options = {"rate": RATE, "output": str(out), "patch": str(tmp_path / "p.toml"), **options}
        show = Show(weights, sound_path, during, **options)
        sound, _ = soundfile.read(out, always_2d=True)
        out.unlink()
        return show, sound

    return play


def needs_pyo():
    pytest.importorskip("pyo", reason="pyo is not installed")


@pytest.mark.parametrize("block_frames", [64, 480])
def test_events_are_as_much_later_as_the_ledger_says(play, block_frames):
    needs_pyo()
    plain, before = play("", block_frames=block_frames)
    show, after = play(CLIP.format(place="events") + CLIP.format(place="master"), block_frames=block_frames)
    late = round(show.performance.ledger.inserts_seconds * RATE)
    assert late == show.performance.inserts.output_delay_frames > 0
    assert show.performance.ledger.total_seconds - plain.performance.ledger.total_seconds == pytest.approx(
        late / RATE
    )
    assert after.shape[1] == 2
    count = len(before) - late
    # pyo's Clip passes what is within full scale
    np.testing.assert_allclose(after[late : late + count, 0], before[:count, 0], atol=2e-5)
    np.testing.assert_array_equal(after[:, 0], after[:, 1])
    assert show.summary["inserts"]["insert_late_frames"] == 0


def test_an_insert_at_the_input_delays_what_is_heard_and_loses_nothing(play):
    needs_pyo()
    _, before = play("")
    show, after = play(CLIP.format(place="input"))
    late = show.performance.inserts.input_delay_frames
    assert late == 64
    assert show.summary["inserts"]["insert_late_frames"] == 0
    loud = [np.flatnonzero(np.abs(out[:, 0]) > 0.01)[0] for out in (before, after)]
    # events begin on the encoder's grid: what comes 64 samples later is heard up to a hop's step beside that
    assert abs(loud[1] - loud[0] - late) < 600


def test_the_same_file_gives_the_same_bits(play):
    needs_pyo()
    patch = CLIP.format(place="input") + CLIP.format(place="master")
    np.testing.assert_array_equal(play(patch)[1], play(patch)[1])


def test_heard_events_play_an_instrument_at_their_sample(play):
    opened(MDA + "Piano").close()
    show, out = play(PIANO)
    late = show.performance.inserts.output_delay_frames
    soundings = sorted(show.soundings, key=lambda sounding: sounding.at_sample)
    first = np.flatnonzero(np.abs(out[:, 0]) > 1e-6)[0]
    assert first - late - soundings[0].at_sample in (0, 1)  # the piano's own first sample is silent
    assert show.summary["inserts"]["insert_late_notes"] == 0


def test_an_instrument_on_stage_plays_ends_and_amendments_at_their_samples(play, sound_path, tmp_path):
    """What comes out is what the instrument gives when the same messages are put to it by hand."""
    opened(MDA + "Piano").close()
    quiet = tmp_path / "quiet.wav"
    soundfile.write(quiet, np.zeros(2 * RATE), RATE, subtype="FLOAT")
    found = []

    def during(performance):
        first = performance.stage.play(event(10_000, hold=5.0, decay=5.0), "osc")
        second = performance.stage.play(event(30_000, pitch=67.0, hold=5.0, decay=5.0), "midi")
        performance.stage.end(second.id, 40_000 / RATE)
        performance.stage.amend(first.id, 50_000 / RATE, {"gain_db": -3.0, "pitch": 60.2})
        performance.stage.end(first.id, 60_000 / RATE)
        found.append((performance, first, second))

    show, out = play(PIANO, during, input=str(quiet))
    (performance, first, second) = found[0]
    late = performance.inserts.output_delay_frames
    ends = {s.id: s.at_sample for s in show.soundings if isinstance(s, SoundingEnd)}
    (amended,) = (s for s in show.soundings if isinstance(s, SoundingAmendment))
    messages = [
        (first.at_sample, bytes((0x90, 60, gain_to_velocity(first.event.gain_db)))),
        (second.at_sample, bytes((0x90, 67, gain_to_velocity(second.event.gain_db)))),
        (ends[second.id], bytes((0x80, 67, 64))),
        (amended.at_sample, bytes((0xA0, 60, gain_to_velocity(amended.event.gain_db)))),
        (ends[first.id], bytes((0x80, 60, 64))),
    ]
    assert [at for at, _ in messages] == pytest.approx([10_000, 30_000, 40_000, 50_000, 60_000], abs=3)
    expected = run(opened(MDA + "Piano"), np.zeros((2, 80_000), np.float32), messages).T
    assert len(out) >= 80_000
    np.testing.assert_allclose(out[late:80_000], expected[: 80_000 - late], atol=1e-5)
    assert show.summary["inserts"]["insert_late_notes"] == 0


def test_a_panic_ends_the_notes_of_an_instrument(play, tmp_path):
    opened(MDA + "Piano").close()
    quiet = tmp_path / "quiet.wav"
    soundfile.write(quiet, np.zeros(2 * RATE), RATE, subtype="FLOAT")
    silenced = []

    def during(performance):
        performance.stage.play(event(10_000, hold=5.0, decay=5.0), "osc")
        attend = performance.inserts.settle

        def settle():
            if performance.position_seconds > 0.5 and not silenced:
                performance.stage.panic()
                silenced.append(round(performance.position_seconds * RATE))
            attend()

        performance.inserts.settle = settle

    _, out = play(PIANO, during, input=str(quiet))
    assert np.abs(out[: silenced[0]]).max() > 0.01
    assert np.abs(out[silenced[0] + RATE // 4 :]).max() < 1e-4


def test_parameters_are_set_by_name_while_it_plays(play):
    needs_pyo()

    def during(performance):
        performance.stage.set_insert("master", "mul", 0.0)
        for insert, parameter, value in (("master", "mul", 9.0), ("master", "x", 0.0), ("other", "mul", 0.0)):
            with pytest.raises(
                ValueError, match=r"the range is 0 to 2|no parameter x|no insert is called other"
            ):
                performance.stage.set_insert(insert, parameter, value)

    _, out = play(CLIP.format(place="master"), during)
    assert np.abs(out).max() == 0.0


def test_a_missing_plugin_is_told_of_and_the_rest_plays(play):
    _, before = play("")
    text = PIANO.replace("mda/Piano", "mda/Nothing")
    show, out = play(text)
    assert any("insert piano: no LV2 plug-in is called" in line for line in show.teller.take(True))
    late = show.performance.inserts.output_delay_frames
    np.testing.assert_allclose(out[late : len(before), 0], before[: len(before) - late, 0], atol=2e-5)


def test_a_render_goes_through_a_patchs_inserts(sound_path, tmp_path):
    needs_pyo()
    take, patch = tmp_path / "t.mcap", tmp_path / "p.toml"
    patch.write_text(CLIP.format(place="events") + CLIP.format(place="input"))
    assert main(["encode", str(sound_path), str(take), "--profile", "tight"]) == 0
    for name, options in (("dry", []), ("wet", ["--patch", str(patch)])):
        arguments = ["render", str(take), str(tmp_path / f"{name}.wav"), "--bits", "float"]
        assert main([*arguments, *options]) == 0
    dry, wet = (soundfile.read(tmp_path / f"{name}.wav", always_2d=True)[0] for name in ("dry", "wet"))
    np.testing.assert_allclose(wet[: len(dry)], np.repeat(dry, 2, 1), atol=1e-6)


def test_an_instrument_in_a_render_sounds_at_its_events_sample(sound_path, tmp_path):
    opened(MDA + "Piano").close()
    take, patch = tmp_path / "t.mcap", tmp_path / "p.toml"
    patch.write_text(PIANO)
    assert main(["encode", str(sound_path), str(take), "--profile", "tight"]) == 0
    assert main(["render", str(take), str(tmp_path / "o.wav"), "--bits", "float", "--patch", str(patch)]) == 0
    onset = min(event.onset_sample(RATE) for event in TakeReader(take).events())
    out, _ = soundfile.read(tmp_path / "o.wav", always_2d=True)
    assert np.flatnonzero(np.abs(out[:, 0]) > 1e-6)[0] - onset in (0, 1)


def test_a_crash_in_a_render_leaves_no_file(sound_path, tmp_path):
    needs_pyo()
    (tmp_path / "bad.py").write_text(
        "import pyo, os\n"
        "def build(input):\n"
        "    def call():\n"
        "        build.count += 1\n"
        "        if build.count == 100:\n"
        "            os.abort()\n"
        "    build.count = 0\n"
        "    build.pattern = pyo.Pattern(call, 0.01).play()\n"
        "    return input * 0.5\n"
    )
    patch = tmp_path / "p.toml"
    patch.write_text('[[insert]]\nplace = "master"\nhost = "pyo"\nfile = "bad.py"\n')
    arguments = [str(sound_path), str(tmp_path / "o.wav"), "--profile", "tight", "--patch", str(patch)]
    assert main(["resynth", *arguments]) == 1
    assert list(tmp_path.glob("o.wav*")) == []
