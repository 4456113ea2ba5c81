"""Prefix beam search: its time by width, plain and with a language model and words, and against plain Python.

Random images of 250 time steps, 95 characters and texts of about 50 of them, a fifth of these ambiguous; 100,000 random
words and a text of 1 MB made of them. Prints Markdown tables.

    python -m benchmarks.decoding [--images 20] [--rounds 5]
"""

import argparse
import math
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import comparison, in_turns, row, seconds, table
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.decoding.beam_search import BeamSearch
from ctc_ocr.decoding.language_model import LanguageModel
from ctc_ocr.decoding.word_list import WordList
from ctc_ocr.runtime.threads import set_threads

CHARACTERS = tuple(map(chr, range(32, 127)))
STEPS, WIDTHS, WORDS, TEXT = 250, (10, 30, 100), 100_000, 1_000_000


def images(count: int, words: list[str], generator: np.random.Generator) -> NDArray[np.float32]:
    """(T, N, C) log probabilities: each character of a text for one or two time steps, blanks between."""
    logits = generator.normal(size=(STEPS, count, len(CHARACTERS) + 1))
    logits[:, :, 0] += 8
    for image in range(count):
        text = " ".join(generator.choice(words, 9))[:50]
        for index, character in enumerate(text):
            step = 5 * index + int(generator.integers(3))
            logits[step : step + int(generator.integers(1, 3)), image, ord(character) - 31] += 16
            if generator.random() < 0.2:
                logits[step, image, 1 + generator.integers(len(CHARACTERS))] += 15
    return (logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)).astype(np.float32)


def in_python(log_probs: NDArray[np.float32], width: int) -> list[int]:
    """The same search over a dictionary of prefixes: Hannun et al., "First-Pass Large Vocabulary Continuous Speech
    Recognition using Bi-Directional Recurrent DNNs", 2014, without a language model. (T, C) of one image."""
    # {prefix: (probability of ending in a blank, in its last unit)}
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for probabilities in np.exp(log_probs):
        grown: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for prefix, (blank, last) in beam.items():
            grown[prefix][0] += (blank + last) * probabilities[0]
            if prefix:
                grown[prefix][1] += last * probabilities[prefix[-1]]
            for unit in range(1, len(probabilities)):
                before = blank if prefix and unit == prefix[-1] else blank + last
                longer = (*prefix, unit)
                grown[longer][1] += before * probabilities[unit]
        best = sorted(grown.items(), key=lambda item: sum(item[1]), reverse=True)[:width]
        scale = math.fsum(best[0][1])  # against underflow
        beam = {prefix: (blank / scale, last / scale) for prefix, (blank, last) in best}
    text, _ = max(beam.items(), key=lambda item: sum(item[1]))
    return list(text)


def searches(words: list[str]) -> dict[str, dict[str, Any]]:
    """{name of the column: arguments of BeamSearch}."""
    alphabet = Alphabet(CHARACTERS)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        lines = (" ".join(words[start : start + 9]) for start in range(0, len(words), 9))
        text.write_text("\n".join(lines)[:TEXT], encoding="utf-8")
        model = LanguageModel.from_file(text, alphabet, 5)
    listed = WordList.from_words(words, alphabet)
    return {
        "plain": {},
        "language model": {"language_model": model},
        "words": {"words": listed},
        "both": {"language_model": model, "words": listed},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of prefix beam search.")
    parser.add_argument("--images", type=int, default=20, help="images (default: 20)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each measurement (default: 5)")
    parser.add_argument("--words", type=int, default=WORDS, help=f"words of the list (default: {WORDS})")
    arguments = parser.parse_args()
    set_threads(1)
    generator = np.random.default_rng(0)
    letters = np.array([chr(code) for code in range(ord("a"), ord("z") + 1)])
    words = ["".join(generator.choice(letters, length)) for length in generator.integers(3, 12, arguments.words)]
    log_probs, kinds = images(arguments.images, words, generator), searches(words)
    rows = []
    for width in WIDTHS:
        jobs = [BeamSearch(width=width, **given) for given in kinds.values()]
        jobs[0].decode(log_probs[:, :1])  # compiles, or loads the compiled code
        times = in_turns(arguments.rounds, *[lambda job=job: seconds(lambda: job.decode(log_probs)) for job in jobs])
        rows.append([str(width), *(f"{1e3 * statistics.median(each) / arguments.images:.1f}" for each in times)])
    print(f"Milliseconds per image on one core, medians of {arguments.rounds} rounds.\n")
    print(table(["width", *kinds], rows))
    search, few = BeamSearch(width=WIDTHS[0]), log_probs[:, :2]
    assert [found[0].codes for found in search.decode(few)] == [in_python(few[:, n], WIDTHS[0]) for n in range(2)]
    ours, plain = in_turns(
        min(arguments.rounds, 3),
        lambda: seconds(lambda: search.decode(few)) / 2,
        lambda: seconds(lambda: [in_python(few[:, n], WIDTHS[0]) for n in range(2)]) / 2,
    )
    name = f"prefix beam search, width {WIDTHS[0]}, against a dictionary in Python"
    print(f"\n{comparison([row(name, 'ms', [1e3 * t for t in ours], [1e3 * t for t in plain], 10)])}")


if __name__ == "__main__":
    main()
