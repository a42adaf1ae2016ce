"""Transforms of events: each kind, amendments that follow, patches and edits that ask for them."""

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import read_field
from struck.codec.events.events import Event
from struck.codec.transforms.chain import EventChain
from struck.codec.transforms.edits import Edit, apply_edits
from struck.codec.transforms.kinds import TRANSFORMS
from struck.codec.transforms.shapes import NOTE_NAMES
from struck.codec.transforms.streams import transform_stream
from struck.codec.transforms.transform import Surroundings, TransformSettings
from struck.patches.patch import parse_patch
from struck.realtime.commands.options import transform

from ..playing.decoder_events import event


class Chain:
    """What a chain makes of the first copy of each event, as it is told."""

    def __init__(self, *settings):
        self._chain = EventChain(settings, Surroundings(seed=1))

    def begin(self, event):
        return next((copy.shape for copy in self._chain.begin(event)), None)


def chain(kind, **values):
    return Chain(TransformSettings(kind, values))


def kept(found, *events):
    """Numbers of those that a chain keeps."""
    return [number for number, each in enumerate(events) if found.begin(each) is not None]


def pitch(item):
    return float(read_field(item.vector, "pitch"))


def test_gate_and_density_and_ghosts_and_keys_and_thin():
    assert kept(chain("gate", level_db=-30.0), event(0, -40.0), event(0, -30.0), event(0, -20.0)) == [1, 2]
    at = [event(seconds) for seconds in (0.0, 0.1, 0.2, 0.9, 1.05, 1.15)]
    assert kept(chain("density", most=2), *at) == [0, 1, 4, 5]
    ghosts = chain("ghosts", within=0.1, depth_db=10.0)
    soft = [event(0.0, -10.0), event(0.05, -25.0), event(0.08, -15.0), event(0.3, -25.0)]
    assert kept(ghosts, *soft) == [0, 2, 3]
    notes = [event(0, pitch=p) for p in (60.0, 61.0, 62.2, 72.4, 76.0)]
    assert kept(chain("keys", notes=("C", "D")), *notes) == [0, 2, 3]
    share = len(kept(chain("thin", share=0.3), *[event()] * 2_000)) / 2_000
    assert share == pytest.approx(0.3, abs=0.05)


def test_scale_moves_to_the_nearest_and_bends_stay():
    found = chain("scale", root="D", scale="minor")
    for played, wanted in ((62.0, 62.0), (63.2, 64.0), (66.3, 67.0), (73.2, 74.0), (61.3, 62.0)):
        shape = found.begin(event(pitch=played))
        assert pitch(shape(event(pitch=played))) == pytest.approx(wanted, abs=0.01) or abs(
            pitch(shape(event(pitch=played))) - played
        ) <= abs(wanted - played)
        assert round(pitch(shape(event(pitch=played)))) % 12 in (2, 4, 5, 7, 9, 10, 0)
        assert pitch(shape(event(pitch=played + 0.5))) - pitch(shape(event(pitch=played))) == pytest.approx(
            0.5, abs=0.01
        )
    half = chain("scale", strength=0.5).begin(event(pitch=61.2))
    assert pitch(half(event(pitch=61.2))) == pytest.approx(61.6, abs=0.01)


def test_scatter_keeps_the_pitch_and_stays_the_same_for_a_life():
    shape = chain("scatter", amount=0.2).begin(event(pitch=60.0))
    before, after = event(pitch=60.0), shape(event(pitch=60.0))
    assert pitch(after) == pytest.approx(60.0, abs=0.01)
    assert not np.allclose(before.vector[1:], after.vector[1:])
    assert shape(before) == after


def test_morph_goes_a_share_of_the_way():
    shape = chain("morph", share=1.0, sound={"decay": 2.0}).begin(event(decay=20.0, attack=0.5))
    found = shape(event(decay=20.0, attack=0.5))
    assert read_field(found.vector, "decay") == pytest.approx(2.0, rel=0.01)
    assert read_field(found.vector, "attack") == pytest.approx(0.5, rel=0.01)
    assert chain("morph", share=0.0, sound={"decay": 2.0}).begin(found)(found) == found


