"""A hook of MkDocs: the hyperparameters of a section, in place of `<!-- hyperparameters: SECTION -->`."""

import math
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # mkdocs is run in the checkout

from ctc_ocr.config.hyperparameters import options  # noqa: E402
from ctc_ocr.config.schema import Option  # noqa: E402

MARKER = re.compile(r"<!-- hyperparameters: (\w+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    return MARKER.sub(lambda found: "\n".join(listed(found[1])), markdown)


def listed(section: str) -> Iterator[str]:
    """A list of the section's fields, as HTML."""
    yield '<dl class="flags">'
    for option in options().values():
        if option.section == section:
            kind = option.type.__name__ if isinstance(option.type, type) else str(option.type)
            yield f"<dt><code>{option.name}: {escape(kind)} = {escape(repr(option.default))}</code></dt>"
            yield f"<dd>{escape(described(option))}</dd>"
    yield "</dl>"


def described(option: Option) -> str:
    """Help, accepted values, and what it has an effect with."""
    rule = option.rule
    text = f"{rule.help[0].upper()}{rule.help[1:]}."
    if rule.accepted:
        text += f" Accepted: {', '.join(map(repr, rule.accepted))}."
    bounds = [f"{each:g}" for each in (rule.minimum, rule.maximum) if math.isfinite(each)]
    if len(bounds) == 2:
        text += f" From {bounds[0]} to {bounds[1]}."
    elif bounds:
        text += f" At least {bounds[0]}."
    for name, values in rule.requires.items():
        text += f" Only with {name} {' or '.join(map(repr, values))}."
    return text
