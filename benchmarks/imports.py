"""How large the package is, and which rooms import which: python -m benchmarks.imports [FOLDER]

A room is a folder of the package, or a module at its root. FOLDER is a checkout, of another commit say.
"""

import ast
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "ctc_ocr"
ROOT = Path(__file__).resolve().parent.parent


def modules(root: Path) -> dict[str, ast.Module]:
    """The package's modules, parsed, by their dotted names."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = _parsed(path.read_text(encoding="utf-8"))
    return found


_parsed = functools.lru_cache(maxsize=1024)(ast.parse)


@functools.lru_cache(maxsize=4096)
def imports(tree: ast.AST, at_import_time: bool) -> tuple[str, ...]:
    """Dotted names that a module imports; at import time: without those in functions and for type checkers."""
    return tuple(_imports(tree, at_import_time))


def _imports(tree: ast.AST, at_import_time: bool) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (at_import_time and _is_later(node)):
            yield from _imports(node, at_import_time)


def _is_later(node: ast.AST) -> bool:
    """Whether what is below a node does not run when the module is imported."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def room_of(module: str) -> str:
    """The room of a module of the package: its folder or, at the root, itself; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def arrows(trees: dict[str, ast.Module]) -> set[tuple[str, str]]:
    """(room, room that it imports) at any time, without the face, which names everything, and the entry point."""
    found = set()
    for name, tree in trees.items():
        for imported in imports(tree, at_import_time=False):
            parts = imported.split(".")
            known = next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in trees), None)
            if known and {room_of(name), room_of(known)}.isdisjoint({"", "__main__"}):
                found.add((room_of(name), room_of(known)))
    return {(one, other) for one, other in found if one != other}


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    trees = modules(root)
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (root / PACKAGE).rglob("*.py"))
    found = arrows(trees)
    rooms = sorted({room_of(name) for name in trees} - {"", "__main__"})
    print(f"{len(trees)} files, {lines} lines, {len(rooms)} rooms, {len(found)} imports between rooms")
    for room in rooms:
        print(f"{room:<16} {', '.join(sorted(other for one, other in found if one == room))}")


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes again when it ends
        sys.exit(141)  # 128 + SIGPIPE, as a shell reports it
