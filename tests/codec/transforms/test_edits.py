"""Edits: what they change, what they leave, and that a seed says it all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, StreamItem, in_stream_order, item_seconds
from struck.codec.events.event_spec import FIELDS, INDEX, ROOM_COUNT, ROOM_NAMES, VECTOR_SIZE, to_physical
from struck.codec.events.events import Event, stack_gains, stack_vectors
from struck.codec.transforms.edits import (
    Edit,
    apply_edits,
    perturb,
    randomize_times,
    randomize_vectors,
    set_room,
    stretch,
    thin,
    transpose,
)


def make_events(count: int = 50, spread: float = 0.4) -> list[Event]:
    rng = np.random.default_rng(0)
    vectors = rng.uniform(-spread, spread, (count, VECTOR_SIZE))
    return [Event(0.1 * i, -float(i % 80), vector) for i, vector in enumerate(vectors)]


def physical(events: list[Event], name: str) -> np.ndarray:
    i = INDEX[name]
    return np.array([to_physical(FIELDS[i], float(event.vector[i])) for event in events])


def onsets(events: list[Event]) -> list[float]:
    return [event.onset_seconds for event in events]


def changed_fields(before: list[Event], after: list[Event]) -> set[str]:
    differs = np.any(stack_vectors(before) != stack_vectors(after), axis=0)
    return {field.name for field, changed in zip(FIELDS, differs, strict=True) if changed}


@pytest.mark.parametrize("semitones", [-7.0, 0.5, 12.0])
def test_transpose_moves_only_the_pitch(semitones: float) -> None:
    before = make_events()
    after = list(transpose(before, semitones))
    assert physical(after, "pitch") == pytest.approx(physical(before, "pitch") + semitones, abs=1e-4)
    assert changed_fields(before, after) == {"pitch"}
    assert onsets(after) == onsets(before)


def test_transpose_stops_at_the_ends() -> None:
    assert np.all(physical(list(transpose(make_events(), 120.0)), "pitch") == 132.0)


def test_stretch_scales_every_time() -> None:
    before = make_events()
    after = list(stretch(before, 1.5))
    assert onsets(after) == pytest.approx([1.5 * t for t in onsets(before)])
    times = {"glide_time", "attack", "hold", "release", "decay", "noise_decay"}
    assert changed_fields(before, after) == times
    for name in times:
        assert physical(after, name) == pytest.approx(1.5 * physical(before, name), rel=1e-4)


def test_thin_keeps_what_is_near_the_loudest() -> None:
    after = thin(make_events(), 10.0)
    assert stack_gains(after).tolist() == [-float(i) for i in range(11)]
    assert thin([], 10.0) == []


@pytest.mark.parametrize("room", range(ROOM_COUNT))
def test_rooms_by_name_and_number(room: int) -> None:
    before = make_events(3)
    by_name = list(set_room(before, ROOM_NAMES[room], 0.5))
    assert by_name == list(set_room(before, room, 0.5)) == list(set_room(before, str(room), 0.5))
    assert physical(by_name, "room") == pytest.approx(room, abs=1e-5)
    assert physical(by_name, "room_mix") == pytest.approx(0.5, abs=1e-6)
    assert changed_fields(before, by_name) == {"room", "room_mix"}


def test_random_vectors_keep_times_and_gains() -> None:
    before = make_events()
    after = list(randomize_vectors(before, 1))
    assert onsets(after) == onsets(before)
    assert np.array_equal(stack_gains(after), stack_gains(before))
    assert changed_fields(before, after) == {field.name for field in FIELDS}
    assert np.abs(stack_vectors(after)).max() > 0.95  # the whole range is used


def test_random_times_keep_vectors_and_span() -> None:
    before = make_events()
    after = randomize_times(before, 1)
    assert onsets(after) == sorted(onsets(after)) != onsets(before)
    assert onsets(after)[0] >= onsets(before)[0]
    assert onsets(after)[-1] <= onsets(before)[-1]
    assert {e.vector.tobytes() for e in after} == {e.vector.tobytes() for e in before}


def test_perturb_has_the_given_size() -> None:
    before = make_events(400)
    after = list(perturb(before, 0.1, 2))
    assert np.std(stack_vectors(after) - stack_vectors(before)) == pytest.approx(0.1, rel=0.05)
    assert np.abs(stack_vectors(list(perturb(before, 2.0, 2)))).max() == 1.0


@pytest.mark.parametrize(
    "edit",
    [lambda e, s: list(randomize_vectors(e, s)), randomize_times, lambda e, s: list(perturb(e, 0.1, s))],
)
def test_a_seed_says_it_all(edit: Callable[[list[Event], int], list[Event]]) -> None:
    events = make_events()
    assert edit(events, 5) == edit(events, 5) != edit(events, 6)


def test_the_default_edit_changes_nothing() -> None:
    assert list(apply_edits(make_events(), Edit())) == make_events()


def test_an_edit_does_all_it_is_asked() -> None:
    edit = Edit(12.0, 2.0, 20.0, "hall", 1.0, seed=3, randomize_times=True, perturb=0.01)
    after = list(apply_edits(make_events(), edit))
    assert len(after) == 21
    assert edit == dataclasses.replace(edit)
    assert after == list(apply_edits(iter(make_events()), edit))
    assert physical(after, "room") == pytest.approx(3.0)
    assert physical(after, "room_mix") == pytest.approx(1.0)
    assert onsets(after)[-1] > 2.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"transpose_semitones": 121.0}, "semitones is 121.0; the range is -120 to 120"),
        ({"transpose_semitones": float("nan")}, "semitones is nan"),
        ({"stretch": 0.0}, "stretch is 0.0; the range is 0.015625 to 64"),
        ({"thin_db": -1.0}, "thin is -1.0"),
        ({"room": "cave"}, "no room 'cave'; there are box, room, chamber, hall"),
        ({"room": 4}, "no room 4"),
        ({"room_mix": 1.5}, "room mix is 1.5; the range is 0 to 1"),
        ({"perturb": 3.0}, "perturb is 3.0"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_values_out_of_range_are_named(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Edit(**wrong)


# ---- amendments and ends go with their events ----------------------------------------------------------


def make_stream() -> list[StreamItem]:
    """Two sounds with bends, a third of which is heard only later, and an event without a name."""
    bend = Amendment.of_fields(1, 0.6, {"pitch": 61.0, "hold": 1.0}, gain_db=-10.0)
    return in_stream_order(
        [
            *(replace(event, id=id) for id, event in enumerate(make_events(3))),
            bend,
            Amendment(0, 0.3, -50.0),
            Amendment(2, 0.4, 6.0),
            End(1, 0.9),
            Event(0.05, -30.0, np.zeros(VECTOR_SIZE)),
        ]
    )


def of_id(items: Iterable[StreamItem], id: int) -> list[StreamItem]:
    return [item for item in items if item.id == id]


EDITS: list[Callable[[Iterable[StreamItem]], Iterable[StreamItem]]] = [
    lambda items: transpose(items, 2.0),
    lambda items: stretch(items, 2.0),
    lambda items: thin(items, 200.0),
    lambda items: set_room(items, "hall", 0.5),
    lambda items: randomize_vectors(items, 1),
    lambda items: randomize_times(items, 1),
    lambda items: perturb(items, 0.1, 1),
]


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_keeps_a_stream_a_stream(edit) -> None:
    before = make_stream()
    after = list(edit(iter(before)))
    assert after == in_stream_order(after)
    for id in range(3):
        kinds = [type(item) for item in of_id(before, id)]
        assert [type(item) for item in of_id(after, id)] == kinds
    (bend,) = [item for item in of_id(after, 1) if isinstance(item, Amendment)]
    assert bend.fields == ("pitch", "hold")
    assert bend.gain_db == -10.0


def test_a_transposed_bend_ends_higher_too() -> None:
    _, bend, _ = of_id(transpose(make_stream(), 2.0), 1)
    assert isinstance(bend, Amendment)
    assert to_physical(FIELDS[INDEX["pitch"]], float(bend.vector[INDEX["pitch"]])) == pytest.approx(63.0)


def test_stretched_amendments_come_later_and_their_times_are_longer() -> None:
    _, bend, end = of_id(stretch(make_stream(), 2.0), 1)
    assert isinstance(bend, Amendment)
    assert (bend.at_seconds, end.at_seconds) == (1.2, 1.8)
    assert to_physical(FIELDS[INDEX["hold"]], float(bend.vector[INDEX["hold"]])) == pytest.approx(
        2.0, rel=1e-4
    )


def test_thinning_hears_the_loudest_of_a_life_and_takes_all_of_it() -> None:
    after = thin(make_stream(), 15.0)  # 2 swells to 6 dB, 1 to -1 dB at its onset; 0 begins at 0 dB
    assert of_id(after, 2) == of_id(make_stream(), 2)
    after = thin(make_stream(), 6.5)
    assert {item.id for item in after} == {0, 2}


@pytest.mark.parametrize("edit", [lambda items: randomize_vectors(items, 1), lambda i: perturb(i, 0.2, 1)])
def test_what_shifts_an_event_shifts_its_amendments_as_far(edit) -> None:
    before = [
        Event(0.0, -20.0, np.zeros(VECTOR_SIZE), 1),
        Amendment(1, 0.5, None, np.full(VECTOR_SIZE, 0.01)),
    ]
    event, amendment = edit(before)
    inside = np.abs(event.vector) < 0.95
    assert inside.sum() > 20
    assert (amendment.vector - event.vector)[inside] == pytest.approx(0.01, abs=1e-6)


def test_a_life_moves_with_its_onset() -> None:
    before, after = make_stream(), randomize_times(make_stream(), 3)
    old, new = of_id(before, 1), of_id(after, 1)
    shift = item_seconds(new[0]) - item_seconds(old[0])
    assert shift != 0.0
    assert [item_seconds(item) - shift for item in new] == pytest.approx([item_seconds(item) for item in old])


def test_amendments_say_no_more_of_a_room_than_before() -> None:
    room = Amendment.of_fields(0, 0.2, {"room": 0.0})
    event, amended = set_room([Event(0.0, -20.0, np.zeros(VECTOR_SIZE), 0), room], "hall", 0.5)
    assert amended.fields == ("room",)
    assert amended.vector[INDEX["room"]] == event.vector[INDEX["room"]] == 1.0
