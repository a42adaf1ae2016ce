"""Imports point one way: codec <- models <- realtime; patches is data and inserts."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: What the modules of each folder may import of struck.
ALLOWED = {
    "codec": {"codec"},
    "models": {"codec", "models"},
    "patches": {"codec", "patches"},
    "realtime": {"codec", "models", "patches", "realtime"},
}
#: Playing a take needs no torch.
FORBIDDEN_OUTSIDE = {"codec": {"torch"}, "patches": {"torch"}}


def imported_names(path: Path, package: list[str]) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of every import, wherever it stands, in a module of ``package``."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield node.lineno, ".".join([*stem, alias.name])


def upward_arrows(root: Path) -> list[str]:
    """Every import under ``root`` that points the wrong way, as ``file:line imports name``.

    Folders without ``__init__.py`` (patches/demo) hold programs that use the package, not modules of it.
    """
    found = []
    for folder, allowed in ALLOWED.items():
        for path in sorted((root / folder).rglob("*.py")):
            if not (path.parent / "__init__.py").exists():
                continue
            package = ["struck", *path.parent.relative_to(root).parts]
            for line, name in imported_names(path, package):
                parts = name.split(".")
                upward = parts[0] == "struck" and (len(parts) < 2 or parts[1] not in allowed)
                if upward or parts[0] in FORBIDDEN_OUTSIDE.get(folder, ()):
                    found.append(f"{path.relative_to(root)}:{line} imports {name}")
    return found


def test_no_arrow_points_upward():
    assert upward_arrows(ROOT) == []


def test_every_folder_is_seen():
    for folder in ALLOWED:
        assert (ROOT / folder / "__init__.py").exists()


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("codec", "from ..models import default_codec_weights_path"),
        ("codec", "from .. import realtime"),
        ("codec", "import struck.realtime.cli"),
        ("codec", "import torch.nn as nn"),
        ("codec", "def f():\n    from torch import nn"),
        ("models", "from ..realtime.pipeline import encode_file"),
        ("patches", "from struck.realtime import cli"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path, folder, line):
    for name in ALLOWED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    assert upward_arrows(tmp_path) == []
    (tmp_path / folder / "planted.py").write_text(line + "\n")
    (found,) = upward_arrows(tmp_path)
    assert found.startswith(f"{folder}/planted.py:")


def test_allowed_imports_pass(tmp_path):
    for name in ALLOWED:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "realtime" / "a.py").write_text("from ..models.x import y\nfrom .b import c\nimport numpy\n")
    (tmp_path / "models" / "a.py").write_text("import torch\nfrom ..codec import events\n")
    assert upward_arrows(tmp_path) == []
