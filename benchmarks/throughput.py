"""Time the published networks against the published way to run them: ``python benchmarks/throughput.py [--quick]``.

Prints Markdown. The published way is a plain forward in float32, batches of 256 spectra or one tile of 64 x 64
fine pixels; both ways run side by side on the same random weights and the same simulated cell. On a GPU the same
is measured there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from simulated_cells import SEEDS, expose
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import napari_deeper as nd
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.device import choose_device
from napari_deeper.engine.enhance import enhance
from napari_deeper.engine.network import MOST_ON_CPU
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.models.hyrisr import HyRISR, HyRISRConfig
from napari_deeper.models.inference import DTYPES, deviation, inference_form
from napari_deeper.models.kept import keeping
from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.models.scaling import normalize

PUBLISHED_BATCH = 256
# Standard deviation over the strong intensities of a cell: the spectral network takes part in auto there.
WHITE_NOISE = 0.4

Way = Callable[[], Tensor]


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def best_of(ways: dict[str, Callable[[], object]], n_rounds: int, device: str) -> dict[str, float]:
    """Return the least seconds of each way, taken in turns so that other work hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(n_rounds + 1):
        for name, way in ways.items():
            wait(device)
            start = time.perf_counter()
            way()
            wait(device)
            if number:  # the first round warms up
                taken[name].append(time.perf_counter() - start)
    return {name: min(each) for name, each in taken.items()}


def matmul_rate(dtype: torch.dtype, device: str, side: int) -> float:
    """Return the FLOP/s of a plain product of matrices."""
    a = torch.rand(side, side, device=device).to(dtype)
    return 2 * side**3 / best_of({"matmul": lambda: a @ a}, 10, device)["matmul"]


def in_batches(net: nn.Module, x: Tensor, size: int) -> Tensor:
    return torch.cat([net(part) for part in x.split(size)])


def compare(
    name: str, net: nn.Module, x: Tensor, size: int, n_rounds: int, rates: dict[str, float]
) -> None:
    """Print the rows of one network: ``x`` holds the items, ``size`` go through our forms at once."""
    device = x.device.type
    net = net.eval().to(device)
    ways: dict[str, Way] = {"published way": partial(in_batches, net, x, PUBLISHED_BATCH)}
    for precision in DTYPES:
        form = inference_form(net, precision)
        ways[f"ours, {precision}"] = partial(in_batches, form, x, size)
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            reference = ways["published way"]()
        found = {way: deviation(run(), reference) for way, run in ways.items()}
        seconds = best_of(ways, n_rounds, device)
    for way, taken in seconds.items():
        rate = counter.get_total_flops() / taken
        print(
            f"| {name} | {way} | {len(x) / taken:.3g} | {seconds['published way'] / taken:.2f} | {found[way]:.1e} "
            f"| {rate / 1e9:.0f} | {rate / rates[way[-4:] if way[-4:] in rates else 'fp32']:.2f} |"
        )


def networks(device: str, quick: bool, n_rounds: int) -> None:
    side = 512 if quick else 2048 if device == "cpu" else 8192
    rates = {name: matmul_rate(dtype, device, side) for name, dtype in DTYPES.items()}
    shown = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {name}" for name, rate in rates.items())
    print(f"\n{choose_device(device).description}; a product of matrices runs at {shown}.\n")
    print("| network | way | per second | of published | relative L2 | GFLOP/s | of matmul |")
    print("|---|---|---|---|---|---|---|")
    torch.manual_seed(0)
    intensity = torch.from_numpy(expose(SEEDS[0], 32, 0.1).noisy.intensity)
    spectra = intensity.reshape(-1, 1, intensity.shape[2])[: 64 if quick else 512].contiguous()
    spectra = normalize(spectra, "max")[0].to(device)
    at_once = MOST_ON_CPU if device == "cpu" else len(spectra)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        compare("ResUNet, spectra", ResUNet(), spectra, at_once, n_rounds, rates)
        config = HyRISRConfig(n_groups=1, n_blocks=1) if quick else HyRISRConfig()
        tile = normalize(intensity.permute(2, 0, 1)[None], "max")[0].to(device)
        tile = tile[:, :, :8, :8] if quick else tile
        compare("HyRISR 2x, tiles", HyRISR(config), tile, 1, max(1, n_rounds // 2), rates)
        small = ResUNetConfig(widths=(32, 64, 128), linear_head=False, residual=True)
        compare("our ResUNet, spectra", ResUNet(small), spectra, at_once, n_rounds, rates)


def cells(size: int) -> dict[str, nd.RamanCube]:
    clean = expose(SEEDS[1], size, 1.0).clean
    level = WHITE_NOISE * np.percentile(clean.intensity.max(axis=2), 95)
    noise = np.random.default_rng(0).standard_normal(clean.shape, np.float32)
    white = nd.RamanCube(clean.intensity + level * noise, clean.wavenumber)
    exposed = {f"{dwell:g} s a pixel": expose(SEEDS[0], size, dwell).noisy for dwell in (0.1, 1.0)}
    return {**exposed, "white noise": white}


def whole_cells(device: str, size: int) -> None:
    print(f"\nauto, {size} x {size} x 500 on {device}: denoise and super-resolve 4x\n")
    print("| cell | precision | share of the spectral network | s |\n|---|---|---|---|")
    for name, cube in cells(size).items():
        for turned, precision in enumerate(DTYPES):
            image = cube.intensity.transpose(1, 0, 2) if turned else cube.intensity
            common = {"device": device, "precision": precision}
            steps = DenoiseParams(**common), SuperResolveParams(scale=4, **common)
            taken = []
            networks: dict[Any, Any] = {}  # as the dock keeps them from one run to the next
            # Each time another way round, so that nothing of it is known from before.
            for seen in (image, image[::-1], image[:, ::-1]):
                start = time.perf_counter()
                with keeping(networks):
                    denoised = enhance(nd.RamanCube(seen, cube.wavenumber), *steps)[0]
                taken.append(time.perf_counter() - start)
            share = denoised.provenance[-1].params["network_share"]
            print(f"| {name} | {precision} | {share:.0%} | {min(taken[1:]):.2f} |")


COLD = """
import time; start = time.perf_counter()
import torch; a = time.perf_counter()
import numpy as np
from napari_deeper.engine.network import open_network, denoise_spectra
from napari_deeper.spectra.progress import Progress
net = open_network("resunet", np.linspace(600, 1800, 500)); b = time.perf_counter()
denoise_spectra(net, np.random.default_rng(0).random((1, 500), np.float32), 1, Progress(), [])
c = time.perf_counter()
print(f"| {a - start:.2f} | {b - a:.2f} | {c - b:.2f} |")
"""


def cold_start() -> None:
    print(
        "\nA new process, s\n\n| import torch | load the weights, choose the precision | first spectrum |"
    )
    print("|---|---|---|", flush=True)
    done = subprocess.run([sys.executable, "-c", COLD], check=True, capture_output=True, text=True)
    print(done.stdout.strip())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small networks and cells, once")
    parser.add_argument("--device", help="cpu or cuda; all that there are, if left out")
    chosen = parser.parse_args(arguments)
    quick, there = chosen.quick, ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in [chosen.device] if chosen.device else there:
        networks(device, quick, 1 if quick else 4)
        whole_cells(device, 16 if quick else 64)
    cold_start()


if __name__ == "__main__":
    main()
