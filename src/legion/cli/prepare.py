"""`legion prepare`: write a model whose messages are smaller: an image's bytes, and half precision between layers."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from legion.cli.console import errors, print_json, progress_bar
from legion.cli.inputs import Normalization
from legion.cli.options import Json, ModelFile, Sizes, read_sizes
from legion.cli.running import effect_line
from legion.errors import InputError
from legion.model.normalization import NORMALIZATIONS, ByteNormalization
from legion.model.onnx_import import halve_messages, load_model, prepare_model
from legion.session.compare import Effect, effect_of_change
from legion.session.feeds import sample_feeds

_SAMPLES = 5
"""Seeded inputs on which the effect of half precision is measured."""

_SAY_HOW = "say how images are normalised: either --normalize NAME, or --mean and --deviation"


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
    half_precision: Annotated[
        bool,
        typer.Option("--half-precision", help="Round what layers hand to one another to float16; says the effect."),
    ] = False,
    size: Sizes = None,
    json: Json = False,
) -> None:
    """Write the model so that less travels: with an 8-bit input, with half precision between layers, or both.

    An 8-bit input is normalised by the first operators of the graph: bytes travel instead of floats, a quarter of the
    size. Half precision halves what layers hand to one another; it changes the outputs, and how much is printed.
    """
    normalization = _normalization(normalize, mean, deviation)
    if normalization is None and input_name is not None:
        raise InputError(f"--input {input_name} takes bytes: {_SAY_HOW}")
    if size and not half_precision:
        raise InputError("--size is for --half-precision, whose effect is measured on inputs of that size")
    exact = model if normalization is None else prepare_model(model, normalization, input_name=input_name)
    effect = None
    if half_precision:
        content, effect = _halved(exact, read_sizes(size))
    elif isinstance(exact, bytes):
        content = exact
    else:
        raise InputError(f"{_SAY_HOW}; or ask for --half-precision")
    try:
        output.write_bytes(content)
    except OSError as exc:
        raise InputError(f"cannot write {output}: {exc.strerror}; choose another path or free some space") from exc
    if json:
        print_json({"path": str(output), "size_bytes": len(content), "effect": effect})
        return
    takes = "" if normalization is None else ", which takes bytes"
    errors.print(f"wrote {output} ({len(content) / 1e6:.1f} MB){takes}")
    if effect is not None:
        errors.print(f"half precision, on {effect.inputs} seeded inputs: {effect_line(effect)}")


def _halved(exact: Path | bytes, sizes: Mapping[str, int]) -> tuple[bytes, Effect]:
    """The model with half precision between its layers, and what that does to its outputs."""
    with progress_bar() as progress:
        progress("rounding, and running the model before and after", 0.0)
        halved = halve_messages(exact, sizes=sizes)
        model = load_model(halved, sizes=sizes)
        effect = effect_of_change(exact, halved, [sample_feeds(model, seed) for seed in range(_SAMPLES)])
    if not isfinite(effect.difference.max_absolute):
        raise InputError(
            "in half precision the outputs are no longer finite, since layers hand on numbers beyond 65504; "
            "leave out --half-precision"
        )
    return halved, effect


def _normalization(name: Normalization | None, mean: str | None, deviation: str | None) -> ByteNormalization | None:
    """What the options say of an image's bytes; None where they say nothing."""
    if mean is None and deviation is None:
        return None if name is None else NORMALIZATIONS[name]
    if name is not None:
        raise InputError(_SAY_HOW)
    return ByteNormalization(mean=_numbers("--mean", mean or "0"), deviation=_numbers("--deviation", deviation or "1"))


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as exc:
        raise InputError(f"{option} {text}: write numbers such as 123.7,116.3,103.5") from exc
