"""What a take file says of itself: its channels, its header, the hash of the table of fields.

``docs/take_format.md`` describes the whole format.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from typing import Any, Final, Self

from ..events.errors import StruckError
from ..events.event_spec import ANALYSIS_RATE, FIELDS, GAIN_DB_HIGH, GAIN_DB_LOW
from ..events.quantize import GAIN_STEP_DB
from ..weights.codec_weights import CodecWeights

FORMAT_VERSION: Final = 2
HEADER_METADATA: Final = "struck.header"
END_METADATA: Final = "struck.end"
#: Numbers of what the whole take holds that its end may tell, so that a loss is noticed.
COUNTED: Final = ("events", "amendments", "ends")
#: Header and end are small; longer claims are not read.
_MAX_JSON_CHARACTERS: Final = 65_536


@dataclass(frozen=True)
class ChannelSpec:
    """One MCAP channel of a take: its encoding, its schema, and in words what a message is."""

    encoding: str
    schema_name: str
    schema_encoding: str
    schema: str


def spec_text() -> str:
    """The table of fields as it is stored in every take, so that its numbers can always be read."""
    lines = [f"onset samples {ANALYSIS_RATE}", f"gain dB {GAIN_DB_LOW} {GAIN_DB_HIGH} step {GAIN_STEP_DB}"]
    lines += [f"{f.name},{f.scale},{f.low},{f.high},{f.unit},{f.bits}" for f in FIELDS]
    return "\n".join(lines)


def spec_hash() -> str:
    """First 16 hexadecimal digits of the SHA-256 of :func:`spec_text`."""
    return hashlib.sha256(spec_text().encode()).hexdigest()[:16]


def _json_schema(title: str, required: str) -> str:
    return json.dumps(
        {
            "title": title,
            "type": "object",
            "properties": {required: {"type": "string"}},
            "required": [required],
        }
    )


CHANNELS: Final[dict[str, ChannelSpec]] = {
    "/events": ChannelSpec("struck-events", "struck.EventPacket", "struck-fields", spec_text()),
    "/midi": ChannelSpec("midi", "struck.Midi", "text", "one MIDI message, as its bytes on the wire"),
    "/osc": ChannelSpec("osc", "struck.Osc", "text", "one OSC packet, as its bytes on the wire"),
    "/patch": ChannelSpec("json", "struck.Patch", "jsonschema", _json_schema("a patch change", "patch")),
    "/marks": ChannelSpec("json", "struck.Mark", "jsonschema", _json_schema("a mark", "kind")),
}


@dataclass(frozen=True)
class TakeHeader:
    """What is known of a take before its first event.

    Raises:
        ValueError: ``analysis_rate`` is not positive.
    """

    profile: str
    weights_name: str
    weights_hash: str
    source: str = ""
    analysis_rate: int = ANALYSIS_RATE
    exact: bool = False
    struck_version: str = field(default_factory=lambda: version("struck"))
    format_version: int = FORMAT_VERSION
    spec_hash: str = field(default_factory=spec_hash)

    def __post_init__(self) -> None:
        if self.analysis_rate <= 0:
            raise ValueError(f"analysis_rate is {self.analysis_rate}; it must be positive")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], name: str) -> Self:
        """Header from JSON values; keys it does not know are ignored, as later versions may add some.

        Args:
            name: of the file, for messages.

        Raises:
            StruckError: the take is of a newer version or another table of fields, or a value is missing.
        """
        newest = values.get("format_version")
        if type(newest) is not int or newest < 1:
            raise StruckError(f"{name}: the take header has no valid format version")
        if newest > FORMAT_VERSION:
            raise StruckError(
                f"{name} was written by a newer struck: its format is version {newest}, this one reads "
                f"up to {FORMAT_VERSION}"
            )
        known: dict[str, Any] = {}
        for item in fields(cls):
            value = values.get(item.name)
            kind = {"int": int, "bool": bool, "str": str}[str(item.type)]
            if type(value) is not kind:
                raise StruckError(f"{name}: the take header lacks {item.name}, or it is not {item.type}")
            known[item.name] = value
        if known["spec_hash"] != spec_hash():
            raise StruckError(
                f"{name} was written with another table of event fields ({known['spec_hash']}; "
                f"this struck has {spec_hash()})"
            )
        try:
            return cls(**known)
        except ValueError as error:
            raise StruckError(f"{name}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def check_weights(self, weights: CodecWeights, name: str) -> None:
        """Refuse weights other than those the take was made with.

        Args:
            name: of the take, for messages.

        Raises:
            StruckError: the hashes differ.
        """
        if weights.decoder_hash != self.weights_hash:
            raise StruckError(
                f"{name} was made with the weights {self.weights_name} ({self.weights_hash}), "
                f"not with {weights.name} ({weights.decoder_hash})"
            )


def seal_json(values: Mapping[str, Any]) -> dict[str, str]:
    """An MCAP metadata map of JSON with its CRC-32, which MCAP itself does not give to metadata."""
    text = json.dumps(values, allow_nan=False)
    return {"json": text, "crc32": f"{zlib.crc32(text.encode()):08x}"}


def unseal_json(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Values of :func:`seal_json`'s map.

    Raises:
        ValueError: the map is not one, or its text fails the CRC.
    """
    text = metadata.get("json", "")
    if len(text) > _MAX_JSON_CHARACTERS or f"{zlib.crc32(text.encode()):08x}" != metadata.get("crc32"):
        raise ValueError("its CRC does not fit")
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deep") from error
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    return values
