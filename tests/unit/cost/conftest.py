"""Lets the tests here use the makers of samples that stand beside the profile's tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "profile"))
