"""Learning while playing: what was learned turns its target, is kept, comes back, and can be unlearned."""

import pytest

from struck.codec.events.errors import StruckError
from struck.patches.map_file import load_map
from struck.realtime.host.learning import Learning
from struck.realtime.mapping.mapper import Mapper
from struck.realtime.mapping.targets import Targets


class Stage:
    def __init__(self):
        self.values = {"decay": 1.0, "room": 0.0}

    def controls(self):
        return dict(self.values)

    def set_control(self, name, value):
        self.values[name] = value

    def set_insert(self, insert, parameter, value):
        pass


class Show:
    """A performance with so many inputs that learn into one folder."""

    def __init__(self, folder, ports=("keys",)):
        self.stage, self.lines = Stage(), []
        self.learning = Learning(self.lines.append, folder)
        self.mappers = []
        for port in ports:
            mapper = Mapper(Targets(self.stage, {}), self.lines.append)
            self.learning.add(port, mapper, mapper.change)
            self.mappers.append(mapper)

    def turn(self, controller, *values, port=0):
        for value in values:
            self.mappers[port].receive(bytes((0xB0, controller, value)))


def test_the_next_controller_that_moves_turns_it(tmp_path):
    show = Show(tmp_path)
    show.learning.learn("decay")
    assert show.learning.state()["target"] == "decay"
    show.turn(21, 0, 30, 64)
    state = show.learning.state()
    assert state["target"] is None
    assert state["learned"] == [["decay", "cc 21"]]
    assert state["seen"] == ["cc 21 64"]
    show.turn(21, 0, 64, 127)
    assert show.stage.values["decay"] == pytest.approx(10.0)
    assert "learned: cc 21 turns decay" in show.lines


def test_what_was_learned_is_kept_for_its_input_and_comes_back(tmp_path):
    show = Show(tmp_path)
    show.learning.learn("decay")
    show.turn(21, 0, 64)
    (path,) = tmp_path.iterdir()
    assert load_map(path).port == "keys"
    again = Show(tmp_path)
    again.turn(21, 0, 64, 127)
    assert again.stage.values["decay"] == pytest.approx(10.0)
    other = Show(tmp_path, ("pads",))
    other.turn(21, 0, 64, 127)
    assert other.stage.values["decay"] == 1.0


def test_what_is_unlearned_turns_nothing_any_more(tmp_path):
    show = Show(tmp_path)
    show.learning.learn("decay")
    show.turn(21, 0, 64)
    show.learning.unlearn("decay")
    assert show.learning.state()["learned"] == []
    show.turn(21, 0, 127)
    assert show.stage.values["decay"] == 1.0
    assert Show(tmp_path).learning.state()["learned"] == []


def test_of_two_inputs_the_one_that_moves_learns(tmp_path):
    show = Show(tmp_path, ("keys", "pads"))
    show.learning.learn("decay")
    show.turn(9, 0, 64, port=1)
    assert show.learning.state()["target"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["learned-pads.toml"]


def test_learning_is_stopped_and_mistakes_are_told(tmp_path):
    show = Show(tmp_path)
    with pytest.raises(StruckError, match="nothing is called nothing"):
        show.learning.learn("nothing")
    with pytest.raises(StruckError, match="no MIDI input"):
        Show(tmp_path, ()).learning.learn("decay")
    show.learning.learn("decay")
    show.learning.learn("")
    assert show.learning.state()["target"] is None
    show.turn(21, 0, 127)
    assert show.learning.state()["learned"] == []


def test_a_file_that_is_broken_is_left_out_and_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "learned-keys.toml").write_text("format = 9\n")
    show = Show(tmp_path)
    assert "left out" in show.lines[0]
    (tmp_path / "blocked").write_text("")
    show = Show(tmp_path / "blocked")
    show.learning.learn("decay")
    show.turn(21, 0, 64)
    assert any("is not kept" in line for line in show.lines)
