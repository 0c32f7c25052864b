"""A decision with the scan it is about: to print, draw, hand on and save."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.beside import beside
from sanum.core.errors import ScanError
from sanum.core.files import atomic_folder, write_json
from sanum.core.records import Detection, Scan, Side
from sanum.formats import nifti_image, write_map, write_volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

    from sanum.formats.nifti import Nifti1Image


@dataclass(frozen=True, eq=False, repr=False)
class CaseDetection(Detection):
    """A detection with the scan it is about, so that it can be drawn and saved.

    Attributes:
        scan: first modality as read; None when it could not be read.
        card: of the model that decided.
        sides: of several modalities each one's scan on the first one's grid, and its own map where it has one.
        labels: (I, J, K) on the map's grid, the rank of the finding that a voxel belongs to, 0 elsewhere.
    """

    scan: Scan | None = None
    card: dict[str, Any] = field(default_factory=dict)
    sides: tuple[Side, ...] = ()
    labels: NDArray[np.uint8] | None = None

    def __repr__(self) -> str:
        """One line: the decision and what it rests on."""
        if self.status == "refused":
            return f"<{self.case}: refused, {self.reason}>"
        rule = "" if self.rule is None else f" (rule: {self.rule})"
        chance = "" if self.p_value is None else f", p = {self.p_value:.3f}"
        largest = max(self.findings, key=lambda one: one.size, default=None)
        found = "" if largest is None else f", the largest {largest.size:.3g} {largest.unit}"
        warned = f"; warning: {' | '.join(self.warnings)}" if self.warnings else ""
        return (
            f"<{self.case}: {self.status}{rule}, score {self.score:.4g} (threshold {self.threshold:.4g}){chance}, "
            f"{len(self.findings)} findings{found}{warned}>"
        )

    def save(self, folder: Path | str) -> Path:
        """Write `detection.json`, map, findings, restored scan, overlays and `report.html` into a folder, all or nothing.

        Raises:
            StorageError: the folder can't be written.
        """
        from sanum.report.case import write_case

        target = Path(folder)
        with atomic_folder(target) as partial:
            write_json(partial / "detection.json", self.to_dict())
            with beside(functools.partial(self._write_volumes, partial)) as written:
                write_case(self, self.scan, partial, self.card, self.sides)
            written()
        return target

    def _write_volumes(self, folder: Path) -> None:
        found = self.anomaly_map
        if found is None:
            return
        write_map(folder, found.values, found.grid, self.map_scale, self.is_image)
        if self.labels is not None and not self.is_image:
            write_volume(folder / "findings.nii.gz", self.labels, found.grid, description="findings")
        if self.restored is not None:
            write_volume(folder / "restored.nii.gz", self.restored, found.grid)

    def to_nibabel(self, part: str = "map") -> Nifti1Image:
        """A volume of this detection as a nibabel image in the scan's own space.

        Args:
            part: "map", the anomaly map (float32, NaN outside what was judged); "scan", the first modality as it was
                read; "restored", the same as it would look in health.

        Raises:
            ScanError: the detection has no such volume.
        """
        values = {
            "map": None if self.anomaly_map is None else self.anomaly_map.values,
            "scan": None if self.scan is None else self.scan.voxels,
            "restored": self.restored,
        }
        if part not in values:
            raise ScanError(f"{self.case}: part {part!r} is none of {', '.join(values)}")
        found = values[part]
        grid = self.scan.grid if self.scan is not None else None
        if found is None or grid is None:
            why = f" ({self.reason})" if self.reason else ""
            raise ScanError(f"{self.case}: there is no {part}, status {self.status}{why}")
        return nifti_image(found, grid)

    def findings_frame(self) -> DataFrame:
        """The findings as a pandas table, one row a finding, most striking first.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("a table of findings needs pandas: pip install pandas") from error

        rows = [{**asdict(one), "deviations": one.deviations} for one in self.findings]
        columns = [
            "rank",
            "size",
            "unit",
            "peak_score",
            "mean_score",
            "peak_mm",
            "p_value",
            "significant",
            "region",
        ]
        return DataFrame(rows).set_index("rank") if rows else DataFrame(columns=columns).set_index("rank")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the most telling slice, with the map in colour where there is one.

        Args:
            ax: matplotlib axes to draw on; a new figure by default.

        Raises:
            ScanError: the scan could not be read, so there is nothing to draw.
        """
        from sanum.report.display import choose_figures, intensity_window, make_views
        from sanum.report.figures import draw_view

        if self.scan is None:
            raise ScanError(f"{self.case}: nothing to draw, the scan was not read ({self.reason})")
        if ax is None:
            from matplotlib import pyplot

            _, ax = pyplot.subplots()
        view = make_views(self.scan, self, choose_figures(self.scan, self)[0][:1])[0]
        shown = None if self.anomaly_map is None else self.map_scale
        draw_view(ax, view, intensity_window(self.scan, self.anomaly_map), shown)
        ax.set_title(f"{self.case}: {self.status}")
        return ax

    def _repr_html_(self) -> str:
        """The report's card, for notebooks."""
        from sanum.report.case import case_card

        return case_card(self, self.scan)
