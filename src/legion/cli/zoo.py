"""`legion zoo`: write a network of the zoo."""

from pathlib import Path
from typing import Annotated

import typer

from legion.cli.console import errors, print_json
from legion.cli.options import Json
from legion.model import zoo as networks

Name = Annotated[str, typer.Argument(help=", ".join(networks.NAMES), show_default=False)]


def zoo(
    name: Name,
    output: Annotated[Path, typer.Option("-o", "--output", help="The ONNX file to write.", show_default=False)],
    size: Annotated[int | None, typer.Option(help="Height and width of the input; by default as published.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the weights.")] = 0,
    json: Json = False,
) -> None:
    """Write a well-known network with seeded weights as an ONNX file."""
    networks.write(name, output, size, seed)
    size_bytes = output.stat().st_size
    if json:
        print_json({"name": name, "path": str(output), "size_bytes": size_bytes, "seed": seed})
    else:
        errors.print(f"wrote {name} to {output} ({size_bytes / 1e6:.1f} MB)")
