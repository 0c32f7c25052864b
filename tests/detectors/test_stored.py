"""A detector inside another's state is described so that fields gained later don't change the state's identity."""

import json

from sanum.detectors.restore import Config, Restore
from sanum.detectors.stored import ABOUT, from_nested, nested
from tests.phantoms import prepared_case

TINY = Config(widths=(4, 8), epochs=1, batch=4)


def test_a_nested_detector_comes_back_and_names_no_later_field_that_lies_at_its_default():
    inner = Restore(TINY, ("T1w",)).fit([prepared_case(0), prepared_case(1)], seed=0)
    state = nested(inner, "inner.")
    config = json.loads(bytes(state["inner." + ABOUT]))["config"]
    assert "channel_dropout" not in config
    assert "number" not in config["lesions"]
    again = from_nested(state, "inner.", "here")
    assert again.state_sha256() == inner.state_sha256()
    assert again.config == TINY
