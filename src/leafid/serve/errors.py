"""Errors of requests, each with the status of HTTP that it is answered with."""

from http import HTTPStatus

from starlette.responses import JSONResponse


class RequestError(Exception):
    """A request that cannot be answered: its HTTP status and a message for its sender."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        message = message.encode("utf-8", "backslashreplace").decode()  # it may quote what is no valid text
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}

    @property
    def body(self) -> dict[str, object]:
        """The answer, in the form that Pl@ntNet gives its errors."""
        return {"statusCode": self.status, "error": HTTPStatus(self.status).phrase, "message": self.message}


class Busy(RequestError):
    """Too many requests wait.

    Args:
        waiting: their number.
        workers: processes that answer them, each about one in a second.
    """

    def __init__(self, waiting: int, workers: int) -> None:
        seconds = max(1, round(waiting / (2 * workers)))
        super().__init__(
            429,
            f"{waiting} requests wait already. Try again in {seconds} seconds.",
            {"Retry-After": str(seconds)},
        )


def error_response(error: RequestError) -> JSONResponse:
    """Return the answer to a request that failed.

    The rest of a body that is too large or too slow is not read, so the connection is of no further use.
    """
    headers = {**error.headers, "Connection": "close"} if error.status in (408, 413) else error.headers
    return JSONResponse(error.body, error.status, headers)
