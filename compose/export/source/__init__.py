"""What the writers of source code share: values, the code of a file, the walk, the proof."""
