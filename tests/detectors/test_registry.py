"""The list of detectors is light, and misspelt names are met with the nearest one."""

import subprocess
import sys

import pytest

from sanum.core.errors import ConfigError
from sanum.detectors import DETECTORS, detector_class


def test_listing_detectors_and_recipes_does_not_import_torch():
    program = (
        "import sys, sanum.detectors, sanum.detectors.base, sanum.detectors.recipes;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'scipy', 'nibabel')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_names_are_unique():
    assert len({entry.name for entry in DETECTORS}) == len(DETECTORS)


def test_a_misspelt_detector_names_the_nearest():
    with pytest.raises(ConfigError, match="unknown detector 'atlass'; did you mean 'atlas'"):
        detector_class("atlass")
