"""MXNet's errors in one line."""

import re


def reason_of(error: Exception | str) -> str:
    """The message of an MXNetError, or of MXNet's last error, without its stack trace and source line."""
    lines = str(error).splitlines() or ["an error without a message"]
    message = next((line for line in lines if "Error:" in line), lines[0])
    return re.sub(r"^\S*Error: |\[[\d:]+\] \S+: ", "", message).strip()
