"""`python -m dpdash`."""

from dpdash.cli import main

main()
