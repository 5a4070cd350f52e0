"""The rules of this front end: one file for each kind of operation, with the same names in every front end."""
