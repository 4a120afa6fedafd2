"""How exactly networks multiply: in float32, or in bfloat16 where that is fast and changes next to nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from napari_deeper.engine.device import DeviceChoice, choose_device
from napari_deeper.models.kept import kept

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_deeper.models.checkpoint import Checkpoint

PRECISIONS = ("auto", "fp32", "bf16")

# The field that every params dataclass with a network shares.
PrecisionSetting = Annotated[
    str,
    {
        "label": "Precision",
        "tooltip": (
            "How networks multiply. fp32: in 32 bits. bf16: in 16 bits, several times faster where the processor "
            "has instructions for it, slower elsewhere. auto: bf16 where the processor has them and the network's "
            "result differs from that of fp32 by less than 1 %, but fp32 for a HyRISR on an NVIDIA GPU"
        ),
        "choices": PRECISIONS,
    },
]

# The largest deviation that auto lets pass, as relative L2 of the result.
TOLERANCE = 1e-2
# A GPU multiplies bfloat16 in its matrix units from this compute capability on.
_WITH_BF16 = 8


def ready(checkpoint: Checkpoint, device: str, precision: str) -> tuple[nn.Module, DeviceChoice]:
    """Bring a network to where it runs, in the form in which it runs fastest.

    Where networks are kept (`napari_deeper.models.kept`), so is that form.

    Parameters
    ----------
    checkpoint
        Its model is not changed but for the device that it lies on.
    device
        As `choose_device` takes it.
    precision
        ``"fp32"``, ``"bf16"``, or ``"auto"`` for bf16 where that is fast and accurate.

    Returns
    -------
    model, choice
        What takes the place of the checkpoint's model, and where and how it runs.

    Raises
    ------
    ParameterError
        If the requested device is not there.
    """
    place, key = kept(), (checkpoint.path, device, precision)
    if place is None:
        return _ready(checkpoint, device, precision)
    if key not in place or place[key][0] is not checkpoint:
        place[key] = checkpoint, *_ready(checkpoint, device, precision)
    _, form, choice = place[key]
    return form, choice


def _ready(checkpoint: Checkpoint, device: str, precision: str) -> tuple[nn.Module, DeviceChoice]:
    from napari_deeper.models.inference import inference_form

    choice = choose_device(device)
    model = checkpoint.model.to(choice.device)
    form: nn.Module | None = None
    # A GPU runs a HyRISR fastest as it is: its layers are many and small, and our form has more of them.
    plain = choice.device == "mps" or (choice.device == "cuda" and checkpoint.kind == "hyrisr")
    if precision == "bf16" or (precision == "auto" and has_fast_bf16(choice.device) and not plain):
        form = inference_form(model, "bf16")
        if precision == "auto" and _deviation(form, checkpoint, choice.device) >= TOLERANCE:
            form = None
    used = "bf16" if form else "fp32"
    # On Apple GPUs other layouts were never tried.
    form = form or (model if plain else inference_form(model))
    return form, replace(choice, description=f"{choice.description}, {used}")


def has_fast_bf16(device: str) -> bool:
    """Tell whether a device (as torch names it) multiplies bfloat16 faster than float32."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= _WITH_BF16
    # Elsewhere (MPS, other processors than x86) it was never measured.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)
    return device == "cpu" and bool(torch.backends.mkldnn.is_available() and supported())  # type: ignore[no-untyped-call]


def _deviation(form: nn.Module, checkpoint: Checkpoint, device: str) -> float:
    """Return the relative L2 distance of a form from its network on something like a measurement."""
    import torch

    from napari_deeper.models.inference import deviation

    probe = _probe(checkpoint).to(device)
    with torch.inference_mode():
        results = [each(probe) for each in (form, checkpoint.model)]
    found, reference = (each[0] if isinstance(each, tuple) else each for each in results)
    return deviation(found, reference)


def _probe(checkpoint: Checkpoint) -> Tensor:
    """Return bands with a little noise, scaled as the network takes them; always the same."""
    import numpy as np
    import torch

    from napari_deeper.models.scaling import normalize

    n_side = 8
    rng = np.random.default_rng(0)
    n_channels = checkpoint.wavenumber.size or n_side**2
    place = np.linspace(0, 1, n_channels)
    bands = np.exp(-np.square((place - rng.uniform(size=(6, 1))) / 0.02))
    spectra = rng.uniform(size=(n_side**2, 6)) @ bands + 0.5
    spectra += 0.05 * rng.standard_normal(spectra.shape)
    samples = torch.from_numpy(spectra.astype(np.float32))
    if checkpoint.kind == "eigenimage":  # one image, of noise 1
        return 20 * samples[None, None]
    if checkpoint.kind == "resunet":
        return normalize(samples[::4, None], checkpoint.normalization)[0]
    image = samples.T.reshape(1, n_channels, n_side, n_side)
    return normalize(image, checkpoint.normalization)[0]
