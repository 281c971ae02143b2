"""The shell blocks (```sh) of a page of the documentation, by the heading that they stand under."""

import re
from pathlib import Path

HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shell_blocks(page: Path) -> dict[str, str]:
    """Heading to its blocks, joined; headings without any are left out. In the page's order."""
    _, *parts = HEADING.split(page.read_text())
    found = {heading: "".join(BLOCK.findall(text)) for heading, text in zip(parts[::2], parts[1::2], strict=True)}
    return {heading: script for heading, script in found.items() if script}
