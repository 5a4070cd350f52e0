"""A network as a Python file: terms, what they have in common, and how they are laid out."""
