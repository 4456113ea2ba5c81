"""A hook of MkDocs: flags in running text get a class, so that lines do not break after their hyphens."""

import re
from typing import Any

FLAG = re.compile(r"<code>(--[\w-]{1,28})</code>")


def on_page_content(html: str, **_: Any) -> str:
    return FLAG.sub(r'<code class="flag">\1</code>', html)
