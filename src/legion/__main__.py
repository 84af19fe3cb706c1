"""`python -m legion` is the command line."""

from legion.cli.main import main

if __name__ == "__main__":
    main()
