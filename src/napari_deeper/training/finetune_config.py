"""Settings of fine-tuning: one definition for Python, the command line, the dock and the card."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

from napari_deeper.spectra.errors import ParameterError
from napari_deeper.training.shared_settings import (
    Devices,
    Nodes,
    Precision,
    Strategy,
    Threads,
    Workers,
)

WHATS = ("super-resolve", "denoise")
AUGMENTATIONS = ("turn", "published", "none")
FREEZES = ("nothing", "first layers", "all but the last")
SCRATCH = "scratch"

NETWORKS = ("eigenimages", "hyrisr", "resunet")
NETWORKS_FOR = {"super-resolve": ("eigenimages", "hyrisr"), "denoise": ("eigenimages", "resunet")}
# Measured on simulated tissue; see docs/fine-tuning.md.
_RATES = {"eigenimages": 1e-3, "hyrisr": 3e-4, "resunet": 3e-4, "denoiser": 1e-3}
_SCRATCH_RATES = {"eigenimages": 2e-3, "hyrisr": 1e-3, "resunet": 2e-3, "denoiser": 2e-3}
_EPOCHS = {"eigenimages": 60, "hyrisr": 200, "resunet": 20, "denoiser": 60}
_BLENDS = {"eigenimages": 1.0, "hyrisr": 1.0, "resunet": 1.0, "denoiser": 0.85}
_BATCHES = {"eigenimages": 24, "hyrisr": 2, "resunet": 128, "denoiser": 8}
# The best of many validations on a few patches is partly luck: the last, of the lowest rate, is kept
# unless an earlier one was better by more than this, in dB.
_MARGINS = {"eigenimages": 0.2, "hyrisr": 0.0, "resunet": 0.0, "denoiser": 0.0}
# Of a noisy map alone little can be learned before its own noise is: few steps, slow, and half of them kept.
_ALONE_RATE, _ALONE_EPOCHS, _ALONE_BLEND = 1e-4, 30, 0.5
# What changes the time that a run takes, or how it is kept, and not what comes out.
_NO_MATTER = ("save_seconds", "threads", "workers", "preview_seconds")


@dataclass(frozen=True)
class FinetuneParams:
    """Settings of `napari_deeper.finetune`."""

    what: Annotated[
        str,
        {
            "label": "What",
            "tooltip": (
                "super-resolve learns from patches of good maps; denoise from pairs of maps of one field, or "
                "from noisy maps alone"
            ),
            "choices": WHATS,
        },
    ] = "super-resolve"
    scale: Annotated[
        int, {"label": "Scale", "tooltip": "For super-resolution", "choices": (2, 3, 4)}
    ] = 2
    network: Annotated[
        str,
        {
            "label": "Network",
            "tooltip": (
                "eigenimages: the network of the method auto. hyrisr: of the paper's design, to super-resolve. "
                "resunet: of single spectra, to denoise"
            ),
            "choices": NETWORKS,
        },
    ] = "eigenimages"
    start: Annotated[
        str,
        {
            "label": "Start",
            "tooltip": (
                "Empty: the shipped weights. Else a file of weights, the name of one of your models, or "
                "scratch for an untrained network"
            ),
        },
    ] = ""
    epochs: Annotated[
        int,
        {
            "label": "Epochs",
            "tooltip": (
                "How often each patch, image of one, or spectrum is seen; 0: 60 (30 from a map alone), hyrisr 200 "
                "(as published), resunet 20"
            ),
            "min": 0,
            "max": 10**6,
        },
    ] = 0
    rate: Annotated[
        float,
        {
            "label": "Learning rate",
            "tooltip": (
                "The highest one; 0: 0.001 for eigenimages (0.0001 from a map alone), else 0.0003; more from scratch"
            ),
            "min": 0.0,
            "max": 1.0,
        },
    ] = 0.0
    batch_size: Annotated[
        int,
        {
            "label": "Batch size",
            "tooltip": "Pieces, or spectra to denoise, in a step on each device; 0: as the network needs",
            "min": 0,
            "max": 2**20,
        },
    ] = 0
    side: Annotated[
        int,
        {
            "label": "Piece",
            "tooltip": "Side in pixels of the piece that is cut at random from a patch in each step; 0: all of it",
            "min": 0,
            "max": 4096,
        },
    ] = 32
    augmentation: Annotated[
        str,
        {
            "label": "Augmentation",
            "tooltip": (
                "turn: flips and quarter turns. published: those, and the spectra shifted, reversed and mixed"
            ),
            "choices": AUGMENTATIONS,
        },
    ] = "turn"
    freeze: Annotated[
        str,
        {
            "label": "Freeze",
            "tooltip": "Which layers keep their weights (published: nothing)",
            "choices": FREEZES,
        },
    ] = "nothing"
    blend: Annotated[
        float,
        {
            "label": "Blend",
            "tooltip": (
                "Share of the trained weights in what is kept; the rest are those it started from, so that it "
                "forgets less. 0: 1; 0.85 to denoise by eigenimages, 0.5 from a map alone"
            ),
            "min": 0.0,
            "max": 1.0,
        },
    ] = 0.0
    patience: Annotated[
        int,
        {
            "label": "Patience",
            "tooltip": (
                "Stop early after so many validations (50 in a run) without a better one; 0: never, since much is "
                "won at the end, when the rate falls"
            ),
            "min": 0,
            "max": 10**6,
        },
    ] = 0
    scratch: Annotated[
        bool,
        {
            "label": "From scratch too",
            "tooltip": "Train an untrained network as long, to compare with: doubles the time",
        },
    ] = False
    seed: Annotated[
        int,
        {
            "label": "Seed",
            "tooltip": "Of every random choice: the same seed repeats the result",
            "min": 0,
            "max": 2**31,
        },
    ] = 0
    device: Annotated[
        str,
        {
            "label": "Device",
            "tooltip": "auto: an NVIDIA GPU (cuda) or Apple GPU (mps) if there is one",
            "choices": ("auto", "cpu", "cuda", "mps"),
        },
    ] = "auto"
    devices: Devices = 1
    nodes: Nodes = 1
    strategy: Strategy = "auto"
    precision: Precision = "auto"
    threads: Threads = 0
    workers: Workers = 0
    save_seconds: Annotated[
        float,
        {
            "label": "Save every (s)",
            "tooltip": "How often the state is saved",
            "min": 0.0,
            "max": 1e6,
        },
    ] = 15.0
    preview_seconds: Annotated[
        float,
        {
            "label": "Preview every (s)",
            "tooltip": "How often, at most, a preview of one validation patch is written; 0: never",
            "min": 0.0,
            "max": 1e6,
        },
    ] = 5.0

    @property
    def from_scratch(self) -> bool:
        """Whether to start from an untrained network."""
        return self.start == SCRATCH

    @property
    def peak_rate(self) -> float:
        """The highest learning rate, the default filled in."""
        table = _SCRATCH_RATES if self.from_scratch else _RATES
        return self.rate or table[self.architecture]

    @property
    def n_in_batch(self) -> int:
        """The batch size, the default filled in."""
        return self.batch_size or _BATCHES[self.architecture]

    @property
    def n_epochs(self) -> int:
        """How often each item is seen, the default filled in."""
        return self.epochs or _EPOCHS[self.architecture]

    @property
    def share(self) -> float:
        """The share of the trained weights in what is kept, the default filled in."""
        return 1.0 if self.from_scratch else self.blend or _BLENDS[self.architecture]

    @property
    def margin(self) -> float:
        """By how much, in dB, an earlier validation must be better for the last weights not to be kept."""
        return _MARGINS[self.architecture]

    @property
    def architecture(self) -> str:
        """``"eigenimages"``, ``"hyrisr"``, ``"resunet"``, or ``"denoiser"``: that of eigenimages."""
        return "denoiser" if self.of_images else self.network

    def for_alone(self) -> FinetuneParams:
        """Return the settings with the defaults of learning from noisy maps alone filled in."""
        return dataclasses.replace(
            self,
            epochs=self.epochs or _ALONE_EPOCHS,
            rate=self.rate or _ALONE_RATE,
            blend=self.blend or _ALONE_BLEND,
        )

    @property
    def of_images(self) -> bool:
        """Whether the denoiser of eigenimages is tuned."""
        return self.what == "denoise" and self.network == "eigenimages"


def check_finetune(params: FinetuneParams) -> None:
    """Raise `ParameterError` for settings that do not go together."""
    if params.network not in NETWORKS_FOR[params.what]:
        raise ParameterError(
            f"To {params.what} there are the networks {' and '.join(NETWORKS_FOR[params.what])}, not {params.network}."
        )
    if params.scratch and params.from_scratch:
        raise ParameterError(
            "start is 'scratch' already; 'scratch' as a comparison needs other weights to compare with."
        )
    if params.from_scratch and params.freeze != "nothing":
        raise ParameterError("An untrained network cannot be frozen; set freeze to 'nothing'.")


def matters(params: FinetuneParams) -> dict[str, Any]:
    """Return the settings that decide the result, as JSON types."""
    fields = dataclasses.fields(params)
    return {f.name: getattr(params, f.name) for f in fields if f.name not in _NO_MATTER}
