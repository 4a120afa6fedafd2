"""Settings that training and fine-tuning have in common: where it computes, and with how many."""

from __future__ import annotations

from typing import Annotated

Devices = Annotated[
    int, {"label": "Devices", "tooltip": "Of each node; 0: all GPUs", "min": 0, "max": 1024}
]
Nodes = Annotated[
    int, {"label": "Nodes", "tooltip": "Machines that train together", "min": 1, "max": 4096}
]
Strategy = Annotated[
    str,
    {
        "label": "Strategy",
        "tooltip": "auto: ddp where there are several devices",
        "choices": ("auto", "ddp"),
    },
]
Precision = Annotated[
    str,
    {
        "label": "Precision",
        "tooltip": "auto: bf16 where the device computes it",
        "choices": ("auto", "bf16", "32"),
    },
]
Workers = Annotated[
    int,
    {
        "label": "Workers",
        "tooltip": "Processes that make batches; -1: none on a CPU, else one per core, at most 12",
        "min": -1,
        "max": 1024,
    },
]
Threads = Annotated[
    int, {"label": "Threads", "tooltip": "Of the CPU; 0: as torch decides", "min": 0, "max": 1024}
]
