"""`python -m ensemble_kit.cli …`: the same app as `python cli.py …`."""

from ensemble_kit.cli.start import main

if __name__ == "__main__":
    main()
