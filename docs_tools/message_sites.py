"""Where the package makes a message for people, and what it says.

Found in the source by `ast`, without importing the package. A message is what is given to an error class of the
package, to one of argparse, to ValueError or TypeError (which become such errors), to Problem, to `parser.error`,
`log.warning` or `log.error`, and what a function returns whose name ends in `_reason`. A message that only passes on
the text of another error is none of its own; but the words of the operating system are one, the template {strerror}.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from docs_tools.message_source import Function, Module, argument, assigned, returned
from docs_tools.message_templates import escaped, has_text, logged, name_of, pieces, shape, word

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ctc_ocr"
# Class -> the position of the text among its arguments. The classes derived from these are found.
CLASSES = {
    "UserError": 0,
    "ArgumentError": 1,
    "ArgumentTypeError": 0,
    "Problem": 1,
    "Refusal": 1,
    "TypeError": 0,
    "ValueError": 0,
}
LOGGERS, PARSERS = {"log", "_log", "logger"}, {"parser", "made"}
# Their ValueErrors become one other message.
NEVER_SHOWN = {"ctc_ocr/training/state_values.py"}
STRERROR = "{strerror}"
MAX_DEPTH = 7  # of names that stand for other names


@dataclass(frozen=True)
class Site:
    """A call that makes a message: its lines, and the texts that it may have."""

    path: str  # from the project's root, with slashes
    first_line: int
    last_line: int
    templates: tuple[str, ...]


@dataclass(frozen=True)
class Scope:
    """Where a name is looked up: a module, and the functions around the place, the innermost first."""

    module: Module
    functions: tuple[Function, ...] = ()


def _as_one(sites: Iterable[Site]) -> Iterator[Site]:
    """Templates that differ in the names of their placeholders only become one: where they differ, it is {value}."""
    sites = list(sites)
    names: dict[str, list[set[str]]] = {}
    for template in (each for site in sites for each in site.templates):
        found = [name for _, name in pieces(template) if name is not None]
        for known, name in zip(names.setdefault(shape(template), [set() for _ in found]), found, strict=True):
            known.add(name)
    for site in sites:
        shapes = dict.fromkeys(map(shape, site.templates))
        yield replace(site, templates=tuple(_filled(each, names[each]) for each in shapes))


def _filled(template: str, names: Iterable[set[str]]) -> str:
    """A template without names, with those that each place may have."""
    words = iter([min(each) if len(each) == 1 else "value" for each in names])
    return "".join(escaped(text) + ("" if name is None else f"{{{next(words)}}}") for text, name in pieces(template))


class Sites:
    """All sites of the package, in the order of their files and lines."""

    def __init__(self, package: Path = PACKAGE) -> None:
        modules = [Module(path, package.parent) for path in sorted(package.rglob("*.py"))]
        self._modules = {module.name: module for module in modules}
        self._classes = self._derived()
        self.all = tuple(_as_one(site for module in modules for site in self._of_module(module)))

    @property
    def templates(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(template for site in self.all for template in site.templates))

    def _derived(self) -> dict[str, int]:
        found = dict(CLASSES)
        nodes = [node for module in self._modules.values() for node in ast.walk(module.tree)]
        classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
        for _ in range(2):  # UserError, InputError, NotSendableError
            for node in classes:
                for base in node.bases:
                    if isinstance(base, ast.Name) and base.id in found and base.id.endswith("Error"):
                        found.setdefault(node.name, found[base.id])
        return found

    def _of_module(self, module: Module) -> Iterator[Site]:
        path = module.path.as_posix()
        if path in NEVER_SHOWN:
            return
        made: list[tuple[ast.expr, list[str]]] = []
        for call, functions in module.calls:
            made.append((call, self._made(call, Scope(module, functions))))
        for function in module.functions:
            if re.search(r"\w_reason$", function.name):
                made += [(value, self._texts(value, Scope(module, (function,)))) for value in returned(function)]
        for node, templates in sorted(made, key=lambda each: each[0].lineno):
            if texts := tuple(dict.fromkeys(text for text in templates if has_text(text) or text == STRERROR)):
                yield Site(path, node.lineno, node.end_lineno or node.lineno, texts)

    def _made(self, call: ast.Call, scope: Scope) -> list[str]:
        name = name_of(call)
        if name in self._classes:
            text = argument(call, self._classes[name], "reason")
            return self._texts(text, scope) if text is not None else []
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if not isinstance(owner, ast.Name) or name not in ("warning", "error"):
            return []
        if owner.id in LOGGERS:
            return logged(call)
        return self._texts(call.args[0], scope) if owner.id in PARSERS else []

    def _texts(self, node: ast.expr, scope: Scope, depth: int = 0) -> list[str]:
        """What an expression may be, as templates; none if it has no text of its own."""
        if depth > MAX_DEPTH:
            return []
        if isinstance(node, ast.Constant):
            return [escaped(node.value)] if isinstance(node.value, str) else []
        if isinstance(node, ast.JoinedStr):
            return self._joined(node.values, scope, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left = self._texts(node.left, scope, depth) or [f"{{{word(node.left)}}}"]
            right = self._texts(node.right, scope, depth) or [f"{{{word(node.right)}}}"]
            return ["".join(pair) for pair in product(left, right)]
        if isinstance(node, ast.IfExp):
            return self._texts(node.body, scope, depth) + self._texts(node.orelse, scope, depth)
        if isinstance(node, ast.BoolOp):
            return [text for value in node.values for text in self._texts(value, scope, depth)]
        if isinstance(node, ast.Attribute) and node.attr == "strerror":
            return [STRERROR]
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            tables = [each for each in assigned(scope.module.tree, node.value.id) if isinstance(each, ast.Dict)]
            return [text for table in tables for value in table.values for text in self._texts(value, scope, depth)]
        if isinstance(node, ast.Name):
            return self._named(node.id, scope, depth + 1)
        if isinstance(node, ast.Call):
            return self._returned(node, scope, depth + 1)
        return []

    def _joined(self, pieces: Sequence[ast.expr], scope: Scope, depth: int) -> list[str]:
        """Of an f-string."""
        found = [""]
        for number, piece in enumerate(pieces):
            if isinstance(piece, ast.FormattedValue):
                plain = piece.conversion == -1 and not piece.format_spec
                texts = self._put_in(piece.value, scope, depth, number == 0) if plain else []
                texts = texts or [f"{{{word(piece.value)}}}"]
            else:
                texts = self._texts(piece, scope, depth)
            found = [before + text for before in found for text in texts]
        return found

    def _put_in(self, node: ast.expr, scope: Scope, depth: int, is_first: bool) -> list[str]:
        """What an f-string begins with is looked up, as a message is found by its first words; so is a reason, and what
        can be one text only."""
        if not isinstance(node, ast.Name | ast.Call | ast.Subscript):
            return []
        texts = list(dict.fromkeys(self._texts(node, scope, depth)))
        if is_first or re.search(r"reason$|^why_", word(node)):
            return texts if any(map(has_text, texts)) else []
        is_constant = isinstance(node, ast.Name) and node.id.isupper()
        return texts if len(texts) == 1 and (is_constant or has_text(texts[0]) and " " in texts[0]) else []

    def _named(self, name: str, scope: Scope, depth: int) -> list[str]:
        for number, function in enumerate(scope.functions):
            inner = Scope(scope.module, scope.functions[number:])
            if values := assigned(function, name):
                return self._all(values, name, inner, depth)
            parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
            if name in parameters:
                return self._passed(function, parameters, name, scope.module, depth)
        if values := assigned(scope.module.tree, name):
            return self._all(values, name, Scope(scope.module), depth)
        if name in scope.module.imports:
            origin, original = scope.module.imports[name]
            if origin in self._modules:
                return self._named(original, Scope(self._modules[origin]), depth + 1)
        return []

    def _all(self, values: Sequence[ast.expr], name: str, scope: Scope, depth: int) -> list[str]:
        """What each may be; the name itself for one that has no text of its own."""
        return [text for each in values for text in self._texts(each, scope, depth) or [f"{{{word(ast.Name(name))}}}"]]

    def _passed(self, function: Function, parameters: list[str], name: str, home: Module, depth: int) -> list[str]:
        """What the callers of a function give for a parameter."""
        position = parameters.index(name) - (parameters[0] in ("self", "cls"))
        callers = [home]
        if not function.name.startswith("_"):
            pair = (home.name, function.name)
            callers += [each for each in self._modules.values() if pair in each.imports.values()]
        texts = []
        for module in callers:
            for call, around in module.calls:
                if name_of(call) == function.name and (value := argument(call, position, name)) is not None:
                    texts += self._all([value], name, Scope(module, around), depth + 1)
        return texts

    def _returned(self, call: ast.Call, scope: Scope, depth: int) -> list[str]:
        """What a function of the package returns."""
        module, name = scope.module, name_of(call)
        of_self = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in ("self", "cls")
        if not of_self and not isinstance(call.func, ast.Name):
            return []
        if name in module.imports:
            origin, name = module.imports[name]
            if origin not in self._modules:
                return []
            module = self._modules[origin]
        for function in module.functions:
            if function.name == name:
                return [
                    text
                    for value in returned(function)
                    for text in self._texts(value, Scope(module, (function,)), depth)
                ]
        return []
