"""The audio thread allocates nothing."""

import pytest
from numba import config

from ...allocations import run_counting


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler nothing is counted")
def test_ten_thousand_blocks_of_the_callback_allocate_nothing():
    control, blocks = run_counting("tests.realtime.engine.count_allocations")
    assert control == 10_000  # the count does count
    assert blocks == 0
