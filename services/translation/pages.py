"""Page tokens: opaque to callers, tied to the filters they were made for, checked when they return."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from heliostat.errors import HeliostatError, InvalidInput

_DIGEST_BYTES = 8
_NOT_OURS = "is not a valid page token"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """How many items are wanted, and the place after which they start ("" = from the beginning)."""

    size: int
    after: str
    _digest: bytes

    def place(self, read: Callable[[str], T]) -> T | None:
        """The place as `read` gives it; None = from the beginning.

        Raises InvalidInput when somebody made the token up.
        """
        try:
            return read(self.after) if self.after else None
        except (ValueError, OverflowError, HeliostatError):
            raise InvalidInput("page_token", _NOT_OURS) from None

    def cut(self, found: Sequence[T], place: Callable[[T], str]) -> tuple[Sequence[T], str]:
        """What the page shows of `found`, which holds one item more where there is another page, and
        the token of that page ("" = this is the last); `place` is where an item stands."""
        shown = found[: self.size]
        return shown, self.token(place(shown[-1])) if len(found) > len(shown) else ""

    def token(self, last: str) -> str:
        """The token of the page that follows after the item at this place."""
        return base64.urlsafe_b64encode(self._digest + last.encode()).decode().rstrip("=")


def page_of(request: Message, *, default: int, limit: int) -> Page:
    """The page that a list request asks for.

    Raises InvalidInput for a negative size, and for a token that is broken or belongs to other
    filters.
    """
    size, token = getattr(request, "page_size"), getattr(request, "page_token")  # noqa: B009 - of any message
    if size < 0:
        raise InvalidInput("page_size", f"{size} is negative")
    digest = _digest(request)
    return Page(
        size=min(size or default, limit),
        after=_place(token, digest) if token else "",
        _digest=digest,
    )


def _digest(request: Message) -> bytes:
    """A short mark of everything in the request but the paging fields."""
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("page_size")
    bare.ClearField("page_token")
    data = bare.SerializeToString(deterministic=True)
    return hashlib.sha256(data).digest()[:_DIGEST_BYTES]


def _place(token: str, digest: bytes) -> str:
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        found, place = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:].decode()
    except (binascii.Error, ValueError):
        raise InvalidInput("page_token", _NOT_OURS) from None
    if found != digest:
        raise InvalidInput(
            "page_token",
            "belongs to a request with other filters",
            remedy="repeat the original request, or start from the first page",
        )
    return place
