"""The same work in each library, as its own quick start writes it: `epoch(work)` returns a function that trains once.

`peers.py` runs them, each in a process of its own.
"""
