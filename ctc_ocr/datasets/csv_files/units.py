"""Labels that are written unit by unit: `|u|n|i|t|s|`."""

from ctc_ocr.datasets.samples import characters

SPLITTER = "|"  # the usual one


def is_split(label: str, splitter: str) -> bool:
    """Whether a label starts and ends with the splitter."""
    return len(label) > 1 and label[0] == label[-1] == splitter


def split_units(label: str, splitter: str, unicode_form: str = "") -> tuple[str, ...]:
    """The units of a label; its characters, if the splitter is empty. Raises ValueError for a label of another form."""
    if not splitter:
        return characters(label, unicode_form)
    if label in ("", splitter, splitter * 2):
        return ()
    if not is_split(label, splitter):
        raise ValueError(f"the label {label!r} does not start and end with {splitter!r}")
    units = label[1:-1].split(splitter)
    if "" in units:
        raise ValueError(f"the label {label!r} has an empty unit")
    return tuple("".join(characters(unit, unicode_form)) for unit in units)


def join_units(units: tuple[str, ...], splitter: str) -> str:
    """A label that split_units splits again."""
    return splitter + splitter.join(units) + splitter
