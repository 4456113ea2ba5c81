"""Copies of classes whose random numbers all come from one generator.

The captcha library, and classes derived from it, use `secrets`, `random` and `numpy.random`, which are global. Instead
of patching those, this module copies the class, its bases and their modules, and replaces every random source in the
copies by a seeded one.
"""

import builtins
import functools
import itertools
import random
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

SEEDED = "random, secrets and numpy.random in the packages of the class and its bases"
BLOCK = 128  # numbers generated at a time: about as many as one captcha needs
_SOURCE_MODULES = frozenset({"random", "secrets", "numpy.random"})
_BOUND = (types.MethodType, types.BuiltinMethodType)
_SET_AT_CREATION = frozenset({"__dict__", "__weakref__", "__slots__", "_abc_impl"})


class _SeededRandom(random.Random):
    """random.Random over a NumPy generator; seed() does nothing, as in random.SystemRandom."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self.restart()
        super().__init__()

    def __new__(cls, generator: np.random.Generator) -> "_SeededRandom":
        return super().__new__(cls)

    def restart(self) -> None:
        """Drop the buffered numbers of the generator."""
        blocks = iter(lambda: self._generator.random(BLOCK).tolist(), None)
        self._uniform: Callable[[], float] = itertools.chain.from_iterable(blocks).__next__
        self.gauss_next = None

    def random(self) -> float:
        return self._uniform()

    def getrandbits(self, k: int, /) -> int:
        # A float64 in [0, 1) holds 53 random bits. Larger numbers are joined from parts.
        number = int(self._uniform() * (1 << min(k, 53)))
        return number if k <= 53 else number << (k - 53) | self.getrandbits(k - 53)

    def _randbelow(self, n: int) -> int:
        # Faster than the base class's rejection; probabilities differ by at most 1 in 2**21.
        return int(self._uniform() * n) if n < 1 << 32 else self.getrandbits(n.bit_length() + 32) % n

    def seed(self, *args: Any, **kwargs: Any) -> None:
        pass


class Sources:
    """A random.Random, a numpy RandomState and a numpy Generator that share one stream of bits."""

    def __init__(self) -> None:
        bits = np.random.Philox(0)
        self._initial_state: Any = bits.state
        self.state = np.random.RandomState(bits)
        self.generator = np.random.Generator(bits)
        self.python = _SeededRandom(self.generator)

    def reseed(self, generator: np.random.Generator) -> None:
        """Restart the stream from 128 bits of the generator; nothing of the earlier stream is left."""
        self._initial_state["state"]["key"] = generator.integers(0, 2**64, size=2, dtype=np.uint64)
        self.state.set_state(self._initial_state)  # also drops RandomState's cached normal variate
        self.python.restart()

    def replacement_for(self, value: Any) -> Any:
        """The seeded replacement of a random source or of its constructor; None for anything else."""
        if isinstance(value, random.Random):
            return self.python
        if isinstance(value, np.random.RandomState):
            return self.state
        if isinstance(value, np.random.Generator):
            return self.generator
        # A source constructed with its own seed is reproducible already.
        if value is random.Random:
            return lambda seed=None: self.python if seed is None else random.Random(seed)
        if value is random.SystemRandom:
            return lambda seed=None: self.python
        if value is np.random.RandomState:
            return lambda seed=None: self.state if seed is None else np.random.RandomState(seed)
        if value is np.random.default_rng:
            return lambda seed=None: self.generator if seed is None else np.random.default_rng(seed)
        if value is np.random.seed:
            return lambda seed=None: None
        return None


def reproducible_instance(cls: type, sources: Sources, **arguments: Any) -> Any:
    """An instance of a copy of cls that uses `sources` only, as far as SEEDED says.

    Copied are functions, all kinds of methods, closures, defaults, plain helper classes and their instances in the
    packages of cls and its bases. cls itself and all modules are unchanged.
    """
    copier = _Copier(cls, sources)
    instance = copier.follow(cls)(**arguments)
    copier.follow_attributes(vars(instance))
    return instance


class _Copier:
    """Copies objects that refer to a random source, each once; all others are shared."""

    def __init__(self, cls: type, sources: Sources) -> None:
        self._sources = sources
        self._own = {each for each in cls.__mro__ if _top_level(each.__module__) not in sys.stdlib_module_names}
        self._packages = {_top_level(each.__module__) for each in self._own}
        # By id; the reference to the original keeps its id from being reused.
        self._copies: dict[int, tuple[Any, Any]] = {}

    def follow(self, value: Any) -> Any:
        """The copy of a value, or the value itself if it refers to no random source."""
        if id(value) in self._copies:
            return self._copies[id(value)][1]
        replacement = self._sources.replacement_for(value)
        if replacement is not None:
            return self._record(value, replacement)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value) if self._is_copied(value) else value
        if isinstance(value, types.ModuleType):
            return self._module(value)
        if type(value) in (list, tuple, dict):
            return self._container(value)
        if isinstance(value, _BOUND):
            owner = self.follow(value.__self__)
            return value if owner is value.__self__ else getattr(owner, value.__name__)
        if isinstance(value, (staticmethod, classmethod)):
            return type(value)(self.follow(value.__func__))
        if isinstance(value, property):
            return property(self.follow(value.fget), self.follow(value.fset), self.follow(value.fdel), value.__doc__)
        if isinstance(value, functools.cached_property):
            copy = functools.cached_property(self.follow(value.func))
            copy.attrname = value.attrname
            return copy
        if isinstance(value, functools.partial):
            return functools.partial(self.follow(value.func), *self.follow(value.args), **self.follow(value.keywords))
        return self._instance(value)

    def follow_attributes(self, attributes: dict[str, Any]) -> None:
        """Replace the attributes of an instance by their copies, in place."""
        attributes.update({name: self.follow(value) for name, value in attributes.items()})

    def _record(self, value: Any, copy: Any) -> Any:
        self._copies[id(value)] = (value, copy)
        return copy

    def _function(self, function: types.FunctionType) -> Any:
        namespace = self._namespace(function.__globals__)
        cells = tuple(self._cell(cell) for cell in function.__closure__ or ())
        if id(function) in self._copies:  # a closure over the function itself
            return self._copies[id(function)][1]
        copy = types.FunctionType(function.__code__, namespace, function.__name__, None, cells)
        self._record(function, copy)
        copy.__defaults__ = self.follow(function.__defaults__)
        copy.__kwdefaults__ = self.follow(function.__kwdefaults__)
        copy.__qualname__, copy.__module__, copy.__doc__ = function.__qualname__, function.__module__, function.__doc__
        vars(copy).update(self.follow(vars(function)))
        return copy

    def _cell(self, cell: types.CellType) -> Any:
        if id(cell) not in self._copies:
            copy = self._record(cell, types.CellType())
            # An empty cell: its name is not assigned yet.
            if cell != types.CellType():
                copy.cell_contents = self.follow(cell.cell_contents)
        return self._copies[id(cell)][1]

    def _is_copied(self, cls: type) -> bool:
        plain = type(cls) is type and all(base is object or base.__module__ != "builtins" for base in cls.__mro__)
        return cls in self._own or (plain and _top_level(cls.__module__) in self._packages)

    def _class(self, cls: type) -> Any:
        bases = tuple(self.follow(base) for base in cls.__bases__)
        if id(cls) in self._copies:  # reached through the module of a base
            return self._copies[id(cls)][1]
        slots = {"__slots__": cls.__dict__["__slots__"]} if "__slots__" in vars(cls) else {}
        copy: type = type(cls)(cls.__name__, bases, {"__module__": cls.__module__, **slots})
        self._record(cls, copy)  # before its methods, whose `super()` refers to the class
        for name, value in list(vars(cls).items()):
            if name not in _SET_AT_CREATION and not isinstance(value, types.MemberDescriptorType):
                type.__setattr__(copy, name, self.follow(value))
        return copy

    def _module(self, module: types.ModuleType) -> Any:
        if module is np:
            copy = self._record(np, types.ModuleType("numpy"))
            vars(copy).update(vars(np), random=self.follow(np.random))
            return copy
        self._namespace(vars(module))
        return self._copies[id(module)][1] if id(module) in self._copies else module

    def _namespace(self, names: dict[str, Any]) -> Any:
        """The globals of a copied function: copied for a module that is copied, else unchanged."""
        if id(names) in self._copies:
            return self._copies[id(names)][1]
        name = names.get("__name__", "")
        if name not in _SOURCE_MODULES and _top_level(name) not in self._packages:
            return names
        module = types.ModuleType(name)
        copy: dict[str, Any] = self._record(names, vars(module))
        original = sys.modules.get(name)
        if original is not None and vars(original) is names:
            self._record(original, module)
        copy["__builtins__"] = {**vars(builtins), "__import__": self._import}
        for key, value in list(names.items()):
            if key != "__builtins__":
                copy[key] = self.follow(value)
        return copy

    def _import(self, *args: Any, **kwargs: Any) -> Any:
        return self.follow(builtins.__import__(*args, **kwargs))

    def _container(self, values: Any) -> Any:
        """Copy a list, tuple or dict if one of its elements is copied."""
        self._record(values, values)  # it may contain itself
        old = list(values.values() if isinstance(values, dict) else values)
        new = [self.follow(value) for value in old]
        if all(one is other for one, other in zip(new, old, strict=True)):
            return values
        copy = dict(zip(values, new, strict=True)) if isinstance(values, dict) else type(values)(new)
        return self._record(values, copy)

    def _instance(self, value: Any) -> Any:
        """Copy an instance of a copied helper class."""
        kind = type(value)
        if not self._is_copied(kind) or not hasattr(value, "__dict__"):
            return value
        copied_kind = self.follow(kind)
        if id(value) in self._copies:  # reached through the attributes of its class
            return self._copies[id(value)][1]
        copy = self._record(value, object.__new__(copied_kind))
        vars(copy).update(vars(value))
        self.follow_attributes(vars(copy))
        return copy


def _top_level(module: str) -> str:
    return module.partition(".")[0]
