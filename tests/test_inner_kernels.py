"""Kernels without a wrapper for Python are called by kernels alone: called from Python they crash."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Options, by name, of kernels that have no wrapper for Python.
INNER = {"INNER", "INNER_SUMS", "FAST", "LINKED", "JOINING", "_FUSED"}


def options_of(function: ast.AST) -> set[str] | None:
    """Names of the options with which a function is compiled; None where it is not."""
    for decorator in getattr(function, "decorator_list", ()):
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") in {
            "njit",
            "cfunc",
            "overload",
        }:
            return {getattr(keyword.value, "id", "") for keyword in decorator.keywords}
        if getattr(decorator, "id", "") in {"njit", "intrinsic"}:
            return set()
    return None


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def calls_from_python(node: ast.AST) -> Iterator[ast.Call]:
    """Calls by a bare name outside of kernels."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef) and options_of(child) is not None:
            continue
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name):
            yield child
        yield from calls_from_python(child)


def faults(sources: dict[str, str]) -> list[str]:
    """Calls of inner kernels from Python, as ``file:line name``."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    inner = {
        function.name
        for tree in trees.values()
        for function in functions_of(tree)
        if (options_of(function) or set()) & INNER
    }
    found = []
    for name, tree in trees.items():
        known = {function.name for function in functions_of(tree)}
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for call in calls_from_python(tree):
            if call.func.id in inner & (known | imported) and not (
                call.func.id in known and not is_inner(tree, call.func.id)
            ):
                found.append(f"{name}:{call.lineno} {call.func.id}")
    return found


def is_inner(tree: ast.AST, name: str) -> bool:
    return any((options_of(f) or set()) & INNER for f in functions_of(tree) if f.name == name)


def test_no_inner_kernel_is_called_from_python():
    paths = [
        p for top in ("codec", "models", "patches", "realtime", "tests") for p in (ROOT / top).rglob("*.py")
    ]
    assert faults({p.relative_to(ROOT).as_posix(): p.read_text() for p in paths}) == []


def test_a_planted_call_is_caught():
    kernel = (
        "@njit(**INNER)\ndef turn(x):\n    return x\n\n@njit(**EXACT)\ndef outer(x):\n    return turn(x)\n"
    )
    assert faults({"a.py": kernel}) == []
    user = "from .a import turn\n\ndef use(x):\n    return [turn(y) for y in x]\n"
    assert faults({"a.py": kernel, "b.py": user}) == ["b.py:4 turn"]
