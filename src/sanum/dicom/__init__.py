"""What sanum writes as DICOM, and how a patient's identity is taken out of DICOM; both need `sanum[dicom]`."""
