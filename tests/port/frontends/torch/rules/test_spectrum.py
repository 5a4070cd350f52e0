"""Complex numbers and Fourier transforms."""

from __future__ import annotations

import pytest
import torch

from tests.port.frontends.torch.rules.single_operations import verified


def _turned(x):
    """Rotary positions by complex numbers, as Llama's first code has them."""
    angles = torch.outer(torch.arange(3.0), torch.tensor([1.0, 0.5, 0.25]))
    pairs = torch.view_as_complex(x.unflatten(-1, (3, 2)))
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(2)


OPERATIONS = {
    "real": lambda x: torch.fft.irfft(torch.fft.rfft(x, norm="ortho") * 2, n=6),
    "complex": lambda x: torch.fft.ifft2(torch.fft.fft2(x)).real,
    "magnitude": lambda x: torch.fft.rfftn(x, dim=(1, 2)).abs(),
    "an output that is complex": lambda x: torch.fft.fft(x, norm="forward"),
    "conjugate": lambda x: (torch.fft.fft(x) * torch.fft.fft(x).conj()).real,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])


def test_rotary_positions():
    verified(_turned)
