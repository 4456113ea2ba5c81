"""ctc-ocr serve: models behind HTTP."""

import argparse
from pathlib import Path

from ctc_ocr.cli.arguments import MAX_THREADS, Parser, add_import, add_version, integer, number
from ctc_ocr.cli.model_options import MODEL_HELP, default_model
from ctc_ocr.cli.running import run, set_up_logging
from ctc_ocr.config.schema import MAX_SIZE
from ctc_ocr.runtime.input_files import MIB
from ctc_ocr.runtime.threads import set_threads
from ctc_ocr.serving.api_key import VARIABLE, find_api_key
from ctc_ocr.serving.requirements import require_serving
from ctc_ocr.serving.settings import Limits, Settings

PROG = "ctc-ocr serve"
DEFAULT, LIMITS = Settings(), Limits()


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _serve, argv, parser)


def parser() -> argparse.ArgumentParser:
    made = Parser(prog=PROG, description="Read images that are sent over HTTP (extra [serve]).")
    made.add_argument(
        "models", nargs="*", metavar="MODEL",
        help=f"{MODEL_HELP}, an ONNX model, or NAME=MODEL; POST /read uses the first one (default: as in infer)",
    )  # fmt: skip
    made.add_argument("--host", default="127.0.0.1", metavar="HOST", help="address to listen at (default: 127.0.0.1)")
    made.add_argument("--port", type=integer(0, 65535), default=8000, metavar="N", help="0: a free one (default: 8000)")
    made.add_argument(
        "--allowed_host", action="append", default=[], metavar="NAME", dest="allowed_hosts",
        help="a name by which the server may be called, beside localhost and addresses, or * for any; may be repeated",
    )  # fmt: skip
    made.add_argument(
        "--api_key_file", type=Path, metavar="FILE",
        help=f"a file with the key that requests must show (default: the environment variable {VARIABLE}, or no key)",
    )  # fmt: skip
    made.add_argument("--log_requests", action="store_true", help="a line on stderr for each request")
    _add_speed(made)
    _add_limits(made)
    add_import(made)
    add_version(made)
    return made


def _add_speed(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--threads", type=integer(1, MAX_THREADS), metavar="N",
        help="threads that decode images and run the networks (default: one for each core)",
    )  # fmt: skip
    made.add_argument(
        "--cpu", type=integer(1, MAX_THREADS), default=1, metavar="N", help="threads of each network (default: 1)"
    )
    made.add_argument(
        "--batch_size", type=integer(1, MAX_SIZE), metavar="N",
        help="images per batch, at most (default: 16 for ONNX models, else 128)",
    )  # fmt: skip
    made.add_argument(
        "--wait_ms", type=number, default=DEFAULT.wait_ms, metavar="X",
        help="milliseconds that an image waits for others that are on their way into its batch (default: "
        f"{DEFAULT.wait_ms:g})",
    )  # fmt: skip


def _add_limits(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("limits (requests beyond them are refused with the reason)")

    def add(name: str, text: str) -> None:
        value = getattr(LIMITS, name)
        is_time = name.endswith("_seconds")
        group.add_argument(
            f"--{name}", type=number if is_time else integer(1), default=value, metavar="X" if is_time else "N",
            help=f"{text} (default: {value:g})" if is_time else f"{text} (default: {value})",
        )  # fmt: skip

    add("max_request_bytes", f"bytes of a request's body, at most {256 * MIB}")
    add("max_pending_bytes", "bytes of the bodies of all requests that are not answered yet")
    add("max_pixels", "pixels of an image, at most 50000000")
    add("max_images", "images in a request")
    add("max_queue", "images of all requests that are not read yet")
    add("max_connections", "open connections")
    add("body_seconds", "seconds in which the head of a request must arrive, and then its body")
    add("answer_seconds", "seconds in which a request whose body has arrived must be answered")


def _serve(argv: list[str]) -> None:
    arguments = parser().parse_args(argv)
    require_serving()
    limits = Limits(**{name: getattr(arguments, name) for name in vars(LIMITS)})
    settings = Settings(
        threads=arguments.threads,
        wait_ms=arguments.wait_ms,
        api_key=find_api_key(arguments.api_key_file),
        allowed_hosts=(arguments.host, *arguments.allowed_hosts),
        log_requests=arguments.log_requests,
    )
    set_up_logging()
    set_threads(arguments.cpu)
    # MXNet reads the number of threads when it is imported, so not above.
    from ctc_ocr.serving.app import make_app
    from ctc_ocr.serving.models import load_models
    from ctc_ocr.serving.server import run_server

    models = load_models(arguments.models or [default_model(PROG)], arguments.batch_size)
    names = ", ".join(each.name for each in models)
    several = "models" if len(models) > 1 else "model"

    def tell(address: str) -> None:
        print(f"{PROG}: {several} {names} at {address}", flush=True)

    run_server(make_app(models, limits, settings), limits, arguments.host, arguments.port, tell)
