"""Errors meant for the person at the terminal: shown as one sentence, without a traceback."""


class UserError(Exception):
    """What was wrong, where, and what is accepted. `exit_status` is what the command ends with."""

    exit_status = 1


class InputError(UserError):
    """Bad arguments, a bad file from outside, or a missing extra (exit status 2)."""

    exit_status = 2


class RunError(UserError):
    """A run that failed while it worked (exit status 1)."""

    exit_status = 1
