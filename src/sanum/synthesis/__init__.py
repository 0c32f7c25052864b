"""Made subjects, lesions and artefacts: seeded, so that each can be made again."""
