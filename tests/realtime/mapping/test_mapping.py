"""Maps: every kind of source, ends and curves, takeover, encoders, feedback, learning, and map files."""

import random

import mido
import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.patches.map_file import MapFile, load_map, save_map
from struck.patches.map_patch import MapEntry, MidiSource, parse_source
from struck.patches.patch import parse_patch
from struck.realtime.engine.parameters import PARAMETER, from_control
from struck.realtime.mapping.controllers import ControllerReader
from struck.realtime.mapping.learner import Learner, conflicts
from struck.realtime.mapping.mapper import Mapper, write_move
from struck.realtime.mapping.takeover import Takeover, position_of, steps_of, value_of
from struck.realtime.mapping.targets import Scale, Targets, check_target


class FakeStage:
    """Controls that remember where they were put, in order."""

    def __init__(self):
        self.values = {name: parameter.default for name, parameter in PARAMETER.items()}
        self.trace = []

    def controls(self):
        return dict(self.values)

    def set_control(self, name, value):
        self.values[name] = PARAMETER[name].check(value)
        self.trace.append((name, self.values[name]))


class Rig:
    def __init__(self, *entries, parameters=None):
        self.stage, self.lines, self.done, self.time = FakeStage(), [], [], 0.0
        self.inserts = []

        def find(insert, symbol):
            if (insert, symbol) not in (parameters or {}):
                raise ValueError(f"no insert {insert} has a parameter {symbol}")
            return parameters[insert, symbol]

        actions = {"panic": lambda: self.done.append("panic")}
        turn = lambda *values: self.inserts.append(values)  # noqa: E731
        self.mapper = Mapper(Targets(self.stage, actions, find, turn), self.lines.append, lambda: self.time)
        self.mapper.change(entries)

    def send(self, *messages):
        return [self.mapper.receive(bytes(message)) for message in messages]


def entry(source, target, **options):
    return MapEntry(parse_source(source), target, **{"takeover": "jump", **options})


def nrpn(number, value, channel=0):
    pairs = ((99, number >> 7), (98, number & 127), (6, value >> 7), (38, value & 127))
    return [bytes((0xB0 | channel, control, v)) for control, v in pairs]


@pytest.mark.parametrize(
    ("messages", "source", "value"),
    [
        ([b"\xb2\x14\x40"], MidiSource("cc", 20, 3), 64),
        ([b"\xb0\x05\x7f", b"\xb0\x25\x01"], MidiSource("cc14", 5, 1), 127 << 7 | 1),
        (nrpn(1_000, 9_000, 4), MidiSource("nrpn", 1_000, 5), 9_000),
        (nrpn(3, 5 << 7)[:3], MidiSource("nrpn", 3, 1), 5 << 7),
        ([b"\x90\x3c\x50"], MidiSource("note", 60, 1), 80),
        ([b"\x80\x3c\x50"], MidiSource("note", 60, 1), 0),
        ([b"\xa0\x3c\x50"], MidiSource("key_pressure", 60, 1), 80),
        ([b"\xc1\x07"], MidiSource("program", 0, 2), 7),
        ([b"\xd0\x21"], MidiSource("pressure", 0, 1), 33),
        ([b"\xe0\x01\x40"], MidiSource("wheel", 0, 1), 8_193),
    ],
)
def test_every_kind_of_source_is_read(messages, source, value):
    reader = ControllerReader()
    moves = [move for message in messages for move in reader.read(message)]
    assert (source, value) in [(move.source, move.value) for move in moves]


def test_registered_parameters_and_modes_are_no_controllers():
    reader = ControllerReader()
    for control, value in ((101, 0), (100, 0), (6, 12), (38, 0), (120, 0), (123, 0)):
        assert reader.read(bytes((0xB0, control, value))) == []


