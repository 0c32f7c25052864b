"""Coded words of the results. Where no standard vocabulary has one, it is ours: scheme 99SANUM."""

from __future__ import annotations

from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

SCHEME = "99SANUM"
NO_UNIT = CodedConcept("1", "UCUM", "no units")
SURPRISE = CodedConcept("{surprise}", "UCUM", "surprise")
MILLIMETRE = CodedConcept("mm", "UCUM", "mm")
MILLILITRE = CodedConcept("mL", "UCUM", "mL")

ABNORMAL_STRUCTURE = CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure")
DEPARTURE = CodedConcept("departure", SCHEME, "Departure from the healthy reference")
BRAIN = CodedConcept("12738006", "SCT", "Brain")
VOLUME = CodedConcept("118565006", "SCT", "Volume")
COMMENT = CodedConcept("121106", "DCM", "Comment")
AI = codes.cid7162.ArtificialIntelligence
PROCEDURES = {
    "MR": CodedConcept("24590-2", "LN", "MR Brain"),
    "CT": CodedConcept("24725-4", "LN", "CT Head"),
}

SCORE = CodedConcept("score", SCHEME, "Anomaly score")
THRESHOLD = CodedConcept("threshold", SCHEME, "Threshold of the anomaly score")
P_VALUE = CodedConcept("p-value", SCHEME, "Conformal p-value against healthy scans")
LEVEL = CodedConcept("level", SCHEME, "Level of the decision rule")
RULE = CodedConcept("rule", SCHEME, "Decision rule")
DECISION = CodedConcept("decision", SCHEME, "Decision")
PEAK = CodedConcept("peak", SCHEME, "Highest anomaly score of the region")
MEAN = CodedConcept("mean", SCHEME, "Mean anomaly score of the region")
SIGNIFICANT = CodedConcept("significant", SCHEME, "Significance at the level of the rule")
POSITION = tuple(
    CodedConcept(f"peak-{axis}", SCHEME, f"Peak position towards the patient's {side}")
    for axis, side in (("x", "left"), ("y", "back"), ("z", "head"))
)
"""Along the axes of the DICOM patient coordinate system, LPS."""
MNI_POSITION = tuple(
    CodedConcept(f"mni-{axis}", SCHEME, f"Peak position in the MNI template, {axis}") for axis in "xyz"
)
"""Along the axes of the template, RAS."""


def ours(value: str, meaning: str) -> CodedConcept:
    """A word of our own scheme; code values have at most 16 characters."""
    return CodedConcept(value[:16], SCHEME, meaning)


SIGNIFICANCE = {
    True: ours("yes", "significant"),
    False: ours("no", "not significant"),
    None: ours("untested", "not tested: no healthy findings to compare with"),
}
