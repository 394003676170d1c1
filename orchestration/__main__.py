"""`python -m orchestration …`, the same as `soulfra …`."""

from orchestration.main import main

if __name__ == "__main__":
    main()
