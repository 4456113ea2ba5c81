"""Names for MXNet's types. MXNet has no type hints: to a type checker they are all Any, to a reader they are not.

Nothing here imports MXNet, so that any module can use the names.
"""

from typing import Any, TypeAlias

Symbol: TypeAlias = Any  # mx.sym.Symbol: a node of a graph
MXArray: TypeAlias = Any  # mx.nd.NDArray
Context: TypeAlias = Any  # mx.Context: a device
Module: TypeAlias = Any  # mx.mod.BaseModule
Executor: TypeAlias = Any  # mx.executor.Executor: a graph bound to memory
DataBatch: TypeAlias = Any  # mx.io.DataBatch
DataDesc: TypeAlias = Any  # mx.io.DataDesc: name, shape and dtype of an input
Optimizer: TypeAlias = Any  # mx.optimizer.Optimizer
KeyValueStore: TypeAlias = Any  # mx.kv.KVStore
MXNet: TypeAlias = Any  # the module mxnet itself
