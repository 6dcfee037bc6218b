"""Dataclasses of which a pass makes one for every entry or link, a hundred thousand at a time.

Making a frozen dataclass of fifteen fields takes several microseconds, mostly for keyword arguments and for the guard
against assignment. A msgspec struct needs a tenth of that. So these classes are frozen dataclasses to the type checker
and to `dataclasses.replace`, and structs at run time. They compare, hash, print and refuse assignment in the same way.

The garbage collector does not look at them. They are made of values that existed before them, so they cannot be part of
a reference cycle. With a million of them, each full collection would block the event loop for a long time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as bulk_dataclass
else:
    from dataclasses import MISSING, Field, dataclass, fields

    import msgspec

    _OF_THE_CLASS = frozenset({"__dict__", "__weakref__", "__annotations__", "__module__", "__qualname__"})

    def _default_of(one: Field[object]) -> object:
        if one.default_factory is not MISSING:
            return msgspec.field(default_factory=one.default_factory)
        return msgspec.NODEFAULT if one.default is MISSING else one.default

    def bulk_dataclass(*, frozen: bool, slots: bool, kw_only: bool) -> object:
        """Return the decorator `dataclass(frozen=True, slots=True, kw_only=True)`, the only kind there is in bulk.

        Fields may have immutable defaults, or default factories.
        """
        assert frozen
        assert slots
        assert kw_only

        def struct_of(plain: type) -> type:
            own = {name: value for name, value in vars(plain).items() if name not in _OF_THE_CLASS}
            known = fields(dataclass(kw_only=True)(plain))
            for one in known:
                own.pop(one.name, None)  # its default, which becomes the struct's
            return msgspec.defstruct(
                plain.__name__,
                [(f.name, f.type, _default_of(f)) for f in known],
                namespace={**own, "__dataclass_fields__": plain.__dataclass_fields__},
                module=plain.__module__,
                frozen=True,
                kw_only=True,
                gc=False,
            )

        return struct_of


__all__ = ["bulk_dataclass"]
