"""What the lowerings of all front ends share: emitting layers, values and their layout, arithmetic, refusals."""
