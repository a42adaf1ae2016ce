"""Hearing that is short of time: refits go first, then the search for new events; both come back."""

from struck.codec.hearing.following.follower import MOST_REFITTED
from struck.realtime.stage.effort import Effort

COMPUTE_SECONDS = 0.010


class Hearing:
    refit_limit = MOST_REFITTED
    searches = True


def effort():
    hearing = Hearing()
    return hearing, Effort(hearing, COMPUTE_SECONDS)


def test_in_time_everything_is_done():
    hearing, control = effort()
    for _ in range(100):
        control.choose(0.002)
        assert (hearing.refit_limit, hearing.searches) == (MOST_REFITTED, True)
        control.learn(0.004)


def test_a_piece_that_comes_late_is_not_refitted():
    hearing, control = effort()
    control.choose(0.0)
    control.learn(0.005)
    control.choose(0.006)
    assert (hearing.refit_limit, hearing.searches) == (0, True)
    control.choose(0.001)
    assert hearing.refit_limit == MOST_REFITTED


def test_pieces_that_take_long_are_refitted_less_until_they_do_not():
    hearing, control = effort()
    base, each = 0.002, 0.001  # all refits would take 18 ms
    taken = []
    for _ in range(2_000):
        control.choose(0.001)
        taken.append(base + each * hearing.refit_limit)
        control.learn(taken[-1])
    assert max(taken[200:]) < COMPUTE_SECONDS  # never late for a refit again
    assert sum(taken[1_000:]) / 1_000 > 0.35 * COMPUTE_SECONDS  # nor idle
    for _ in range(2_000):  # a faster machine
        control.choose(0.001)
        control.learn(0.002)
    assert hearing.refit_limit == MOST_REFITTED


def test_far_behind_nothing_new_is_searched_for():
    hearing, control = effort()
    control.choose(0.5)
    assert (hearing.refit_limit, hearing.searches) == (0, False)
    control.choose(0.0)
    assert hearing.searches


def test_who_is_given_long_is_in_time_for_long():
    hearing = Hearing()
    Effort(hearing, 1.0).choose(0.9)
    assert (hearing.refit_limit, hearing.searches) == (MOST_REFITTED, True)
