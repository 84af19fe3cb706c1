"""`legion prepare`: write a model that takes an image's bytes and normalises them itself."""

from pathlib import Path
from typing import Annotated

import typer

from legion.cli.console import errors, print_json
from legion.cli.inputs import Normalization
from legion.cli.options import Json, ModelFile
from legion.errors import InputError
from legion.model.normalization import NORMALIZATIONS, ByteNormalization
from legion.model.onnx_import import prepare_model


def prepare(
    model: ModelFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="The ONNX file to write.", show_default=False)],
    normalize: Annotated[
        Normalization | None, typer.Option(help="How the model wants its images; or say so by mean and deviation.")
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="What to subtract from bytes: one number, or one per channel as 1,2,3.")
    ] = None,
    deviation: Annotated[
        str | None, typer.Option(help="What to divide by then: one number, or one per channel as 1,2,3.")
    ] = None,
    input_name: Annotated[str | None, typer.Option("--input", help="Which input, where there are several.")] = None,
    json: Json = False,
) -> None:
    """Write the model with an 8-bit input, normalised by the first operators of its graph.

    Bytes travel instead of floats, a quarter of the size, and the devices do the rest.
    """
    prepared = prepare_model(model, _normalization(normalize, mean, deviation), input_name=input_name)
    try:
        output.write_bytes(prepared)
    except OSError as exc:
        raise InputError(f"cannot write {output}: {exc.strerror}; choose another path or free some space") from exc
    if json:
        print_json({"path": str(output), "size_bytes": len(prepared)})
    else:
        errors.print(f"wrote {output} ({len(prepared) / 1e6:.1f} MB), which takes bytes")


def _normalization(name: Normalization | None, mean: str | None, deviation: str | None) -> ByteNormalization:
    if (name is None) == (mean is None and deviation is None):
        raise InputError("say how images are normalised: either --normalize NAME, or --mean and --deviation")
    if name is not None:
        return NORMALIZATIONS[name]
    return ByteNormalization(mean=_numbers("--mean", mean or "0"), deviation=_numbers("--deviation", deviation or "1"))


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as exc:
        raise InputError(f"{option} {text}: write numbers such as 123.7,116.3,103.5") from exc
