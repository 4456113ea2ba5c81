"""A module's syntax tree, and what is read from it."""

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """A module's syntax tree, and what its names stand for."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path.relative_to(root)
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.name = ".".join(self.path.with_suffix("").parts).removesuffix(".__init__")

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Name -> the module and the name there."""
        found = (node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom))
        return {each.asname or each.name: (node.module or "", each.name) for node in found for each in node.names}

    @cached_property
    def calls(self) -> list[tuple[ast.Call, tuple[Function, ...]]]:
        """Every call, with the functions around it, the innermost first."""
        return list(_calls(self.tree, ()))


def _calls(node: ast.AST, functions: tuple[Function, ...]) -> Iterator[tuple[ast.Call, tuple[Function, ...]]]:
    if isinstance(node, ast.Call):
        yield node, functions
    inner = (node, *functions) if isinstance(node, Function) else functions
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, inner)


def argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    for each in call.keywords:
        if each.arg == keyword:
            return each.value
    given = call.args[: position + 1]
    return (
        given[position] if len(given) > position and not any(isinstance(each, ast.Starred) for each in given) else None
    )


def returned(function: Function) -> list[ast.expr]:
    return [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]


def assigned(scope: ast.AST, name: str) -> list[ast.expr]:
    """What is assigned to a name in a function, or at the top of a module."""
    nodes = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
    values = []
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            values += [node.value for target in targets if isinstance(target, ast.Name) and target.id == name]
    return values
