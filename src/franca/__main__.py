"""`python -m franca`: the same as the command `franca`."""

from franca.cli import main

if __name__ == "__main__":
    main()