def test_an_amendment_of_a_transposed_event_stays_transposed():
    items = [
        Event(0.0, -20.0, event(pitch=60.0).vector, 7),
        Amendment.of_fields(7, 0.5, {"pitch": 61.0}),
        End(7, 1.0),
    ]
    found = transform_stream(items, [TransformSettings("transpose", {"semitones": 12.0})])
    assert pitch(found[0]) == pytest.approx(72.0, abs=0.01)
    assert pitch(found[1].apply(found[0])) == pytest.approx(73.0, abs=0.01)
    assert found[1].fields == ("pitch",)
    assert found[2] == items[2]


def test_with_a_dropped_event_go_its_amendments_and_its_end():
    items = [
        Event(0.0, -60.0, event().vector, 7),
        Event(0.1, -20.0, event().vector, 8),
        Amendment.of_fields(7, 0.5, {"pitch": 61.0}),
        End(7, 1.0),
        End(8, 1.0),
    ]
    assert transform_stream(items, [TransformSettings("gate", {"level_db": -30.0})]) == [items[1], items[4]]


def test_one_after_the_other():
    found = Chain(TransformSettings("transpose", {"semitones": 1.0}), TransformSettings("scale"))
    shape = found.begin(event(pitch=60.0))
    assert pitch(shape(event(pitch=60.0))) in (pytest.approx(60.0, abs=0.01), pytest.approx(62.0, abs=0.01))
    assert Chain().begin(event())(event()) == event()


@pytest.mark.parametrize("kind", TRANSFORMS, ids=lambda kind: kind.name)
def test_every_kind_works_with_its_defaults_in_patches_and_edits(kind):
    patch = parse_patch("p", f'format = 2\n[[transform]]\nkind = "{kind.name}"\n'.encode())
    assert patch.transforms == (TransformSettings(kind.name),) == (transform(kind.name),)
    items = [event(0.1 * i, -20.0, pitch=50.0 + i) for i in range(20)]
    found = list(apply_edits(items, Edit(transforms=patch.transforms)))
    assert 0 < len(found) <= (80 if kind.name == "delay" else 20)
    assert found == list(apply_edits(items, Edit(transforms=patch.transforms)))


def test_values_are_read_from_patches_and_from_the_command_line():
    text = (
        'format = 2\n[[transform]]\nkind = "keys"\nnotes = ["C", "F#"]\n[[transform]]\nkind = "morph"\n'
        "share = 0.25\nsound = { decay = 2.0 }\n[[transform]]\nkind = 'scale'\nroot = 'D'\n"
    )
    assert parse_patch("p", text.encode()).transforms == (
        TransformSettings("keys", {"notes": ("C", "F#")}),
        TransformSettings("morph", {"share": 0.25, "sound": {"decay": 2.0}}),
        TransformSettings("scale", {"root": "D"}),
    )
    assert transform("keys notes=C,F#") == TransformSettings("keys", {"notes": ("C", "F#")})
    assert transform("scale root=D strength=0.5").values == {"root": "D", "strength": 0.5}
    assert len(NOTE_NAMES) == 12


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = "wobble"', r"\[\[transform\]\] 1: kind is wobble; it must be gate or thin.* \(line 3\)"),
        ("level_db = 1.0", "kind is missing"),
        ('kind = "gate"\nlevel_db = 99.0', r"level_db is 99; the range is -90 to 12 \(line 4\)"),
        ('kind = "gate"\nshare = 1.0', "unknown: share"),
        ('kind = "scale"\nroot = "H"', "root is H; it must be C or"),
        ('kind = "keys"\nnotes = ["H"]', "notes names 'H'"),
        ('kind = "morph"\nsound = { pitch = 60 }', "unknown: pitch"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, words):
    with pytest.raises(StruckError, match=words):
        parse_patch("p", f"format = 2\n[[transform]]\n{text}\n".encode())
