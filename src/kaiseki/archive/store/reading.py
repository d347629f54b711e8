"""A store that is read: what cannot be read is one sentence that names the array and the time.

Arrays are read lazily, long after the archive was opened, so that the sentence must be made where the bytes are asked
for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import icechunk
import numpy as np
from zarr.abc.store import Store
from zarr.storage import WrapperStore

from kaiseki.archive.store.storage import first_line
from kaiseki.core.errors import StoreError
from kaiseki.core.timing import format_utc


@dataclass
class Described:
    """What messages say of a store.

    Attributes:
        where: its name.
        axes: group -> times along the first axis of its arrays, of which a chunk holds one.
    """

    where: str
    axes: Mapping[str, np.ndarray] = field(default_factory=dict)

    def error(self, key: str, error: Exception) -> StoreError:
        """The error for the bytes of a key of Zarr, "group/array/c/3/0/0" or the metadata of an array."""
        path, chunk, place = key.partition("/c/")
        what = path.removesuffix("/zarr.json")
        axis = self.axes.get(what.partition("/")[0], ())
        index = int(place.partition("/")[0]) if chunk and place[:1].isdigit() else -1
        if 0 <= index < len(axis) and what.partition("/")[2] not in ("time", "cycle"):
            what = f"{what} of {format_utc(axis[index])}"
        return StoreError(
            f"{self.where} is damaged or cannot be reached: {what} could not be read ({first_line(error)}); bring back "
            "the files of the store from a copy, or run the case again in a new folder"
        )


class ReadingStore(WrapperStore[Store]):
    """A store of Zarr whose errors of reading are `StoreError`.

    Args:
        store: of a session of Icechunk.
        described: for messages; may be completed later.
    """

    def __init__(self, store: Store, described: Described) -> None:
        super().__init__(store)
        self.described = described

    def _with_store(self, store: Store) -> Self:
        return type(self)(store, self.described)

    async def getsize(self, key: str) -> int:
        """Bytes of the value of a key, without reading it.

        Raises:
            StoreError: says what could not be read.
        """
        try:
            return await self._store.getsize(key)
        except (icechunk.IcechunkError, OSError) as error:
            raise self.described.error(key, error) from error

    async def getsize_prefix(self, prefix: str) -> int:
        """Bytes of all values below a prefix, without reading them.

        Raises:
            StoreError: says what could not be read.
        """
        try:
            return await self._store.getsize_prefix(prefix)
        except (icechunk.IcechunkError, OSError) as error:
            raise self.described.error(prefix, error) from error

    async def get(self, key: str, *arguments: Any, **options: Any) -> Any:
        """Bytes of a key (see `zarr.abc.store.Store.get`).

        Raises:
            StoreError: says what could not be read.
        """
        try:
            return await super().get(key, *arguments, **options)
        except (icechunk.IcechunkError, OSError) as error:
            raise self.described.error(key, error) from error
