"""What a series is where it is no volume of the whole head that a detector could judge: a localizer, a map, …

The image type and the sequence's name tell it where scanners keep to the standard, else the description does.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from sanum.formats.dicom.acquisition import Acquisition

FEWEST_SLICES = 8
"""A head seen in fewer slices is a localizer or a piece of one."""


@dataclass(frozen=True)
class _Kind:
    """A kind of series, and any one sign of it.

    Attributes:
        name: as a person calls it, with its article.
        types: values of ImageType or FrameType.
        sequence: beginning of a Siemens sequence name; scanners of other makers leave it out or use other words.
        described: in the description, in lower case.
        of_ct: CT has it too; other words mean something else there ("haemorrhage").
    """

    name: str
    types: frozenset[str] = frozenset()
    sequence: re.Pattern[str] = re.compile(r"(?!)")
    described: re.Pattern[str] = re.compile(r"(?!)")
    of_ct: bool = False


def _whole(words: str) -> re.Pattern[str]:
    """Any of these words, between anything but letters."""
    return re.compile(rf"(?<![a-z])(?:{words})(?![a-z])")


_KINDS = (
    _Kind(
        "a localizer",
        frozenset({"LOCALIZER"}),
        described=re.compile(r"locali[sz]er|scout|survey|(?<![a-z])loc(?![a-z])|(?<![a-z0-9])3.?plane"),
        of_ct=True,
    ),
    _Kind(
        "a picture of a screen",
        frozenset({"SCREEN SAVE", "SCREENSHOT", "CSA REPORT", "MONTAGE"}),
        described=re.compile(r"screen|key.?image|report$|patient.?protocol|evidence"),
        of_ct=True,
    ),
    _Kind(
        "a phase image",
        frozenset({"P", "PHASE", "PHASE MAP", "PHASE_MAP", "PHASE CONTRAST", "PCA"}),
        described=re.compile(r"phase.?(map|image|diff|contrast)|_ph(a|ase)?$"),
    ),
    _Kind("a real or imaginary part", frozenset({"R", "I", "REAL", "IMAGINARY"})),
    _Kind(
        "a field map",
        frozenset({"B0", "B0 MAP", "B1", "B1 MAP", "FIELD_MAP", "FIELD MAP", "FIELDMAP"}),
        re.compile(r"fm\dd"),
        re.compile(r"field.?map|fmap|gre.?field|topup|(?<![a-z])b[01]([ _-]?map|$)|field.?echo.?map"),
    ),
    _Kind(
        "diffusion",
        frozenset({"DIFFUSION", "ADC", "TRACEW", "TRACE", "FA", "TENSOR", "TENSOR_B0", "EADC", "EXP_ADC"}),
        re.compile(r"ep_b\d|re_b\d|ez_b\d"),
        re.compile(r"dwi|dti|(?<![a-z])adc|trace|diffusion|tensor|(?<![a-z])fa$|apparent.?diff|dw.?epi"),
    ),
    _Kind(
        "perfusion",
        frozenset(
            {
                "PERFUSION",
                "ASL",
                "RELCBF",
                "RELCBV",
                "RELMTT",
                "CBF",
                "CBV",
                "MTT",
                "TTP",
                "TMAX",
                "PBP",
                "GBP",
            }
        ),
        described=re.compile(
            r"perf|asl(?![a-z])|(?<![a-z])(rel|r)?cb[fv]|(?<![a-z])(mtt|ttp|tmax|dsc|dce)(?![a-z])"
        ),
        of_ct=True,
    ),
    _Kind(
        "functional imaging",
        frozenset({"FMRI", "T-TEST", "TTEST"}),
        described=re.compile(r"bold|fmri|resting|(?<![a-z])(rest|task)(?![a-z])"),
    ),
    _Kind(
        "echo-planar imaging",
        sequence=re.compile(r"epf?id|epse|ep2d"),
        described=re.compile(r"ep2d|(?<![a-z])epi(?![a-z])"),
    ),
    _Kind(
        "a projection of maxima or minima",
        frozenset({"PROJECTION IMAGE", "MIP", "MIN_IP", "MINIP", "MNIP", "MAXIMUM", "MINIMUM", "COLLAPSE"}),
        described=re.compile(r"(?<![a-z])m[ai]?n?x?ip(?![a-z])|collapse|projection"),
        of_ct=True,
    ),
    _Kind(
        "angiography",
        frozenset({"ANGIO", "TOF"}),
        described=re.compile(r"angio|venogra|(?<![a-z])(tof|cta|cemra|mra|mrv|pc.?mra|carotid)"),
        of_ct=True,
    ),
    _Kind(
        "susceptibility weighting or T2*",
        frozenset({"SWI", "SWI_MAG", "QSM"}),
        re.compile(r"swi"),
        re.compile(r"swi|swan|(?<![a-z])qsm|t2.?(\*|star)|h(a?)emo|(?<![a-z])venobold"),
    ),
    _Kind(
        "a derived map",
        frozenset(
            {
                "T1 MAP",
                "T2 MAP",
                "T2_STAR MAP",
                "T1_MAP",
                "T2_MAP",
                "R2 MAP",
                "R2_STAR MAP",
                "PD MAP",
                "OTHER MAP",
            }
        ),
        described=_whole("t1map|t2map|maps?|relaxometry|syn(the)?t?ic"),
    ),
    _Kind(
        "a difference of images",
        frozenset({"SUB", "SUBTRACT", "SUBTRACTION"}),
        described=_whole("sub|subtract(ion|ed)?"),
    ),
    _Kind("spectroscopy", frozenset({"SPECTROSCOPY"}), described=_whole("svs|csi|spectro.*|press|mrs")),
    _Kind(
        "a calibration scan",
        described=re.compile(
            r"calib|asset.?cal|ref.?scan|prescan|shim|(?<![a-z])(sense.?ref|noise)(?![a-z])"
        ),
    ),
)


def unfit(
    description: str,
    acquisition: Acquisition,
    types: Collection[str],
    *,
    is_ct: bool,
    b_value: float,
    slices: int | None,
) -> str:
    """What a series is instead of a plain volume of a head, as words for a person; "" where nothing tells against it.

    Args:
        description: as the scanner's operator wrote it.
        acquisition: as the headers tell.
        types: values of ImageType and of an enhanced file's FrameType, upper case.
        is_ct: the series is CT.
        b_value: of diffusion, s/mm².
        slices: how many a volume has; None for what makes no volume.
    """
    if acquisition.captured:
        return "a picture of a screen"
    if b_value > 0:
        return "diffusion"
    kinds = [kind for kind in _KINDS if kind.of_ct or not is_ct]
    told, text = set(types), description.lower()
    for kind in kinds:
        if told & kind.types or kind.sequence.match(acquisition.sequence):
            return kind.name
    for kind in kinds:
        if kind.described.search(text):
            return kind.name
    return f"{slices} slices only" if slices is not None and slices < FEWEST_SLICES else ""
