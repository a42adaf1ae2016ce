"""Imports point one way: from room to room downward only, and in no circle."""

import ast
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: The rooms from the ground up; a module may import what stands in its own room or in one before it.
#: The name of a room alone (``models``) means the modules that stand in no room inside it; a top folder's
#: ``__init__.py`` is its public face, a room of its own above all others of that folder.
ROOMS = (
    "codec/events",
    "codec/transforms",
    "codec/files",
    "codec/weights",
    "codec/kernels",
    "codec/playing",
    "codec/packets",
    "codec/takes",
    "codec/hearing",
    "codec/hearing/refit",
    "codec/hearing/amending",
    "codec/hearing/joint",
    "codec/hearing/following",
    "codec/measures",
    "codec",
    "codec/__init__.py",
    "models",
    "models/codec",
    "models/mars/sound",
    "models/mars/players",
    "models/mars",
    "models/evaluation/notes",
    "models/evaluation/phrases",
    "models/evaluation",
    "models/__init__.py",
    "patches",
    "patches/__init__.py",
    "realtime/engine",
    "realtime/screen",
    "realtime/demo",
    "realtime/devices",
    "realtime/recording",
    "realtime/stage",
    "realtime/mapping",
    "realtime/midi",
    "realtime/osc",
    "realtime/tempo",
    "realtime/phrases",
    "realtime/inserts/plugins",
    "realtime/inserts/lv2",
    "realtime/inserts/pyo",
    "realtime/inserts/vst3",
    "realtime/inserts/hosts",
    "realtime/inserts/instruments",
    "realtime/inserts/rack",
    "realtime/inserts/runner",
    "realtime/inserts/synthesisers",
    "realtime/inserts",
    "realtime/control",
    "realtime/host",
    "realtime/bench",
    "realtime/commands",
    "realtime/docs",
    "realtime/__init__.py",
)
TOP = ("codec", "models", "patches", "realtime")
#: Playing a take and hearing one need no torch; patches are data.
FORBIDDEN = {"codec": {"torch"}, "patches": {"torch"}}
#: A room is a folder that can be seen at a glance.
MOST_FILES = 16


@cache
def imported_names(text: str, package: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """Line and absolute dotted name of every import, wherever it stands, in a module of ``package``."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = [*base, *(node.module.split(".") if node.module else [])]
            found += [(node.lineno, ".".join([*stem, alias.name])) for alias in node.names]
    return tuple(found)


def room_of(path: Path, root: Path) -> str:
    """The room in which a module stands."""
    place = path.relative_to(root)
    is_face = place.name == "__init__.py" and len(place.parts) == 2
    return place.as_posix() if is_face else place.parent.as_posix()


def modules_of(root: Path) -> Iterator[tuple[Path, str]]:
    """Every module under ``root`` and the room it stands in."""
    for top in TOP:
        for path in sorted((root / top).rglob("*.py")):
            yield path, room_of(path, root)


def imports_of(path: Path, root: Path) -> tuple[tuple[int, str], ...]:
    """Line and absolute dotted name of every import in a module under ``root``."""
    return imported_names(path.read_text(), ("struck", *path.parent.relative_to(root).parts))


def target_of(name: str, root: Path, known: set[Path]) -> Path | None:
    """The file among those known that holds what an import's dotted name means; None where it is not ours."""
    parts = name.split(".")
    if parts[0] != "struck":
        return None
    for count in range(len(parts), 1, -1):
        stem = root.joinpath(*parts[1:count])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path in known:
                return path
    raise AssertionError(f"{name} is imported and is not there")


def arrows(root: Path) -> Iterator[tuple[Path, str, int, str, Path]]:
    """Every import of ours: file, its room, line, name, and the file that is imported."""
    modules = list(modules_of(root))
    known = {path for path, _ in modules}
    for path, room in modules:
        for line, name in imports_of(path, root):
            target = target_of(name, root, known)
            if target is not None:
                yield path, room, line, name, target


def upward_arrows(root: Path) -> list[str]:
    """Every import under ``root`` that points the wrong way, as ``file:line imports name``."""
    found = []
    for path, room, line, name, target in arrows(root):
        if ROOMS.index(room_of(target, root)) > ROOMS.index(room):
            found.append(f"{path.relative_to(root)}:{line} imports {name}")
    for path, room in modules_of(root):
        for line, name in imports_of(path, root):
            if name.split(".")[0] in FORBIDDEN.get(room.split("/")[0], ()):
                found.append(f"{path.relative_to(root)}:{line} imports {name}")
    return found


def circles(root: Path) -> list[list[str]]:
    """Files that import one another in a circle, one list for each circle found."""
    imports: dict[Path, set[Path]] = {}
    for path, _, _, _, target in arrows(root):
        if target != path:
            imports.setdefault(path, set()).add(target)
    found, done = [], set()

    def visit(path: Path, trail: list[Path]) -> None:
        if path in trail:
            circle = trail[trail.index(path) :]
            found.append([p.relative_to(root).as_posix() for p in circle])
        elif path not in done:
            for target in sorted(imports.get(path, ())):
                visit(target, [*trail, path])
            done.add(path)

    for path in sorted(imports):
        visit(path, [])
    return found


def test_no_arrow_points_upward():
    assert upward_arrows(ROOT) == []


def test_no_circle():
    assert circles(ROOT) == []


def test_every_room_is_seen_and_none_is_crowded():
    assert {room for _, room in modules_of(ROOT)} == set(ROOMS)
    for room in ROOMS:
        assert room.endswith(".py") or (ROOT / room / "__init__.py").exists()
    folders = {p.parent for top in (*TOP, "tests") for p in (ROOT / top).rglob("*.py")}
    crowded = [f for f in folders if len([p for p in f.glob("*.py") if p.name != "__init__.py"]) > MOST_FILES]
    assert crowded == []


@pytest.fixture
def copy(tmp_path):
    for name in TOP:
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.safetensors", "__pycache__")
        )
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("codec/events", "from ..playing.decoder import Decoder"),
        ("codec/files", "from ..takes import takes"),
        ("codec/hearing", "from ...models.mars.mars import Mars"),
        ("codec/hearing", "import torch.nn as nn"),
        ("codec", "from .. import realtime"),
        ("codec", "from struck.codec import Encoder"),
        ("codec", "def f():\n    import struck.realtime.commands.cli"),
        ("models/codec", "from ..mars.sound.phase import sound_from_magnitude"),
        ("patches", "from struck.realtime.commands import cli"),
        ("realtime/engine", "from ..stage.stage import Stage"),
    ],
)
def test_a_planted_violation_is_caught(copy, folder, line):
    assert upward_arrows(copy) == []
    (copy / folder / "planted.py").write_text(line + "\n")
    (found,) = upward_arrows(copy)
    assert found.startswith(f"{folder}/planted.py:")


def test_a_planted_circle_is_caught(copy):
    (copy / "codec" / "events" / "one.py").write_text("from .two import a\n")
    (copy / "codec" / "events" / "two.py").write_text("def f():\n    from .one import b\n")
    assert circles(copy) == [["codec/events/one.py", "codec/events/two.py"]]
