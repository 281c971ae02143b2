"""What in a Dockerfile decides a stage: its own lines and those of the stages it is made from."""

import re

STAGE = re.compile(r"FROM +(?P<source>\S+) +AS +(?P<name>\S+)", re.IGNORECASE)
SOURCE = re.compile(r"^FROM +(\S+)|--from=([^\s,]+)", re.IGNORECASE | re.MULTILINE)
HEAD = ""  # the lines before the first stage, which every stage may use


def stages(text: str, target: str) -> str:
    """The lines that decide ``target``, comments left out, in the file's order.

    Raises:
        KeyError: no stage of that name.
    """
    parts = split(text)
    wanted, to_visit = {HEAD}, [target]
    while to_visit:
        name = to_visit.pop()
        wanted.add(name)
        to_visit += [source for source in sources(parts[name]) if source in parts and source not in wanted]
    return "\n".join(line for name, lines in parts.items() if name in wanted for line in lines)


def split(text: str) -> dict[str, list[str]]:
    """Every stage's lines by its name."""
    parts: dict[str, list[str]] = {HEAD: []}
    current = HEAD
    for line in (line.rstrip() for line in text.splitlines()):
        if found := STAGE.match(line):
            current = found["name"]
        if line and not line.startswith("#"):
            parts.setdefault(current, []).append(line)
    return parts


def sources(lines: list[str]) -> list[str]:
    """What a stage starts from and copies from: stages, images or arguments."""
    return [started or copied for started, copied in SOURCE.findall("\n".join(lines))]
