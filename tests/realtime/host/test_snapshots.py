"""Snapshots: saved, recalled, gone to over beats, left in between, taken back; and a setlist through them."""

import threading
import time

import pytest

from struck.codec.events.errors import StruckError
from struck.patches.setlist import Scene, load_setlist
from struck.realtime.engine.parameters import PARAMETER
from struck.realtime.host.show import Show, check_scenes
from struck.realtime.host.snapshots import UNDO_STEPS, Snapshots, Turned, between


class FakeStage:
    """Controls that tell their watcher, as those of the stage do."""

    def __init__(self):
        self.values = {name: p.default for name, p in PARAMETER.items()}
        self.lines, self.watch, self.trace = [], lambda *change: None, []

    def controls(self):
        return dict(self.values)

    def set_control(self, name, value):
        changed = self.values[name] != value
        self.values[name] = value
        self.trace.append((name, value))
        if changed:
            self.watch("control", name, value)

    def tell(self, line):
        self.lines.append(line)


class Rig:
    def __init__(self, beat_seconds=0.05, safe=("output_db",)):
        self.time = 0.0
        self.stage = FakeStage()
        self.snapshots = Snapshots(self.stage, lambda: beat_seconds, lambda: safe, lambda: self.time)
        self.stage.watch = self.snapshots.watch

    def turn(self, **values):
        """A gesture of its own."""
        self.time += 1.0
        for name, value in values.items():
            self.stage.set_control(name, value)


@pytest.fixture
def rig():
    found = Rig()
    yield found
    found.snapshots.close()


def wait_until(true):
    end = time.monotonic() + 30.0
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_saved_and_recalled_but_for_what_is_safe(rig):
    rig.turn(decay=4.0, output_db=-6.0)
    rig.snapshots.save(3)
    rig.turn(decay=1.0, output_db=0.0, room=2.0)
    rig.snapshots.recall(3)
    assert (rig.stage.values["decay"], rig.stage.values["output_db"], rig.stage.values["room"]) == (
        4.0,
        0.0,
        -1.0,
    )
    assert rig.stage.lines == ["snapshot 3 saved"]
    with pytest.raises(ValueError, match="there is no snapshot 4; there are: 3"):
        rig.snapshots.recall(4)


def test_a_and_b(rig):
    rig.turn(transpose=5.0)
    rig.snapshots.save(1)
    rig.turn(transpose=-7.0)
    rig.snapshots.recall(1)
    for wanted in (-7.0, 5.0, -7.0):
        rig.snapshots.toggle()
        assert rig.stage.values["transpose"] == wanted


def test_a_way_over_beats_passes_through_what_lies_between_and_arrives(rig):
    rig.turn(transpose=12.0, decay=4.0)
    rig.snapshots.save(1)
    rig.turn(transpose=0.0, decay=1.0)
    rig.snapshots.morph_beats = 4.0
    rig.stage.trace.clear()
    rig.snapshots.recall(1)
    for share in (0.25, 0.5, 0.75):
        rig.time += 0.05
        wanted = rig.time, share
        wait_until(lambda wanted=wanted: abs(rig.stage.values["transpose"] - 12.0 * wanted[1]) < 0.01)
        assert rig.stage.values["decay"] == pytest.approx(4.0**share, rel=0.01)
    rig.time += 1.0
    wait_until(lambda: rig.stage.values["decay"] == 4.0)
    steps = [value for name, value in rig.stage.trace if name == "transpose"]
    assert steps == sorted(steps)


def test_a_way_is_left_in_between(rig):
    rig.turn(transpose=12.0)
    rig.snapshots.save(1)
    rig.turn(transpose=0.0)
    rig.snapshots.morph_beats = 8.0
    rig.snapshots.recall(1)
    rig.time += 0.2
    wait_until(lambda: abs(rig.stage.values["transpose"] - 6.0) < 0.01)
    rig.snapshots.stop()
    rig.time += 10.0
    time.sleep(0.05)
    assert rig.stage.values["transpose"] == pytest.approx(6.0, abs=0.01)


def test_steps_are_taken_back_gesture_by_gesture(rig):
    rig.turn(decay=2.0, attack=3.0)
    rig.turn(decay=5.0)
    rig.snapshots.undo()
    assert rig.stage.values["decay"] == 2.0
    rig.snapshots.undo()
    assert (rig.stage.values["decay"], rig.stage.values["attack"]) == (1.0, 1.0)
    rig.snapshots.undo()
    assert rig.stage.values["decay"] == 1.0
    for number in range(UNDO_STEPS + 10):
        rig.turn(transpose=float(number + 1))
    for _ in range(UNDO_STEPS + 10):
        rig.snapshots.undo()
    assert rig.stage.values["transpose"] == 10.0  # 32 steps back


def test_every_snapshot_is_an_action(rig):
    actions = rig.snapshots.actions()
    rig.turn(decay=7.0)
    actions["snapshot/save/8"]()
    rig.turn(decay=1.0)
    actions["snapshot/8"]()
    assert rig.stage.values["decay"] == 7.0
    actions["undo"]()
    assert rig.stage.values["decay"] == 1.0


@pytest.mark.parametrize("name", PARAMETER)
def test_every_control_goes_its_way_within_its_range(name):
    p = PARAMETER[name]
    assert (between(name, p.low, p.high, 0.0), between(name, p.low, p.high, 1.0)) == (p.low, p.high)
    for share in (0.1, 0.5, 0.9):
        assert p.low <= between(name, p.low, p.high, share) <= p.high


SETLIST = """
format = 1

[[song]]
name = "Opener"
tempo_bpm = 96

[[song.snapshot]]
name = "verse"
patch = "bells"
morph_beats = 2

[song.snapshot.controls]
decay = 3

[[song.snapshot]]
patch = "pad"
tempo_bpm = 100

[[song]]
name = "Closer"
[[song.snapshot]]
name = "all"
"""


