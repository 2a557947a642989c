"""`python -m analysis` is `falco-casebook`."""

from analysis.cli import main

main()
