"""`python cli.py …`: the same app as the installed command `ensemble-kit`."""

from ensemble_kit.cli.start import main

if __name__ == "__main__":
    main()
