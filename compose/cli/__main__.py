"""`python -m compose.cli`, as `mpirun` and `srun` may need it where the script is not on the path."""

from compose.cli import main

if __name__ == "__main__":
    main()
