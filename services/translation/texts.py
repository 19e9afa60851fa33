"""Refuses text that a store cannot keep, with the path of its field."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from heliostat.errors import InvalidInput

NUL = "\0"
LONGEST_NAME = 500
"""Characters of an id or a reason; PostgreSQL indexes ids, of at most 2,704 bytes."""
LONGEST_TEXT = 10_000
"""Characters of any text; what people write is shorter, and logs and the audit log repeat it."""


def check_text(path: str, text: str) -> str:
    """The text. Raises InvalidInput when it is endless or holds a NUL character, which PostgreSQL does
    not keep."""
    if len(text) > LONGEST_TEXT:
        raise InvalidInput(path, f"has {len(text)} characters, at most {LONGEST_TEXT} are allowed")
    if NUL in text:
        raise InvalidInput(path, "contains a NUL character")
    return text


def cut(text: str, most_bytes: int) -> str:
    """The text's beginning, of at most so many bytes of UTF-8; an ellipsis says that there was more."""
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    return data[: most_bytes - len("…".encode())].decode(errors="ignore") + "…"


def check_texts(message: Message, path: str = "") -> None:
    """Every text in the message, however deep. Raises InvalidInput."""
    for field, value in message.ListFields():
        here = f"{path}.{field.name}" if path else field.name
        if field.type == FieldDescriptor.TYPE_STRING:
            for text in (value,) if isinstance(value, str) else value:
                check_text(here, text)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in (value,) if isinstance(value, Message) else value:
                check_texts(part, here)
