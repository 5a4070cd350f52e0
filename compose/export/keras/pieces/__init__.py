"""What Keras has not: quoted by the files that need it, and imported by none."""
