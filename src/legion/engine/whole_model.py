"""ONNX Runtime on a whole model file as it is: what every split answer is compared with."""

from collections.abc import Mapping
from pathlib import Path

from legion.engine import onnx_session
from legion.errors import InputError
from legion.model.model import Array


class WholeModel:
    """A model file, or its bytes, in one ONNX Runtime session on this processor.

    Raises InputError where ONNX Runtime does not take it.
    """

    def __init__(self, model: str | Path | bytes, *, threads: int = 1) -> None:
        onnx_session.claim_process(threads)
        try:
            self._session = onnx_session.open_whole(str(model) if isinstance(model, Path) else model, threads)
        except Exception as exc:
            raise InputError(f"ONNX Runtime cannot run the whole model: {exc}") from exc

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name. Raises InputError where the feeds do not fit."""
        try:
            outputs = self._session.run([feeds[name] for name in self._session.inputs])
        except Exception as exc:
            raise InputError(f"ONNX Runtime cannot run the whole model on these feeds: {exc}") from exc
        return dict(zip(self._session.outputs, outputs, strict=True))
