"""Each modality's scan is shown with its own map, also where its channels are windows of one CT."""

import numpy as np

from sanum.core.records import AnomalyMap, Scan, Source
from sanum.workflow.disagreement import sides
from tests.phantoms import pair_case


def test_a_ct_of_windows_is_shown_with_the_highest_map_of_its_windows():
    case = pair_case(0)
    shape = case.grid.shape
    scans = {
        name: Scan(np.zeros(case.native.shape, np.float32), case.native, name, Source(name, ""))
        for name in ("CT", "T1w")
    }
    low, high = (np.full(shape, value, np.float32) for value in (0.5, 2.0))
    parts = {"CT:bone: fused": high, "CT:brain: fused": low, "T1w: fused": low, "CT:bone: own": low}
    shown = sides(scans, case, AnomalyMap(case.case, low, case.grid, "cross-modal", parts))
    assert [side.modality for side in shown] == ["CT", "T1w"]
    assert [float(np.nanmax(side.anomaly_map.values)) for side in shown] == [2.0, 0.5]
