"""Errors that a user can fix, and exit codes of the commands.

LeafidError                 the user can fix it; the message names value, place and fix
├── UsageError              a command was called with values that do not fit together
├── JobError                a job file has mistakes (all of them are listed, with their lines)
├── TaxonomyError           a name is unknown, ambiguous or given twice
├── CatalogError            a catalog has missing columns or wrong values (all of them are listed)
├── ImageError              one image cannot be read; it has a coded reason and becomes a failure, never a stop
├── SourceError             a source contains no images or cannot be reached
├── SplitError              a split would leak a gathering or leave a taxon without training images
├── WeightsError            pretrained weights are missing or do not fit the network
├── RunError                a run folder is missing, not from leafid, or cannot be resumed
├── BundleError             a bundle is missing, damaged, not from leafid, or newer than this program
├── OutputError             a result cannot be written, or would overwrite another
└── InstallationError       installed packages do not work together
"""

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    OK = 0
    """Success."""
    INTERNAL_ERROR = 1
    """A bug in leafid; the details are saved to a file, not shown."""
    USER_ERROR = 2
    """An error that the user can fix; the command did nothing, or nothing further."""
    SOME_FAILED = 3
    """Finished, but some inputs failed; each has a record or a row with the reason."""
    INTERRUPTED = 130
    """Stopped with Ctrl-C; finished results are kept."""
    PIPE_CLOSED = 141
    """The reader of the result stopped reading, as ``head`` does; nothing is said. Only where the result is printed."""


class LeafidError(Exception):
    """Base of all errors that a user can fix; ``str(error)`` is the whole message shown."""


class UsageError(LeafidError):
    """A command was called with values that do not fit together."""


class JobError(LeafidError):
    """A job file has mistakes; the message lists every one with its line."""


class TaxonomyError(LeafidError):
    """A name is unknown, ambiguous or given twice."""


class CatalogError(LeafidError):
    """A catalog has missing columns or wrong values; the message lists them all."""


class FailureReason(StrEnum):
    """Why an image could not be read. Records and ``failures.csv`` contain these codes.

    The string below each code says what it means; its second paragraph, what to do.
    """

    MISSING = "missing"
    """There is no such file.

    Check the path; relative paths start at the folder in which leafid is called.
    """
    NOT_A_FILE = "not_a_file"
    """This is a folder, a pipe or a device.

    Name the image itself.
    """
    NO_PERMISSION = "no_permission"
    """You may not read the file.

    Ask its owner, or copy it to a folder of your own.
    """
    EMPTY = "empty"
    """The file has no bytes.

    Copy it again from the camera or the server.
    """
    NOT_AN_IMAGE = "not_an_image"
    """The file is no image, such as a web page saved under the name of one.

    Open it in an image viewer; fetch it again.
    """
    TRUNCATED = "truncated"
    """The file ends too early: a copy or a download was interrupted.

    Copy or fetch it again.
    """
    DAMAGED = "damaged"
    """A part of the picture is lost.

    Copy it again; take another shot if the original is damaged too.
    """
    TOO_LARGE = "too_large"
    """The image has more pixels or bytes than the limit, or than the memory can hold.

    Send a smaller copy.
    """
    TOO_NARROW = "too_narrow"
    """The image is a strip in which no leaf can be seen.

    Send the whole picture.
    """
    UNSUPPORTED = "unsupported"
    """This kind of file is not read.

    Save it as JPEG or PNG; for raw photos install ``leafid[raw]``.
    """
    UNREADABLE = "unreadable"
    """The disk or the decoder gave an error, which stands behind the code.

    Copy the file again, or save it as JPEG.
    """
    NOT_FETCHED = "not_fetched"
    """The image could not be fetched from its web address.

    Open the address in a browser; try again with ``--retry-failed``.
    """
    NOT_PROCESSED = "not_processed"
    """The program that decodes or measures the image stopped at it.

    Save it as JPEG and try again; please report the file.
    """


class ImageError(LeafidError):
    """One image cannot be read: a coded ``reason`` and a ``detail`` in plain words."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["ImageError"], tuple[FailureReason, str]]:
        """Support pickling, so that worker processes can return the error."""
        return type(self), (self.reason, self.detail)


class SourceError(LeafidError):
    """A source contains no images or cannot be reached."""


class SplitError(LeafidError):
    """A split would leak a gathering or leave a taxon without training images."""


class WeightsError(LeafidError):
    """Pretrained weights are missing or do not fit the network."""


class RunError(LeafidError):
    """A run folder is missing, not from leafid, or cannot be resumed."""


class BundleError(LeafidError):
    """A bundle is missing, damaged, not from leafid, or newer than this program."""


class OutputError(LeafidError):
    """A result cannot be written, or would overwrite another."""


class InstallationError(LeafidError):
    """Installed packages do not work together."""
