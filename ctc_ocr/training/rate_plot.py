"""The picture of a learning-rate range test (extra [plots])."""

import importlib.util
from pathlib import Path

from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.training.rate_curve import RateCurve

SIZE, DPI = (8.0, 5.0), 100  # inches, pixels per inch
MARGIN = 0.05  # of the loss's range, above and below


def require_plots() -> None:
    """Raises InputError if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("matplotlib is not installed: pip install 'ctc_ocr[plots]'")


def plot_curve(path: str | Path, curve: RateCurve) -> None:
    """Draw loss and smoothed loss over the learning rate (logarithmic) into a PNG, 800 x 500 pixels.

    The axes end where the loss explodes. Raises InputError if matplotlib is not installed, RunError if the file cannot
    be written.
    """
    check_kind("a path", path=path)
    check_kind(RateCurve, curve=curve)
    require_plots()
    # Imported only here; its own figure, without pyplot, opens no window and keeps no state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(curve.rates, curve.losses, color="tab:blue", alpha=0.3, linewidth=1, label="loss of a batch")
    axes.plot(curve.rates, curve.smoothed, color="tab:blue", linewidth=2, label="smoothed")
    if curve.suggestion is not None:
        axes.axvline(curve.suggestion, color="tab:red", linestyle="--", label=f"suggested: {curve.suggestion:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss (nats per sample)")
    (left, right), (bottom, top) = axis_limits(curve)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary, format="png")


def axis_limits(curve: RateCurve) -> tuple[tuple[float, float], tuple[float, float]]:
    """((lowest, highest) learning rate, (lowest, highest) loss) of the part before the loss explodes."""
    count = max(curve.num_stable, 1)
    losses = curve.smoothed[:count]
    margin = MARGIN * (max(losses) - min(losses)) or MARGIN
    left, right = curve.rates[0], curve.rates[count - 1]
    return (left, right if right > left else 10 * left), (min(losses) - margin, max(losses) + margin)
