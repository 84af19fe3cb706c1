"""Builds the part of Legion that is written in C, wherever the package is installed from its source."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

FLAGS = ("-O2", "-std=c11", "-ffp-contract=off", "-shared", "-fPIC")
"""No contraction: fused operations round otherwise, and prices would depend on the processor."""


class CompileHook(BuildHookInterface):
    """Compiles what the search has in C beside its source, with the compiler that CC names, else with cc."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises SystemExit where it can't be compiled."""
        folder = Path(self.root, "src/legion/search")
        library = folder / "libsearch.so"
        compiler = shlex.split(os.environ.get("CC", "cc"))
        try:
            subprocess.run([*compiler, *FLAGS, "-o", library, *sorted(folder.glob("*.c")), "-lm"], check=True)
        except FileNotFoundError as error:
            raise SystemExit("Legion needs a C compiler; on Debian: apt-get install gcc libc6-dev") from error
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"the C compiler {compiler[0]} failed; what it printed says why") from error
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(platform_tags())}"
        if version == "standard":
            build_data["force_include"][str(library)] = "legion/search/libsearch.so"
