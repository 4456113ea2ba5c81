"""Compiled functions: numba is imported with the first call of one, and they call each other."""

import subprocess
import sys
import threading

import pytest

from ctc_ocr.runtime.compiled import compiled, compiled_helper

MODULES = (
    "ctc_ocr.cli.train", "ctc_ocr.cli.infer", "ctc_ocr.rendering.fast", "ctc_ocr.rendering.wild",
    "ctc_ocr.decoding.beam_search",
)  # fmt: skip


@compiled_helper
def one_more(number):
    return number + 1


@compiled
def twice_one_more(number):
    """Twice the next number."""
    return 2 * one_more(number)


def test_compiled_functions_call_each_other() -> None:
    assert twice_one_more.__doc__ == "Twice the next number."
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(twice_one_more(20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [42] * 4
    assert type(one_more).__module__.startswith("numba.")


@pytest.mark.parametrize("module", MODULES)
def test_numba_is_not_imported_before_it_is_needed(module: str) -> None:
    code = f"import sys, {module}; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
