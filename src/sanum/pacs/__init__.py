"""The network side of DICOM: scans arrive by themselves, results go back; needs `sanum[dicom]`."""
