"""What front ends that read tensors share: values with their layout, and the layers that move them."""
