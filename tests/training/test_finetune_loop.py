"""Training on: the best is kept, the same seed repeats it, and what goes wrong costs little."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import math
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from finetune_subjects import QUICK, network, patch, subject

from napari_deeper.spectra.errors import CheckpointError, TrainingError
from napari_deeper.training import finetune_machine, state
from napari_deeper.training.finetune import tune
from napari_deeper.training.finetune_course import Course, read_best
from napari_deeper.training.finetune_data import PairSubject, PatchSubject, Score
from napari_deeper.training.finetune_events import Control, Reporter, ask, job_status
from napari_deeper.training.run import limited_threads
from napari_deeper.training.state import load_state

N_STEPS = 18  # five patches in batches of two, six times


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """With as many threads, sums come out alike in every process; other tests get theirs back."""
    with limited_threads(1):
        yield


def course(folder: Path) -> Course:
    return Course(folder, "tune", "this job")


def run(folder: Path, params=QUICK, what=None, net=None, **more):
    return tune(net or network(), what or subject(), params, course(folder), **more)


def losses(folder: Path) -> list[tuple[str, str]]:
    with (folder / "losses.csv").open(newline="") as stream:
        return [(row["step"], row["loss"]) for row in csv.DictReader(stream)]


def same(first, second) -> bool:
    a, b = first.net.state_dict(), second.net.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return run(folder), folder


def test_it_learns_and_keeps_the_best(whole):
    tuned, folder = whole
    assert tuned.best.psnr > tuned.before.psnr + 0.5
    assert tuned.reason == "" and tuned.fitted.n_done == N_STEPS
    with (folder / "validation.csv").open(newline="") as stream:
        rows = {int(row["step"]): float(row["psnr"]) for row in csv.DictReader(stream)}
    assert len(rows) == N_STEPS and tuned.best.psnr == max(rows.values()) == rows[tuned.best_step]
    # the network that comes back is the one that was scored
    assert subject().score(tuned.net) == tuned.best
    assert not tuned.net.training


def test_the_same_seed_repeats_the_result_and_another_does_not(whole, tmp_path):
    again = run(tmp_path / "again")
    other = run(tmp_path / "other", dataclasses.replace(QUICK, seed=1))
    assert same(again, whole[0]) and not same(other, whole[0])


@pytest.mark.parametrize("word", ["cancel", "interrupt"])
def test_a_run_that_was_stopped_takes_the_steps_that_it_would_have_taken(whole, tmp_path, word):
    n_asked = 0

    def cancelled() -> bool:
        nonlocal n_asked
        n_asked += 1
        return word == "cancel" and n_asked == 7

    class Killed(BaseException):
        pass

    class DiesAtSeven(Reporter):
        def tell(self, event, **fields):
            if event == "saved" and fields["step"] == 7:
                raise Killed

    if word == "cancel":
        first = run(tmp_path, is_cancelled=cancelled)
        assert first.reason == "cancel" and first.fitted.n_done == 7
    else:
        with pytest.raises(Killed):
            run(tmp_path, reporter=DiesAtSeven(None))
    assert load_state(tmp_path / "state.pt").step == 7
    second = run(tmp_path)
    assert second.fitted.n_done == N_STEPS and second.reason == ""
    assert losses(tmp_path)[-1] == losses(whole[1])[-1]
    assert same(second, whole[0]) and second.best_step == whole[0].best_step


def test_a_damaged_state_gives_way_to_the_one_before(whole, tmp_path):
    first = run(tmp_path, is_cancelled=_after(7))
    assert first.fitted.n_done == 7
    (tmp_path / "state.pt").write_bytes(b"half of it")
    assert same(run(tmp_path), whole[0])


def _after(n: int):
    asked = iter(range(1, 10**6))
    return lambda: next(asked) == n


def test_the_state_of_another_job_is_refused(tmp_path):
    run(tmp_path, is_cancelled=_after(3))
    with pytest.raises(CheckpointError, match="another run: job is 'this job'"):
        tune(network(), subject(), QUICK, Course(tmp_path, "tune", "that job"))


@dataclasses.dataclass(frozen=True, eq=False)
class Failing(type(subject())):
    """Says what it says of a batch, unless ``trouble`` says otherwise."""

    trouble: object = None

    def loss(self, net, batch):
        return self.trouble(super().loss(net, batch), batch)


def failing(trouble):
    base = subject()
    return Failing(
        **{f.name: getattr(base, f.name) for f in dataclasses.fields(base)}, trouble=trouble
    )


def test_a_loss_that_is_no_number_lowers_the_rate_and_goes_back(tmp_path):
    n_calls = 0

    def nan_once(loss, batch):
        nonlocal n_calls
        n_calls += 1
        return loss * math.nan if n_calls == 9 else loss

    events = []
    params = dataclasses.replace(QUICK, save_seconds=0)
    tuned = run(tmp_path, params, failing(nan_once), reporter=Reporter(None, events.append))
    assert tuned.fitted.n_done == N_STEPS and tuned.best.psnr > tuned.before.psnr
    assert tuned.rate == pytest.approx(0.3 * QUICK.rate)
    (note,) = tuned.notes
    assert "went back to step 8" in note and "0.003 in place of 0.01" in note
    assert note in [e.get("text") for e in events]
    # the lower rate is part of the state: a run that goes on keeps to it
    assert load_state(tmp_path / "state.pt").run["rate"] == tuned.rate


def test_a_run_that_diverges_again_and_again_ends_and_keeps_what_is_good(tmp_path):
    n_calls = 0

    def soon_nan(loss, batch):
        nonlocal n_calls
        n_calls += 1
        return loss if n_calls <= 5 else loss * math.nan

    with pytest.raises(TrainingError, match=r"diverged 4 times.* The last good state, of step 5"):
        run(tmp_path, what=failing(soon_nan))
    assert n_calls == 9 and load_state(tmp_path / "state.pt").step == 5
    assert read_best(course(tmp_path).best) is not None
    assert run(tmp_path).fitted.n_done == N_STEPS  # and it can go on


def test_memory_that_runs_out_halves_the_batch(tmp_path):
    def too_large(loss, batch):
        if len(batch[0]) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB")
        return loss

    params = dataclasses.replace(QUICK, batch_size=5)
    tuned = run(tmp_path, params, failing(too_large))
    assert tuned.n_in_batch == 2 and tuned.notes == (
        "Memory ran out: the batch was halved from 5 to 2.",
    )
    assert tuned.fitted.n_done == N_STEPS  # as many epochs as before, of smaller batches


def test_memory_that_runs_out_later_goes_on_at_the_same_epoch(tmp_path):
    n_calls = 0

    def later(loss, batch):
        nonlocal n_calls
        n_calls += 1
        if n_calls > 4 and len(batch[0]) > 1:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")
        return loss

    events = []
    tuned = run(tmp_path, what=failing(later), reporter=Reporter(None, events.append))
    assert tuned.n_in_batch == 1 and tuned.fitted.n_done == 30
    # four of eighteen steps are seven of thirty
    starts = [e["step"] for e in events if e["event"] == "step"]
    assert starts[-1] == 30 and load_state(tmp_path / "state.pt").run["batch"] == 1


def test_too_little_memory_for_one_piece_is_said(tmp_path):
    def never(loss, batch):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(TrainingError, match="even with a batch of 1"):
        run(tmp_path, what=failing(never))


def test_an_error_that_is_not_of_memory_is_not_hidden(tmp_path):
    def wrong(loss, batch):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(tmp_path, what=failing(wrong))


def test_a_full_disk_keeps_what_was_saved(whole, tmp_path, monkeypatch):
    run(tmp_path, is_cancelled=_after(7))
    before = (tmp_path / "state.pt").read_bytes()

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state, "_write", full)
    with pytest.raises(TrainingError, match=r"No space left.* of step 7, is kept.*Make room"):
        run(tmp_path)
    monkeypatch.undo()
    assert (tmp_path / "state.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))
    assert same(run(tmp_path), whole[0])


def test_a_disk_too_full_for_the_best_keeps_the_last_best(tmp_path, monkeypatch):
    run(tmp_path, is_cancelled=_after(7))
    kept = course(tmp_path).best.read_bytes()
    write = Path.write_bytes

    def full(path, content):
        if "best" in path.name:
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TrainingError, match=r"best.safetensors cannot be written: No space left"):
        run(tmp_path)
    assert course(tmp_path).best.read_bytes() == kept and not list(tmp_path.glob("*.part"))


def test_it_stops_early_where_nothing_gets_better(tmp_path, monkeypatch):
    scores = iter([20.0, 21.0, 22.0, 21.5, 21.0, 22.0, 21.9])  # the first is before training
    monkeypatch.setattr(PatchSubject, "score", lambda self, net: Score(next(scores), 0.5))
    tuned = run(tmp_path, dataclasses.replace(QUICK, patience=4))
    assert tuned.reason == "patience" and tuned.fitted.n_done == 6
    assert tuned.best_step == 2 and tuned.best.psnr == 22.0 and tuned.before.psnr == 20.0


@pytest.mark.parametrize(
    ("last", "network", "kept"),
    [(22.85, "eigenimages", N_STEPS), (22.7, "eigenimages", 3), (22.85, "hyrisr", 3)],
)
def test_the_last_weights_are_kept_unless_earlier_ones_were_clearly_better(
    tmp_path, monkeypatch, last, network, kept
):
    scores = [20.0, 21.0, 22.0, 23.0, *[22.9] * (N_STEPS - 4), last]  # the first: before training
    queue = iter(scores)
    monkeypatch.setattr(PatchSubject, "score", lambda self, net: Score(next(queue), 0.5))
    tuned = run(tmp_path, dataclasses.replace(QUICK, network=network, batch_size=2))
    assert tuned.best_step == kept and tuned.best.psnr == scores[kept]
    assert read_best(course(tmp_path).best)[1] == kept


def test_last_weights_that_lost_to_the_first_ones_are_not_preferred(tmp_path, monkeypatch):
    queue = iter([20.0, 20.1, *[19.0] * (N_STEPS - 2), 19.95])
    monkeypatch.setattr(PatchSubject, "score", lambda self, net: Score(next(queue), 0.5))
    tuned = run(tmp_path, dataclasses.replace(QUICK, network="eigenimages", batch_size=2))
    assert tuned.best_step == 1 and tuned.best.psnr > tuned.before.psnr


def test_the_best_of_a_run_that_was_asked_to_stop_is_kept(tmp_path):
    def stop_at_five(record):
        if record["event"] == "validated" and record["step"] == 5:
            ask(tmp_path, "stop")

    tuned = run(tmp_path, reporter=Reporter(None, stop_at_five), control=Control(tmp_path))
    assert tuned.reason == "stop" and tuned.fitted.n_done == 5
    assert tuned.best.psnr >= tuned.before.psnr
    assert not (tmp_path / "control").exists()


def test_a_paused_run_waits_and_changes_nothing(whole, tmp_path):
    events = []

    def watch(record):
        events.append(record["event"])
        if record["event"] == "validated" and record["step"] == 6 and "paused" not in events:
            ask(tmp_path, "pause")
        if record["event"] == "paused":
            assert job_status(tmp_path)["state"] == "paused" and job_status(tmp_path)["alive"]
            assert load_state(tmp_path / "state.pt").step == 6
            threading.Timer(0.5, ask, (tmp_path, "continue")).start()

    start = time.monotonic()
    with Reporter(tmp_path, watch) as reporter:
        tuned = run(tmp_path, reporter=reporter, control=Control(tmp_path))
    assert time.monotonic() - start > 0.5 and events.count("paused") == events.count("resumed") == 1
    assert same(tuned, whole[0])


@pytest.mark.parametrize(
    ("freeze", "moved"),
    [("first layers", {"upsampler", "tail", "spectrum", "weights"}), ("all but the last", {"spectrum", "weights"})],
)  # fmt: skip
def test_frozen_layers_keep_their_weights(tmp_path, freeze, moved):
    from napari_deeper.engine.finetune_start import freeze as freeze_layers

    net = network(3)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    freeze_layers(net, freeze)
    after = run(tmp_path, net=net).net.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == moved


def test_what_is_kept_can_be_a_blend_with_the_first_weights(whole, tmp_path):
    first = network().state_dict()
    params = dataclasses.replace(QUICK, blend=0.25, epochs=1, batch_size=5)
    blended = run(tmp_path / "blend", params).net.state_dict()
    # the whole weights of the same steps are in the state
    trained = load_state(tmp_path / "blend" / "state.pt")
    step = read_best(tmp_path / "blend" / "best.safetensors")[1]
    assert step == trained.step == 1
    for name, tensor in first.items():
        expected = 0.75 * tensor + 0.25 * trained.net[name]
        torch.testing.assert_close(blended[name], expected)


def test_a_reader_of_the_events_knows_how_far_it_is(tmp_path):
    events = []
    params = dataclasses.replace(QUICK, preview_seconds=1e-9)
    with Reporter(tmp_path, events.append) as reporter:
        run(tmp_path, params, reporter=reporter)
        assert job_status(tmp_path)["alive"]
        reporter.tell("finished", state="finished")
    written = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert written == events
    kinds = {e["event"] for e in events}
    assert kinds >= {"started", "step", "validated", "saved", "preview", "finished"}
    last = [e for e in events if e["event"] == "step"][-1]
    assert (last["step"], last["n_steps"], last["epoch"], last["n_epochs"]) == (
        N_STEPS,
        N_STEPS,
        6,
        6,
    )
    assert last["seconds_left"] == 0
    best = [e["psnr"] for e in events if e["event"] == "validated" and e["best"]]
    assert best == sorted(best) and len(best) > 1
    status = job_status(tmp_path)
    assert status["state"] == "finished" and not status["alive"] and status["step"] == N_STEPS
    with np.load(tmp_path / "preview.npz") as preview:
        assert {"nearest", "bilinear", "now", "target"} <= set(preview)
        assert preview["now"].shape == preview["nearest"].shape == (12, 12)


def test_a_job_whose_heart_has_stopped_is_not_alive(tmp_path):
    assert job_status(tmp_path) is None
    with Reporter(tmp_path) as reporter:
        reporter.tell("started", state="running", step=0)
    record = json.loads((tmp_path / "status.json").read_text())
    assert job_status(tmp_path)["alive"]
    (tmp_path / "status.json").write_text(json.dumps(record | {"beat": record["beat"] - 60}))
    assert not job_status(tmp_path)["alive"]
    (tmp_path / "status.json").write_text("half")
    assert job_status(tmp_path) is None
    with pytest.raises(ValueError, match="pause, continue, stop, cancel"):
        ask(tmp_path, "dance")


def test_pairs_of_spectra_are_learned(tmp_path):
    from napari_deeper.models.resunet import ResUNetConfig
    from napari_deeper.training import denoise

    rng = np.random.default_rng(0)
    clean = np.repeat(patch(0).reshape(-1, 12), 2, axis=1)  # 24 channels
    noisy = clean + 0.3 * rng.standard_normal(clean.shape).astype(np.float32)
    net = denoise.new_network(
        0,
        ResUNetConfig(
            n_channels=24, widths=(4, 6, 8), num_convs=1, linear_head=False, residual=True
        ),
    )
    what = PairSubject(((noisy[:100], clean[:100]),), ((noisy[100:], clean[100:]),), "standard")
    params = dataclasses.replace(QUICK, what="denoise", batch_size=25, epochs=20)
    tuned = run(tmp_path, params, what, net)
    assert tuned.best.psnr > tuned.before.psnr and math.isnan(tuned.best.ssim)
    assert what.preview(tuned.net)["now"].shape == (24,)


def test_a_score_is_the_mean_of_its_patches():
    from napari_deeper.training.finetune_data import mean_score

    target = patch(0)
    found = mean_score([(target + 0.1, target), (target + 0.01, target)])
    assert found.psnr == pytest.approx(30, abs=1e-3)
    assert mean_score([(target, target)]) == Score(200.0, pytest.approx(1.0))


def test_memory_errors_are_told_from_others():
    assert finetune_machine.is_out_of_memory(MemoryError())
    assert finetune_machine.is_out_of_memory(torch.cuda.OutOfMemoryError("x"))
    assert not finetune_machine.is_out_of_memory(RuntimeError("shapes"))
