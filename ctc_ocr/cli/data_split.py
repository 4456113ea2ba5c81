"""ctc-ocr data split: train.csv, validation.csv and test.csv, with nothing in two of them."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ctc_ocr.cli.common import integer, integers
from ctc_ocr.cli.data_options import add_source, good_samples, refuse_existing
from ctc_ocr.datasets.checking import Check
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.sources.delimited import write_delimited
from ctc_ocr.datasets.sources.folders import finder
from ctc_ocr.datasets.splitting import PARTS, Indices, clusters, counts_of, divide, shared
from ctc_ocr.errors import InputError

PROG = "ctc-ocr data split"
DEFAULT_SHARES = (0.8, 0.1, 0.1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument(
        "out", metavar="OUT", type=Path, help=f"folder for {', '.join(f'{part}.csv' for part in PARTS)}"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier split wrote to OUT")
    sizes = parser.add_mutually_exclusive_group()
    shares = ",".join(map(str, DEFAULT_SHARES))
    sizes.add_argument(
        "--shares", type=_shares, default=DEFAULT_SHARES, metavar="A,B,C",
        help=f"shares of the samples for {', '.join(PARTS)} (default: {shares})",
    )  # fmt: skip
    sizes.add_argument("--counts", type=integers, metavar="A,B,C", help="numbers of samples; the others are in no part")
    parser.add_argument(
        "--group", metavar="REGEX",
        help="the group (?P<group>...), or the first one, of this, searched in the names of image files (their paths "
        "where it has a / in it), is what the image belongs to; what belongs together stays together",
    )  # fmt: skip
    for part in PARTS[1:]:
        parser.add_argument(
            f"--{part}_groups", type=_names, default=(), metavar="A,B,...",
            help=f"groups that make up the {part} part; samples of groups that are not named are divided singly",
        )  # fmt: skip
    parser.add_argument("--seed", type=integer(0), default=0, help="another seed divides otherwise (default: 0)")


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(each) for each in text.split(","))
    except ValueError:
        shares = ()
    if len(shares) != len(PARTS) or not all(share >= 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {len(PARTS)} shares with commas between them, 1 together")
    return shares


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def split(arguments: argparse.Namespace) -> int:
    named = {part: getattr(arguments, f"{part}_groups", ()) for part in PARTS}
    _check_arguments(arguments, named)
    paths = [arguments.out / f"{part}.csv" for part in PARTS]
    if Path(arguments.source).resolve() in [path.resolve() for path in paths]:
        raise InputError(f"{arguments.source} would be replaced by a part of itself: take another OUT")
    refuse_existing(paths, arguments.overwrite)
    checked = good_samples(arguments, PROG)
    if any(sample.record is not None for sample in checked.samples):
        raise InputError("a pack has no files to name: split what it was made of, and pack that", arguments.source)
    groups = _groups(checked.samples, arguments.group) if arguments.group is not None else None
    parts = _divide(arguments, checked, groups, named)
    _write(parts, paths, checked.samples)
    _tell(parts, paths, checked, groups)
    return 0


def _check_arguments(arguments: argparse.Namespace, named: dict[str, tuple[str, ...]]) -> None:
    twice = sorted(set(named["validation"]) & set(named["test"]))
    if any(named.values()) and arguments.group is None:
        raise InputError("--validation_groups and --test_groups need --group, which says what a group is")
    if twice:
        raise InputError(f"in --validation_groups and in --test_groups: {', '.join(twice)}")
    if arguments.counts is None:
        return
    if arguments.group is not None:
        raise InputError("--counts cannot be met by groups, which stay whole: take --shares")
    if len(arguments.counts) != len(PARTS) or min(arguments.counts) < 0:
        raise InputError(f"--counts: expected {len(PARTS)} numbers, for {', '.join(PARTS)}")


def _groups(samples: Sequence[Sample], pattern: str) -> list[str]:
    find = finder(pattern, "group")
    groups = []
    for sample in samples:
        path = Path(sample.image)
        group = find(path.as_posix() if "/" in pattern else path.name)
        if group is None:
            raise InputError(f"--group {pattern!r} finds nothing in the name of {sample.image}")
        groups.append(group)
    return groups


def _divide(
    arguments: argparse.Namespace, checked: Check, groups: Sequence[str] | None, named: dict[str, tuple[str, ...]]
) -> list[Indices]:
    """Indices of the samples of each part. Named groups are set aside first; the rest is divided by the shares."""
    generator = np.random.default_rng(arguments.seed)
    everything = range(len(checked.samples))
    if groups is None or not any(named.values()):
        wholes = clusters(checked.digests, *([groups] if groups else []))
        counts = arguments.counts or counts_of(arguments.shares, len(everything))
        if sum(counts) > len(everything):
            raise InputError(f"--counts {sum(counts)} together: there are {len(everything)} samples that can be used")
        return divide(wholes, counts, generator)
    unknown = sorted({group for names in named.values() for group in names} - set(groups))
    if unknown:
        raise InputError(f"no sample is in the group {', '.join(unknown)}")
    parts = [[index for index in everything if groups[index] in named[part]] for part in PARTS]
    taken = {index for part in parts for index in part}
    rest = [index for index in everything if index not in taken]
    shares = [0.0 if named[part] else share for part, share in zip(PARTS, arguments.shares, strict=True)]
    if rest and not sum(shares):
        raise InputError("--shares leave nothing for the groups that are not named")
    wholes = [[rest[each] for each in whole] for whole in clusters([checked.digests[index] for index in rest])]
    dealt = divide(wholes, counts_of(shares, len(rest)), generator) if rest else [[] for _ in PARTS]
    return [sorted(part + more) for part, more in zip(parts, dealt, strict=True)]


def _write(parts: Sequence[Indices], paths: Sequence[Path], samples: Sequence[Sample]) -> None:
    """A file for each part that has samples; no old file stays for one that has none."""
    for path, part in zip(paths, parts, strict=True):
        if part:
            write_delimited(path, ((_relative(samples[index].image, path), samples[index].units) for index in part))
        else:
            path.unlink(missing_ok=True)


def _relative(image: str, table: Path) -> str:
    """The image's path from the folder of the CSV file, right also where that folder is a link."""
    return os.path.relpath(Path(image).parent.resolve() / Path(image).name, table.parent.resolve())


def _tell(parts: Sequence[Indices], paths: Sequence[Path], checked: Check, groups: Sequence[str] | None) -> None:
    for name, part, path in zip(PARTS, parts, paths, strict=True):
        of_groups = f" of {len({groups[index] for index in part})} groups" if groups else ""
        print(f"{name}: {len(part)} samples{of_groups}" + (f", {path}" if part else "; no file is written"))
    left = len(checked.samples) - sum(map(len, parts))
    if left:
        print(f"in no part: {left} samples")
    twins = sum(map(len, checked.duplicates()))
    across = shared(parts, checked.digests)
    if twins:
        kept = "not all of them in one part" if across else "kept together in one part"
        print(f"same pixels as another: {twins} images, {kept}")
    for (first, second), pairs in across.items():
        print(f"same pixels in {PARTS[first]} and {PARTS[second]}: {len(pairs)} images of {PARTS[second]}")
        for one, other in pairs:
            print(f"  {checked.samples[one].image} = {checked.samples[other].image}", file=sys.stderr)
