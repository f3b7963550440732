"""`python -m windlass`."""

from windlass.main import main

if __name__ == "__main__":
    main()