@pytest.mark.parametrize("highest", [127, 16_383])
def test_positions_and_values_are_inverse_and_the_middle_is_the_middle(highest):
    for value in {*range(0, highest + 1, max(1, highest // 200)), highest}:
        assert value_of(position_of(value, highest), highest) == value
    assert position_of((highest + 1) // 2, highest) == 0.5


@pytest.mark.parametrize("name", [name for name, p in PARAMETER.items() if p.control is not None])
def test_a_mapped_controller_goes_as_the_table_of_controls_says(name):
    rig = Rig(entry("cc 40", name))
    for value in (0, 1, 32, 64, 65, 100, 127):
        rig.send(bytes((0xB0, 40, value)))
        p = PARAMETER[name]
        one_step = (p.high - p.low) / 127.0
        assert rig.stage.values[name] == pytest.approx(from_control(p, value), abs=one_step)


@pytest.mark.parametrize("name", ["transpose", "decay", "events_db", "room"])
@pytest.mark.parametrize("curve", ["", "linear", "log", "slow", "fast"])
@pytest.mark.parametrize("inverted", [False, True])
def test_scales_are_inverse(name, curve, inverted):
    if curve == "log" and name != "decay":
        with pytest.raises(ValueError, match="log needs ends above 0"):
            Scale(Targets(FakeStage(), {}).find(name), entry("cc 1", name, curve=curve))
        return
    p = PARAMETER[name]
    ends = {"low": p.high, "high": p.low} if inverted else {}
    scale = Scale(Targets(FakeStage(), {}).find(name), entry("cc 1", name, curve=curve, **ends))
    for position in np.linspace(0.0, 1.0, 33):
        assert scale.position(scale.value(position)) == pytest.approx(position, abs=1e-6)
    assert sorted((scale.value(0.0), scale.value(1.0))) == pytest.approx([p.low, p.high])


def test_ends_in_the_targets_unit_and_one_beyond_is_told():
    rig = Rig(entry("wheel", "transpose", low=12.0, high=-12.0))
    rig.send(b"\xe0\x00\x00", b"\xe0\x7f\x7f")
    assert [value for _, value in rig.stage.trace] == [12.0, -12.0]
    rig = Rig(entry("cc 1", "transpose", high=99.0), entry("cc 1", "wobble"), entry("cc 1", "insert/a/b"))
    assert len(rig.lines) == 3
    assert "transpose goes from -48 to 48 semitones, not to 99" in rig.lines[0]
    assert rig.send(b"\xb0\x01\x01") == [False]


def test_parameters_of_inserts_and_actions():
    rig = Rig(
        entry("cc 1", "insert/plate/decay"),
        entry("note 36", "panic"),
        parameters={("plate", "decay"): (1.0, 100.0, True)},
    )
    assert rig.send(b"\xb0\x01\x40", b"\x90\x24\x64", b"\x90\x24\x00", b"\x90\x24\x64", b"\xb0\x02\x01") == [
        True, True, True, True, False
    ]  # fmt: skip
    assert rig.inserts == [("plate", "decay", pytest.approx(10.0))]
    assert rig.done == ["panic", "panic"]


@pytest.mark.parametrize("mode", ["pickup", "scale"])
def test_takeover_never_goes_further_than_the_controller(mode):
    """Knobs that wander, on targets that others move too."""
    rng = random.Random(3)
    for _ in range(200):
        takeover, highest = Takeover(mode, 127), 127
        target, value = rng.random(), rng.randrange(128)
        before = None
        for time in range(500):
            if time < 200:
                target = rng.random() if rng.random() < 0.02 else target
                value = min(highest, max(0, value + rng.randint(-6, 6)))
            else:  # up to its end, down to the other
                value = min(highest, value + 1) if time < 340 else max(0, value - 1)
            position = position_of(value, highest)
            goes = takeover.move(position, target)
            if goes is not None:
                step = 1.0 / highest if before is None else max(abs(position - before), 1.0 / highest)
                assert abs(goes - target) <= step + 1e-4
                target = goes
            before = position
        assert target == pytest.approx(position, abs=0.01)  # it has taken over


def test_a_knob_that_is_turned_fast_past_its_target_has_it():
    takeover = Takeover("pickup", 127)
    assert takeover.move(0.1, 0.5) is None
    assert takeover.move(0.9, 0.5) == 0.9
    assert takeover.move(0.2, 0.9) == 0.2
    assert takeover.move(0.3, 0.7) is None  # somebody else moved the target
    assert Takeover("jump", 127).move(0.1, 0.9) == 0.1


@pytest.mark.parametrize(
    ("code", "up", "down"), [("twos", 3, 125), ("offset", 67, 61), ("sign_up", 67, 3), ("sign_down", 3, 67)]
)
def test_encoders_step_both_ways_and_stop_at_the_ends(code, up, down):
    assert (steps_of(code, up), steps_of(code, down)) == (3, -3)
    rig = Rig(entry("cc 9", "room_mix", encoder=code, step=0.01))
    rig.send(bytes((0xB0, 9, up)))
    assert rig.stage.values["room_mix"] == pytest.approx(0.06)
    rig.send(*[bytes((0xB0, 9, down))] * 3)
    assert rig.stage.values["room_mix"] == pytest.approx(-0.12)
    rig.send(*[bytes((0xB0, 9, up))] * 60)
    assert rig.stage.values["room_mix"] == 1.0


def test_controllers_are_told_only_what_they_do_not_know():
    rig = Rig(entry("cc 20", "decay"), entry("cc14 2", "room"), entry("wheel", "dry_db", feedback=False))
    sent = []
    rig.mapper.feed_back(sent.append)
    assert sent == [bytes((0xB0, 20, 64)), bytes((0xB0, 2, 0, 0xB0, 34, 0))]
    rig.mapper.feed_back(sent.append)
    rig.time = 10.0
    rig.send(b"\xb0\x14\x7f")
    rig.mapper.feed_back(sent.append)
    assert len(sent) == 2  # the knob itself has moved it
    rig.stage.set_control("decay", 1.0)
    rig.mapper.feed_back(sent.append)
    assert sent[2:] == [bytes((0xB0, 20, 64))]
    assert write_move(MidiSource("nrpn", 5, 1), 3) == b""


def test_a_loop_is_found_broken_and_told():
    rig = Rig(entry("cc 20", "decay"))

    def loop(message):
        rig.time += 0.01
        rig.send(message)

    rng = random.Random(1)
    for _ in range(40):
        rig.stage.set_control("decay", rng.uniform(0.1, 10.0))
        before = rig.stage.values["decay"]
        rig.mapper.feed_back(loop)
        assert rig.stage.values["decay"] == before  # an echo turns nothing
    (line,) = rig.lines
    assert line == "cc 20 sends back what it is told of decay: a MIDI loop; it is told no more"
    sent = []
    rig.stage.set_control("decay", 0.3)
    rig.mapper.feed_back(sent.append)
    assert sent == []


#: Ten controllers of five kinds, and what each is to turn.
TEN = (
    ("events_db", [bytes((0xB0, 20, v)) for v in range(10, 90, 8)]),
    ("decay", [bytes((0xB1, 21, v)) for v in range(100, 40, -6)]),
    ("room_mix", [bytes((0xB0, 74, v)) for v in range(0, 127, 9)]),
    ("room", [bytes((0xB0, c, v)) for n in range(0, 60, 3) for c, v in ((3, n), (35, n))]),
    ("dry_db", [bytes((0xB0, c, v)) for n in range(0, 50, 2) for c, v in ((4, n), (36, 2 * n))]),
    ("attack", [m for value in range(4_000, 12_000, 700) for m in nrpn(300, value)]),
    ("brightness_db", [m for value in range(9_000, 3_000, -500) for m in nrpn(301, value, 2)]),
    ("transpose", [bytes((0xE0, v, 40 + v)) for v in range(0, 60, 5)]),
    ("phrases_db", [bytes((0xD0, v)) for v in range(20, 100, 7)]),
    ("threshold_db", [bytes((0xD3, v)) for v in range(91, -1, -7)]),
)


def test_ten_controls_of_five_kinds_learned_saved_and_replayed_from_a_midi_file(tmp_path):
    reader, saved = ControllerReader(), []
    learner = Learner((), saved.append, lambda line: None)
    for target, messages in TEN:
        learner.learn(target, takeover="jump" if target == "transpose" else "pickup")
        for message in messages:
            for move in reader.read(message):
                learner.move(move)
        assert learner.target is None
    kinds = [entry.source.kind for entry in learner.entries]
    assert kinds == ["cc"] * 3 + ["cc14"] * 2 + ["nrpn"] * 2 + ["wheel"] + ["pressure"] * 2
    save_map(tmp_path / "ten.toml", MapFile("keys", "", learner.entries))
    loaded = load_map(tmp_path / "ten.toml")
    assert loaded == MapFile("keys", "", learner.entries)
    assert saved[-1] == learner.entries

    performance = [message for _, messages in TEN for message in (*messages, *reversed(messages))]
    rng = random.Random(5)
    rng.shuffle(performance)
    performance = [m for _, messages in TEN for m in messages] + performance
    track = mido.MidiTrack(mido.Message.from_bytes(message, time=10) for message in performance)
    mido.MidiFile(tracks=[track]).save(tmp_path / "show.mid")
    replayed = [bytes(m.bytes()) for m in mido.MidiFile(tmp_path / "show.mid").tracks[0] if not m.is_meta]

    first, second = Rig(*learner.entries), Rig(*loaded.entries)
    first.send(*performance)
    second.send(*replayed)
    assert {name for name, _ in first.stage.trace} == {target for target, _ in TEN}
    assert len(first.stage.trace) > 200
    assert second.stage.trace == first.stage.trace


def test_a_trembling_controller_is_not_learned_and_what_is_learned_can_be_unlearned():
    reader, told, saved = ControllerReader(), [], []
    learner = Learner((), saved.append, told.append)
    learner.learn("decay")
    for value in (64, 65, 64, 63) * 20:
        for move in reader.read(bytes((0xB0, 30, value))):
            learner.move(move)
    assert learner.target == "decay"
    for target in ("decay", "room"):
        learner.learn(target)
        for value in (10, 60):
            for move in reader.read(bytes((0xB0, 40, value))):
                learner.move(move)
    assert told == ["cc 40 turns decay and room"]
    assert conflicts(learner.entries) == told
    assert learner.unlearn("decay") == 1
    assert learner.unlearn("decay") == 0
    assert [entry.target for entry in saved[-1]] == ["room"]


def test_what_was_moved_lately_is_known_with_what_it_turns():
    rig = Rig(entry("cc 20", "decay"))
    rig.send(b"\xb0\x14\x10", b"\xb0\x15\x20", b"\xb0\x14\x11")
    found = [(str(seen.source), seen.value, seen.targets) for seen in rig.mapper.seen()]
    assert found == [("cc 21", 32, ()), ("cc 20", 17, ("decay",))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('source = "cc 200"\ntarget = "decay"', r"'cc 200' is no source: cc takes a number from 0 to 119"),
        ('source = "wheel 3"\ntarget = "decay"', "wheel takes no number"),
        ('source = "knob"\ntarget = "decay"', "'knob' is no source; it must be cc, cc14, nrpn"),
        ('source = "cc"\ntarget = "decay"', "cc takes a number"),
        ('target = "decay"', r"\[\[map\]\] 1: source is missing \(line 2\)"),
        ('source = "cc 1"', "target is missing"),
        ('source = "cc 1"\ntarget = "decay"\ncurve = "s"', r"curve is s; it must be .* \(line 5\)"),
        ('source = "cc 1"\ntarget = "decay"\nencoder = "x"', "encoder is x"),
        ('source = "wheel"\ntarget = "decay"\nencoder = "twos"', "encoder is twos; wheel sends no steps"),
        ('source = "cc 1"\ntarget = "decay"\nlow = nan', "low is nan"),
        ('source = "cc 1"\ntarget = "decay"\nchannel = 17', "channel is 17"),
        ('source = "cc 1"\ntarget = "decay"\nhue = 1', "unknown: hue"),
    ],
)
def test_what_is_wrong_in_a_map_is_told_with_its_line(tmp_path, text, words):
    with pytest.raises(StruckError, match=words):
        parse_patch("p", f"format = 2\n[[map]]\n{text}\n".encode())
    path = tmp_path / "m.toml"
    path.write_text(f"format = 1\n[[map]]\n{text}\n")
    with pytest.raises(StruckError, match=words):
        load_map(path)


def test_a_newer_map_file_and_targets_that_there_are_not(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text("format = 2\n")
    with pytest.raises(StruckError, match=r"map m.toml: format is 2; this struck reads 1 \(line 1\)"):
        load_map(path)
    with pytest.raises(StruckError, match="cannot read the map"):
        load_map(tmp_path / "no.toml")
    with pytest.raises(StruckError, match="nothing is called wobble; there are input_db"):
        check_target("wobble")
    with pytest.raises(StruckError, match="transpose goes from -48 to 48 semitones, not to 99"):
        check_target("transpose", None, 99.0)
    for name in ("decay", "panic", "patch/next", "insert/a/b"):
        check_target(name)
