"""`python -m kurama_cli`."""

from kurama_cli.main import main

main()
