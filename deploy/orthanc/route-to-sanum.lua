-- Orthanc sends every CT and MR picture that arrives to the modality "sanum" (DicomModalities in orthanc.json).
-- Results come back as SEG, SR, OT and DOC, so they are never sent round again.
function OnStoredInstance(instanceId, tags, metadata, origin)
  if tags["Modality"] == "MR" or tags["Modality"] == "CT" then
    SendToModality(instanceId, "sanum")
  end
end
