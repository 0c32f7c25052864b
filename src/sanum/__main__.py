"""`python -m sanum` is the command `sanum`."""

from sanum.cli.app import main

main()
