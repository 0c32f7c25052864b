"""Taking a patient's identity out of DICOM: what is not on the list of kept attributes goes, whatever it is.

Follows the basic profile of DICOM PS3.15 annex E with the options to retain device-independent patient characteristics
(sex and age); dates are removed, unique identifiers are replaced by ones that stay the same within one secret.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import warnings
from pathlib import Path
from typing import Any

from sanum.core.errors import ScanError

METHOD = "sanum: kept attributes only, UIDs and ID replaced"
OLDEST = 89
"""Higher ages are rare enough to tell a person; they become this one."""


def _listed(name: str) -> frozenset[str]:
    return frozenset(Path(__file__).with_name(name).read_text(encoding="utf-8").split())


KEPT = _listed("kept_attributes.txt")
"""Attributes that stay: geometry, pixels, and how they were acquired; sequences are looked into with the same list."""

WORDS = _listed("kept_words.txt")
"""Words of protocols that may stay in a series' description, which people write freely."""


class Deidentifier:
    """Replaces identities by ones that only the holder of the secret can make again.

    Args:
        secret: the same one gives the same pseudonyms, so that the files of one study stay together.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def file(self, path: Path) -> Path:
        """Write a de-identified copy beside a DICOM file.

        Raises:
            ScanError: not readable, or the header says that identities are burnt into the pixels.
        """
        from pydicom import dcmread

        target = path.with_name(f"clean-{path.name}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote values, which may be names
            try:
                dataset = self.dataset(dcmread(path))
                dataset.save_as(target, enforce_file_format=True)
            except ScanError:
                raise
            except Exception as error:  # on damaged files pydicom raises errors of any type
                raise ScanError(
                    f"a DICOM file can't be de-identified ({type(error).__name__}); it is damaged, send it again"
                ) from error
        return target

    def dataset(self, source: Any) -> Any:
        """A new data set of the kept attributes, with or without pixels.

        Raises:
            ScanError: the header says that identities are burnt into the pixels.
        """
        if str(source.get("BurnedInAnnotation") or "").upper() == "YES":
            raise ScanError(
                "identities are burnt into the pixels of a DICOM file, says its header; it can't be de-identified"
            )
        made = self._kept(source)
        pseudonym = self.person(source)
        made.PatientID, made.PatientName = pseudonym, f"{pseudonym}^"
        made.PatientBirthDate = made.StudyDate = made.StudyTime = ""
        made.AccessionNumber = made.StudyID = made.ReferringPhysicianName = ""
        made.PatientIdentityRemoved, made.DeidentificationMethod = "YES", METHOD
        made.PatientAge = _age(str(source.get("PatientAge") or ""))
        if "SeriesDescription" in made:
            made.SeriesDescription = _known_words(str(made.SeriesDescription))
        made.file_meta = _meta(source, made)
        return made

    def _kept(self, source: Any) -> Any:
        from pydicom import Dataset

        made = Dataset()
        for element in source:
            if element.keyword not in KEPT:
                continue
            if element.VR == "SQ":
                setattr(made, element.keyword, [self._kept(item) for item in element.value])
            elif element.VR == "UI" and not str(element.value).startswith("1.2.840.10008."):
                setattr(made, element.keyword, self.uid(str(element.value)))
            else:
                made[element.tag] = element
        return made

    def person(self, header: Any) -> str:
        """The pseudonym of a header's patient, also where it was put there before."""
        if header.get("DeidentificationMethod") == METHOD:
            return str(header.PatientID)
        return self._digest(str(header.get("PatientID") or header.get("PatientName") or ""))[:16].upper()

    def study(self, header: Any) -> str:
        """The identifier that stands for a header's study, also where it was put there before."""
        uid = str(header.StudyInstanceUID)
        return uid if header.get("DeidentificationMethod") == METHOD else self.uid(uid)

    def uid(self, uid: str) -> str:
        """The identifier that stands for another one."""
        return "2.25." + str(int(self._digest(uid)[:32], 16))

    def _digest(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def kept_secret(path: Path) -> bytes:
    """The secret of a file that only its owner can read; made when it is missing, by whichever process is first."""
    if not path.exists():
        partial = path.with_name(f"{path.name}-{os.getpid()}")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(32))
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(partial)
        partial.unlink()
    return path.read_bytes()


def _meta(source: Any, made: Any) -> Any:
    from pydicom.dataset import FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    return meta


def _age(text: str) -> str:
    years = re.fullmatch(r"(\d{3})Y", text)
    return (
        f"{min(int(years.group(1)), OLDEST):03d}Y"
        if years
        else text
        if re.fullmatch(r"\d{3}[DWM]", text)
        else ""
    )


def _known_words(text: str) -> str:
    return " ".join(word for word in re.findall(r"[a-z0-9]+", text.lower()) if word in WORDS)
