"""`python -m ensemble_kit.commands …`: the same app as `python cli.py …`."""

from ensemble_kit.commands.app import main

if __name__ == "__main__":
    main()