def test_a_setlist_is_read(tmp_path):
    path = tmp_path / "show.toml"
    path.write_text(SETLIST)
    assert load_setlist(path) == (
        Scene("Opener", "verse", "bells", 96.0, {"decay": 3.0}, 2.0),
        Scene("Opener", "2", "pad", 100.0),
        Scene("Closer", "all"),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format = 2", r"setlist s.toml: format is 2; this struck reads 1 \(line 1\)"),
        ("", "it has no song with a snapshot"),
        ("[[song]]\nkey = 1", r"\[\[song\]\] 1: unknown: key \(line 2\)"),
        ("[[song]]\n[[song.snapshot]]\nmorph_beats = 9", r"morph_beats is 9; the range is 0 to 8 \(line 3\)"),
        ("[[song]]\ntempo_bpm = 10", "tempo_bpm is 10; the range is 60 to 240"),
        ("[[song]]\n[[song.snapshot]]\n[song.snapshot.controls]\ndecay = 'x'", "decay must be a number"),
    ],
)
def test_what_is_wrong_in_a_setlist_is_told_with_its_line(tmp_path, text, words):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(StruckError, match=words):
        load_setlist(path)


def test_scenes_that_ask_for_what_there_is_not_are_refused():
    def find(name):
        raise StruckError(f"no patch is called {name}")

    with pytest.raises(StruckError, match="setlist, song S, snapshot a: no patch is called x"):
        check_scenes([Scene("S", "a", "x")], find)
    with pytest.raises(StruckError, match="no control is called wobble"):
        check_scenes([Scene("S", "a", controls={"wobble": 1.0})], find)
    with pytest.raises(StruckError, match=r"decay is 99; the range is 0\.1 to 10"):
        check_scenes([Scene("S", "a", controls={"decay": 99.0})], find)


def test_a_show_goes_forward_and_back_and_stays_at_its_ends():
    entered, told, go, begun = [], [], threading.Event(), threading.Event()

    def enter(scene):
        begun.set()
        assert go.wait(30.0)
        entered.append(scene.name)

    show = Show([Scene("S", name) for name in "abc"], enter, told.append)
    show.step(1)
    assert begun.wait(30.0)
    for count in (1, 1, 1, 1, -1):  # of several the last counts
        show.step(count)
    go.set()
    show.close()
    assert entered == ["a", "b"]
    assert told == ["S: a", "S: b"]


class FakeInserts:
    """One insert, as :class:`~struck.realtime.host.inserts.Inserts` shows it to snapshots."""

    def __init__(self):
        self.stands = {("a/b", "decay"): 1.0, ("a/b", "mode"): 0.0, ("a/b", "wet"): 1.0}
        self.turned = lambda *change: None

    def values(self):
        return dict(self.stands)

    def scale(self, insert, symbol):
        return {"decay": "log", "mode": "integer", "wet": "linear"}[symbol]

    def set_parameter(self, insert, symbol, value):
        if (insert, symbol) not in self.stands:
            raise ValueError("no such insert")
        self.stands[insert, symbol] = value
        self.turned("control", f"insert/{insert}/{symbol}", value)


@pytest.fixture
def with_inserts():
    stage, inserts, now = FakeStage(), FakeInserts(), [0.0]
    turned = Turned(stage, inserts)
    snapshots = Snapshots(turned, lambda: 0.05, lambda: ("insert/a/b/wet",), lambda: now[0], turned.between)
    inserts.turned = stage.watch = snapshots.watch
    yield stage, inserts, snapshots, now
    snapshots.close()


def test_parameters_of_inserts_are_kept_recalled_and_taken_back(with_inserts):
    stage, inserts, snapshots, now = with_inserts
    snapshots.save(1)
    now[0] = 1.0
    inserts.set_parameter("a/b", "decay", 4.0)
    inserts.set_parameter("a/b", "wet", 0.5)
    now[0] = 2.0
    stage.set_control("decay", 2.0)
    snapshots.recall(1)
    assert inserts.stands == {("a/b", "decay"): 1.0, ("a/b", "mode"): 0.0, ("a/b", "wet"): 0.5}  # wet is safe
    assert stage.values["decay"] == 1.0
    snapshots.undo()
    assert inserts.stands["a/b", "decay"] == 4.0
    snapshots.undo()
    snapshots.undo()
    assert inserts.stands == {("a/b", "decay"): 1.0, ("a/b", "mode"): 0.0, ("a/b", "wet"): 1.0}


def test_parameters_of_inserts_go_their_own_ways(with_inserts):
    snapshots = with_inserts[2]
    turned = snapshots._stage
    assert turned.between("insert/a/b/decay", 1.0, 4.0, 0.5) == pytest.approx(2.0)
    assert turned.between("insert/a/b/wet", 1.0, 0.0, 0.25) == 0.75
    assert [turned.between("insert/a/b/mode", 0.0, 3.0, share) for share in (0.4, 0.5)] == [0.0, 3.0]
    assert turned.between("transpose", 0.0, 12.0, 0.25) == 3.0


def test_an_insert_that_has_gone_is_left_out_and_new_ones_are_followed(with_inserts):
    stage, inserts, snapshots, now = with_inserts
    inserts.stands["a/b", "decay"] = 3.0
    snapshots.save(1)
    inserts.stands = {("c", "wet"): 0.25}
    snapshots.follow_inserts()
    snapshots.recall(1)
    now[0] = 1.0
    inserts.set_parameter("c", "wet", 1.0)
    snapshots.undo()
    assert inserts.stands == {("c", "wet"): 0.25}
    assert stage.lines == ["snapshot 1 saved"]
