"""`python -m dpdash`."""

from dpdash.cli.app import main

main()
