"""``python -m leafid``: the program, where its script is not on the PATH."""

from leafid.cli import main

if __name__ == "__main__":
    main()
