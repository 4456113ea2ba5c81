"""Labels that a table program took for numbers, and has rewritten: what they were is lost in the table."""

import re
from collections.abc import Iterator

from ctc_ocr.datasets.sample_columns import SampleColumns
from ctc_ocr.datasets.samples import Problem

# A large number, and what is shown in place of a formula's result.
OF_SPREADSHEETS = re.compile(r"[0-9]([.,][0-9]+)?E[+-][0-9]{2,3}|#[A-Z]+[!?]|#DIV/0!|#N/A")
OF_PANDAS = re.compile(r"[0-9]+\.0")
MIN_OF_PANDAS = 5
MAX_SHOWN = 3


def rewritten_labels(samples: SampleColumns) -> Iterator[Problem]:
    """A note on labels such as 1.23E+05, and one if all labels are whole numbers that end in .0."""
    units = "".join(samples.units)
    if "E" in units or "#" in units:
        found = [each for each in samples if OF_SPREADSHEETS.fullmatch(each.label)]
        if found:
            shown = ", ".join(f"{each.label!r} ({each.where})" for each in found[:MAX_SHOWN])
            more = f" and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
            yield Problem("", f"labels as a spreadsheet writes large numbers or errors: {len(found)}: {shown}{more}")
    if len(samples) >= MIN_OF_PANDAS and all(OF_PANDAS.fullmatch(each.label) for each in samples):
        label = samples[0].label
        yield Problem("", f"all labels end in .0, such as {label!r}: were they numbers in a table of pandas?")
