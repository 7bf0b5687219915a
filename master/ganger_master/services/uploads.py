"""This module collects the items of arrays, which come in parts before the array itself. Lives on the edge's loop."""

from __future__ import annotations

from collections import OrderedDict

from ganger_core.domain.array import MAX_ITEMS_BYTES, Items
from ganger_core.domain.errors import Conflict, Invalid
from ganger_core.domain.validate import check_digest, check_int

MAX_PART_BYTES = 2**20
KEPT_BYTES = 4 * MAX_ITEMS_BYTES
"""What is kept of all callers together. Whose items were dropped for those of others puts them again."""


class Uploads:
    """Items on their way, by owner and digest, the ones used last at the end."""

    def __init__(self) -> None:
        self._parts: OrderedDict[tuple[str, str], bytearray] = OrderedDict()

    def put(self, owner: str, digest: str, size: int, offset: int, data: bytes) -> int:
        """Take a part in; returns where to go on. One that came before, or before its turn, changes nothing."""
        check_digest(digest)
        check_int(size, "size", 0, MAX_ITEMS_BYTES)
        check_int(offset, "offset", 0, size)
        if len(data) > min(MAX_PART_BYTES, size - offset):
            raise Invalid(
                f"data has {len(data)} bytes; a part has at most {MAX_PART_BYTES}, and all together {size}",
                field="data",
            )
        key = owner, digest
        collected = self._parts.setdefault(key, bytearray())
        self._parts.move_to_end(key)
        if offset == len(collected):
            collected += data
        while sum(map(len, self._parts.values())) > KEPT_BYTES:
            self._parts.popitem(last=False)
        return len(collected)

    def take(self, owner: str, digest: str) -> bytes:
        """All items together; raises `Conflict` (ITEMS_MISSING) when they are not here."""
        collected = self._parts.get((owner, digest))
        if collected is None:
            raise Conflict(
                "the items of this array are not here any more: put them again, then submit",
                field="array.items",
                reason="ITEMS_MISSING",
            )
        return bytes(collected)

    def drop(self, owner: str, digest: str) -> None:
        """They are not needed any more."""
        self._parts.pop((owner, digest), None)


def checked_items(blob: bytes, digest: str, count: int) -> Items:
    """The items, whole and as many as the array has elements; raises `Invalid`, or `Conflict` (ITEMS_MISSING)."""
    items = Items(blob)
    if items.digest != digest:
        raise Conflict(
            "not all items of this array are here: put them from offset 0 on, then submit",
            field="array.items",
            reason="ITEMS_MISSING",
        )
    items.check("items")
    if len(items) != count:
        raise Invalid(f"the array has {count} elements and {len(items)} items", field="array.items")
    return items
