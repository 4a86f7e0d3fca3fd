"""What the array API standard asks of a namespace about itself: `__array_namespace_info__()` (https://data-apis.org/array-api/2024.12)."""

from __future__ import annotations

from typing import Any

from weft.config import config
from weft.devices import Device, current_device, devices, get_device
from weft.dialects import dtypes as types
from weft.dialects.dtypes import DType
from weft.host import canonical
from weft.numpy.dtypes import isdtype

ARRAY_API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


class Info:
    """Devices, dtypes and abilities of `weft.numpy`."""

    def capabilities(self) -> dict[str, Any]:
        """Indexing with boolean arrays and shapes that depend on data work on arrays that are not traced; 64 axes are what NumPy has."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """Where arrays go that are made without saying where."""
        return current_device()

    def devices(self) -> list[Device]:
        """The devices that can be used here."""
        return list(devices())

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The dtypes of numbers that come without one."""
        if device is not None:
            get_device(device)  # raises ValueError for a name that is none
        return {
            "real floating": canonical(float),
            "complex floating": canonical(complex),
            "integral": canonical(int),
            "indexing": canonical(int),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """The dtypes of the standard that a device (the default one) has, by name: all or those of a kind (or of one of several); 64-bit ones only with `enable_x64`."""
        has = (current_device() if device is None else get_device(device)).backend.has
        known = (d for d in types.ALL if (d.bits > 16 or d.kind not in "f") and has(d))
        found = {d.name: d for d in known if config.enable_x64 or canonical(d) is d}
        return found if kind is None else {name: d for name, d in found.items() if isdtype(d, kind)}


def __array_namespace_info__() -> Info:
    """Devices, dtypes and abilities of this namespace, as the array API standard has it."""
    return Info()
