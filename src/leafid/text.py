"""Text from strangers, made safe to print."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Escape control characters, which could move the cursor or recolour a terminal: ``\x1b`` becomes ``\\x1b``.

    Args:
        text: text of a file, a name or a message.
        keep: control characters that stay, such as the line feeds of a message of several lines.
    """
    return "".join(char if char.isprintable() or char in keep else repr(char)[1:-1] for char in text)
