"""Commands that consist of commands: the list of them, and what is said of a name that is none."""

from collections.abc import Mapping

from ctc_ocr.cli.suggestions import see_help
from ctc_ocr.runtime.suggestions import did_you_mean, like


def listed(prog: str, commands: Mapping[str, str]) -> str:
    """The usage, and a line for each command of {name: help}."""
    lines = [f"  {name:<10}{text}" for name, text in commands.items()]
    return "\n".join([f"usage: {prog} COMMAND [--help] ...", "", *lines])


def unknown(prog: str, name: str, commands: Mapping[str, str]) -> str:
    """The line about a name that is no command."""
    reason = f"no command {name!r}; expected one of {', '.join(commands)}{did_you_mean(like(name, commands))}"
    return f"{prog}: error: {reason}{see_help(reason, prog)}"
