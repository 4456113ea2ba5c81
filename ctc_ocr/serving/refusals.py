"""Why a request is not answered: an HTTP status and a reason for the person at the other end."""


class Refusal(Exception):
    """A request that is refused. retry_after: seconds after which it may be tried again, for status 503; close: the
    connection ends with the answer, and not with the request."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None, close: bool = False) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason
        self.headers: dict[str, str] = {}
        if retry_after is not None:
            self.headers["retry-after"] = str(retry_after)
        if close:
            self.headers["connection"] = "close"


def busy(reason: str) -> Refusal:
    """Too much at once; it may be tried again in a second."""
    return Refusal(503, reason, retry_after=1)
