"""The form of a network that runs fastest: the same network, its numbers laid out for the processor.

Convolutions run on images whose channels lie last in memory, spectra as images one pixel high, so
that processors with matrix units use them. Weights may be bfloat16; sums stay in float32.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def inference_form(model: nn.Module, precision: str = "fp32") -> nn.Module:
    """Return a copy of a network for running only; it takes and returns what the network does.

    Parameters
    ----------
    model
        Any of ours; it is not changed, and shares its parameters where they need no conversion.
    precision
        ``"fp32"``, or ``"bf16"`` to multiply in bfloat16.
    """
    of_lines = any(isinstance(module, nn.Conv1d) for module in model.modules())
    # The parameters are not copied: a published HyRISR has 600 MB of them.
    net = copy.deepcopy(model, {id(p): p for p in model.parameters()})
    _convert(net, DTYPES[precision])
    return (_OfLines(net) if of_lines else net).eval()


def deviation(result: Tensor, reference: Tensor) -> float:
    """Return the relative L2 distance of a result from its reference."""
    return float((result - reference).norm() / reference.norm().clamp(min=1e-30))


class _OfLines(nn.Module):
    """Runs spectra as images one pixel high."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 1, channel) to the same shape."""
        lines = x[:, :, None].contiguous(memory_format=torch.channels_last)
        out: Tensor = self.net(lines)[:, :, 0].to(x.dtype)
        return out


class _Convolution(nn.Conv2d):
    """A convolution that brings its input to the precision and layout of its weights."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (batch, width, y, x) to the same size."""
        here = input.to(self.weight.dtype, memory_format=torch.channels_last)
        return super().forward(here)


class _Dense(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        """Map (..., channel) to the same shape."""
        return super().forward(input.to(self.weight.dtype))


class _Slope(nn.Module):
    """A PReLU of one parameter, which is known by now."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same; in place, because what it is given is a convolution's own."""
        return leaky_relu(x, self.slope, inplace=True)


def _convert(module: nn.Module, dtype: torch.dtype) -> None:
    for name, child in module.named_children():
        layer = _layer(child, dtype)
        if layer is child:
            _convert(child, dtype)
        else:
            setattr(module, name, layer)


def _layer(layer: nn.Module, dtype: torch.dtype) -> nn.Module:
    if isinstance(layer, nn.Conv1d):
        weight = layer.weight[:, :, None]
        return _convolution(weight, layer.bias, (0, int(layer.padding[0])), dtype)
    if isinstance(layer, nn.Conv2d):
        y, x = (int(n) for n in layer.padding)
        return _convolution(layer.weight, layer.bias, (y, x), dtype)
    if isinstance(layer, nn.Linear):
        dense = _Dense(layer.in_features, layer.out_features, device="meta")
        dense.weight, dense.bias = layer.weight, layer.bias
        return dense
    if isinstance(layer, nn.PReLU) and layer.num_parameters == 1:
        return _Slope(layer.weight.item())
    if isinstance(layer, nn.MaxPool1d):
        assert isinstance(layer.kernel_size, int)
        return nn.MaxPool2d((1, layer.kernel_size))
    if isinstance(layer, nn.Upsample):
        assert isinstance(layer.scale_factor, float)
        return nn.Upsample(scale_factor=(1, layer.scale_factor))
    if isinstance(layer, nn.BatchNorm1d):
        norm = nn.BatchNorm2d(layer.num_features, layer.eps)
        norm.load_state_dict(layer.state_dict())
        return norm
    return layer


def _convolution(
    weight: Tensor, bias: Tensor | None, padding: tuple[int, int], dtype: torch.dtype
) -> _Convolution:
    n_out, n_in, height, width = weight.shape
    layer = _Convolution(
        n_in, n_out, (height, width), padding=padding, bias=bias is not None, device="meta"
    )
    there = weight.detach().to(dtype, memory_format=torch.channels_last)
    layer.weight = nn.Parameter(there, requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().to(dtype), requires_grad=False)
    return layer
