"""The table of fields: every field there and back, ends and middles."""

from pathlib import Path

import numpy as np
import pytest

from struck.codec.events.event_spec import (
    AMENDED_WAYS,
    FIELDS,
    INDEX,
    LATENTS,
    VECTOR_SIZE,
    from_physical,
    to_physical,
)


def test_the_table_is_whole():
    assert VECTOR_SIZE == 32 == len(INDEX)
    assert [FIELDS[i].scale for i in LATENTS] == ["latent"] * len(LATENTS)
    assert all(2 <= field.bits <= 16 for field in FIELDS)


def test_the_docs_say_of_each_field_how_an_amendment_reaches_it():
    assert {field.amended for field in FIELDS} == set(AMENDED_WAYS)
    docs = (Path(__file__).parents[3] / "docs" / "codec.md").read_text()
    for way, meaning in AMENDED_WAYS.items():
        names = ", ".join(f"`{field.name}`" for field in FIELDS if field.amended == way)
        assert f"| {names} | {meaning} |" in docs


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_there_and_back(field):
    for v in np.linspace(-0.999, 0.999, 41):
        assert from_physical(field, to_physical(field, float(v))) == pytest.approx(v, abs=1e-6)
    values = [to_physical(field, float(v)) for v in np.linspace(-1, 1, 41)]
    assert np.all(np.diff(values) > 0)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_values_outside_land_on_the_ends(field):
    assert from_physical(field, 1e9) == pytest.approx(1.0, abs=1e-6)
    low = from_physical(field, -1e9)
    assert low == pytest.approx(-1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "v", "value"),
    [("pitch", 0.0, 72.0), ("glide", -1.0, -6.0), ("attack", -1.0, 0.001), ("decay", 1.0, 40.0),
     ("noisiness", 0.0, 0.5), ("room_mix", 0.0, 0.25), ("stiffness", -1.0, 0.0), ("room", 1.0, 3.0)],
)  # fmt: skip
def test_known_values(name, v, value):
    assert to_physical(FIELDS[INDEX[name]], v) == pytest.approx(value)


def test_torch_passes_too():
    torch = pytest.importorskip("torch")
    v = torch.linspace(-1, 1, 9, dtype=torch.float64)
    for field in FIELDS:
        assert np.allclose(to_physical(field, v).numpy(), to_physical(field, v.numpy()))
