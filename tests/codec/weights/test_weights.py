"""Weights files: round trip, hash, and files that are not weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from struck.codec.events.controls import make_initial_timbre_weights
from struck.codec.events.errors import StruckError
from struck.codec.weights.codec_weights import load_codec_weights, save_codec_weights


def test_round_trip(tmp_path: Path) -> None:
    decoder = make_initial_timbre_weights(0)
    encoder = {"front.w": np.arange(6, dtype=np.float32).reshape(2, 3)}
    save_codec_weights(tmp_path / "mine.safetensors", decoder, encoder)
    weights = load_codec_weights(tmp_path / "mine.safetensors")
    assert weights.name == "mine"
    assert {k: v.tolist() for k, v in weights.encoder.items()} == {"front.w": [[0, 1, 2], [3, 4, 5]]}
    assert set(weights.decoder) == set(decoder)
    assert all(np.array_equal(weights.decoder[k], decoder[k]) for k in decoder)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.safetensors"]


def test_short_windows_may_have_an_event_network_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    encoder, short = ({"x": np.full(2, value, np.float32)} for value in (1.0, 2.0))
    save_codec_weights(path, make_initial_timbre_weights(0), encoder)
    weights = load_codec_weights(path)
    assert [weights.event_network(n)["x"][0] for n in (2048, 1024, 512)] == [1.0, 1.0, 1.0]
    save_codec_weights(path, make_initial_timbre_weights(0), encoder, short)
    weights = load_codec_weights(path)
    assert [weights.event_network(n)["x"][0] for n in (2048, 1024, 512)] == [1.0, 1.0, 2.0]
    assert [weights.event_network(n, together=True)["x"][0] for n in (2048, 512)] == [2.0, 2.0]


def test_hash_names_the_decoder_alone(tmp_path: Path) -> None:
    decoder = make_initial_timbre_weights(0)
    save_codec_weights(tmp_path / "a.safetensors", decoder, {})
    save_codec_weights(tmp_path / "b.safetensors", decoder, {"x": np.ones(1, np.float32)})
    changed = {**decoder, "timbre.b1": decoder["timbre.b1"] + 1.0}
    save_codec_weights(tmp_path / "c.safetensors", changed, {})
    a, b, c = (load_codec_weights(tmp_path / f"{name}.safetensors").decoder_hash for name in "abc")
    assert len(a) == 16
    assert a == b
    assert a != c


@pytest.mark.parametrize("content", [b"", b"text\n" * 20, b"\xff" * 64])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(StruckError, match="not a readable safetensors file"):
        load_codec_weights(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StruckError, match="not found"):
        load_codec_weights(tmp_path / "none.safetensors")


def test_missing_misshapen_or_infinite_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    decoder = make_initial_timbre_weights(0)
    without = {k: v for k, v in decoder.items() if k != "timbre.b3"}
    for broken in (without, {**decoder, "timbre.b3": np.zeros(3, np.float32)}):
        save_codec_weights(path, broken, {})
        with pytest.raises(StruckError, match=r"timbre\.b3"):
            load_codec_weights(path)
    save_codec_weights(path, {**decoder, "timbre.b3": np.full_like(decoder["timbre.b3"], np.inf)}, {})
    with pytest.raises(StruckError, match="not finite"):
        load_codec_weights(path)
