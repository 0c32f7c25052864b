"""Networks: plain modules, each with its frozen config beside it. Importing one imports torch."""
