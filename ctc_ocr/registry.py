"""Parts that have names: architectures, renderers, sources, callbacks and tasks, of this package and of its users.

A user's module registers its parts when it is imported, and the command line imports it with `--import`:

    @ctc_ocr.register_callback("stop_at_noon")
    class StopAtNoon: ...

Nothing in a model's files names a module: a name that is not registered is an error, whoever wrote it.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar, cast

from ctc_ocr.errors import InputError

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """Parts of one kind by name. A built-in one may be given as "module:name", and is imported when it is asked for."""

    def __init__(self, kind: str, built_in: dict[str, "Part | str"] | None = None) -> None:
        self.kind = kind
        self._parts: dict[str, Part | str] = dict(built_in or {})
        self._built_in = frozenset(self._parts)

    def add(self, name: str, part: Part) -> None:
        """Register a part. The same name again replaces a user's part, as after an edited notebook cell; InputError for
        the name of a built-in one, or one that is not a word."""
        if name in self._built_in:
            raise InputError(f"the {self.kind} {name!r} is built in: choose another name")
        if not name.isidentifier():
            raise InputError(f"{name!r} cannot name a {self.kind}: expected letters, digits and underscores")
        self._parts[name] = part

    def register(self, name: str) -> Callable[[Part], Part]:
        """A decorator that adds what it decorates, and returns it unchanged. Raises InputError in place of a name that
        was forgotten."""
        if not isinstance(name, str):
            raise InputError(f'expected a name in parentheses: register_{self.kind}("name")')

        def decorate(part: Part) -> Part:
            self.add(name, part)
            return part

        return decorate

    def get(self, name: str) -> Part:
        """The part of this name. Raises InputError with the names that there are."""
        if name not in self._parts:
            raise InputError(
                f"no {self.kind} {name!r}; there are: {', '.join(self._parts) or 'none'}. "
                "One of your own is registered by the module that --import names"
            )
        part = self._parts[name]
        if isinstance(part, str):
            module, _, attribute = part.partition(":")
            return cast(Part, getattr(importlib.import_module(module), attribute))
        return part

    def own_parts(self) -> dict[str, Part]:
        """{name: part} of those that users have registered."""
        return {name: self.get(name) for name in self._parts if name not in self._built_in}

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def names(self) -> tuple[str, ...]:
        """All names, the built-in ones first."""
        return tuple(self._parts)


def import_module(name: str) -> None:
    """Import a user's module, which registers its parts: a dotted name (the current folder is searched too), or the
    path of a .py file. Raises InputError if there is none; what the module itself raises passes through.
    """
    path = Path(name)
    folder = Path.cwd()
    if path.suffix == ".py":
        folder, name = path.resolve().parent, path.stem
        if not path.is_file():
            raise InputError("no such file", path)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # image processes get the same path
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # something that the module itself imports is missing
        raise InputError(f"no module {name!r} in {folder} or among the installed ones", "--import") from None
    if path.suffix == ".py" and Path(module.__file__ or "").resolve() != path.resolve():
        raise InputError(f"another module has the name {name!r} ({module.__file__}): rename the file", path)
