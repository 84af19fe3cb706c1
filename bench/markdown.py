"""Tables in Markdown files: a command writes what stands between `<!-- table: NAME -->` and `<!-- end -->`."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def markdown_table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A table; cells are written as they are."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def fill_tables(path: Path, blocks: Mapping[str, str]) -> None:
    """Put each block in the place of its name; raises ValueError where the file has no such place."""
    text = path.read_text(encoding="utf-8")
    for name, block in blocks.items():
        begin, end = f"<!-- table: {name} -->", "<!-- end -->"
        whole = f"{begin}\n{block}\n{end}"
        text, found = re.subn(rf"{re.escape(begin)}.*?{end}", lambda _, whole=whole: whole, text, flags=re.DOTALL)
        if not found:
            raise ValueError(f"{path} has no place for the table {name}")
    path.write_text(text, encoding="utf-8")
