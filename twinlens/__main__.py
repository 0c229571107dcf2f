"""`python -m twinlens`, and `torchrun -m twinlens train`."""

from twinlens.cli import main

if __name__ == "__main__":
    main()
