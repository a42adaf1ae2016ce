"""docs/take_format.md says what the code does."""

import pytest

from struck.codec.takes.format import CHANNELS, FORMAT_VERSION, TakeHeader
from struck.realtime.docs.take_docs import DOCS_PATH, with_tables

PAGE = DOCS_PATH.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code():
    assert with_tables(PAGE) == PAGE, "run: python -m struck.realtime.docs.take_docs"


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="lacks the marks"):
        with_tables("# The take format")


def test_it_is_of_this_version_with_every_channel_and_key_of_the_header():
    assert f"version {FORMAT_VERSION}" in PAGE.splitlines()[0]
    for channel in CHANNELS:
        assert f"| `{channel}` |" in PAGE
    for key in TakeHeader("studio", "codec", "0" * 16).to_dict():
        assert f"`{key}`" in PAGE
