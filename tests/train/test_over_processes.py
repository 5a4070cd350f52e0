"""Training in two processes of two devices each is training in one; what they write, and what if one is lost."""

from __future__ import annotations

import json
import time

import pytest

from tests.processes import ended, processes, run

PROGRAM = ("-m", "tests.train.in_processes")


def found(*cases: str, **options) -> dict[str, float]:
    """The largest of what the processes print, by case and name."""
    most: dict[str, float] = {}
    for out in run([*PROGRAM, *cases], **options):
        lines = [json.loads(line[line.index("{") :]) for line in out.splitlines() if '{"case"' in line]
        assert [line["case"] for line in lines] == [case.partition("=")[0] for case in cases]
        for line in lines:
            case = line.pop("case")
            for name, value in line.items():
                most[f"{case}: {name}"] = max(value, most.get(f"{case}: {name}", 0.0))
    return most


def wait_for(text: str, process) -> None:
    until = time.monotonic() + 120
    while text not in process.stdout:
        assert time.monotonic() < until and process.process.poll() is None, process.stderr[-3000:]
        time.sleep(0.01)


def check(most: dict[str, float]) -> None:
    assert most
    assert {name: value for name, value in most.items() if not value < 1e-12} == {}


@pytest.mark.slow
def test_two_processes_train_as_one():
    """Adam in float64, with dropout and statistics of the whole batch; batches that the devices do not divide."""
    check(found("layouts", "options"))


@pytest.mark.slow
def test_streams_and_data_sets_of_rows():
    check(found("streams"))


@pytest.mark.slow
def test_what_processes_must_not_differ_in():
    check(found("refused"))


@pytest.mark.slow
def test_files_are_written_once():
    check(found("callbacks"))


@pytest.mark.slow
def test_checkpoints_go_on_with_other_devices_and_after_damage():
    check(found("checkpoints"))


@pytest.mark.slow
@pytest.mark.parametrize("dead", [1, 0])
def test_a_process_that_is_killed(tmp_path, dead):
    """The other one leaves in time and says why; started again, the training ends as one that was never cut."""
    with processes([*PROGRAM, f"slow={tmp_path}"]) as started:
        wait_for("epoch 4", started[dead])
        started[dead].kill()
        began = time.monotonic()
        status, _, said = ended([started[1 - dead]], 30)[0]
        seconds = time.monotonic() - began
    assert seconds < 10
    assert status in (75, -6), said[-3000:]  # if process 0 is lost, JAX may end the others before we can
    if status == 75 or dead == 1:
        assert f"process {1 - dead} of 2 lost another one" in said, said[-3000:]
        assert f"go on from the latest checkpoint in {tmp_path}" in said
    check(found(f"go_on={tmp_path}"))


@pytest.mark.slow
@pytest.mark.parametrize("dead", [1, 0])
def test_a_process_that_is_killed_while_the_other_one_computes_by_itself(dead):
    """No connection breaks off, so the silence must be noticed; JAX may end the process before we can."""
    with processes([*PROGRAM, "asleep"]) as started:
        wait_for("epoch 1", started[dead])
        time.sleep(0.5)
        started[dead].kill()
        began = time.monotonic()
        status, _, said = ended([started[1 - dead]], 30)[0]
    assert time.monotonic() - began < 10
    assert status in (75, -6) and ("lost another one" in said or "another task died" in said), said[-3000:]


@pytest.mark.slow
def test_a_signal_to_one_stops_all_after_the_same_step(tmp_path):
    """With a checkpoint, from which they go on."""
    with processes([*PROGRAM, f"slow={tmp_path}"]) as started:
        wait_for("epoch 4", started[1])
        started[1].process.terminate()
        told = ended(started, 60)
    assert [status for status, _, _ in told] == [143, 143], told[0][2][-3000:]
    check(found(f"go_on={tmp_path}"))


@pytest.mark.slow
def test_a_process_that_fails_by_itself():
    with processes([*PROGRAM, "broken"]) as started:
        (other, _, lost), (own, _, said) = ended(started, 120)
    assert own == 1 and "a fault of this process alone" in said
    assert other == 75 and "lost another one" in lost and "with checkpoint=FOLDER" in lost
