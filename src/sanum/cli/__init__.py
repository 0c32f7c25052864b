"""The `sanum` command: each verb parses, calls the workflow, and prints."""
