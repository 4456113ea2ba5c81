"""A source of your own: labelled images that a JSON-lines file lists. On the command line:

ctc-ocr train --import own_source.py --data jsonl:photos.jsonl
"""

import json
from pathlib import Path

import ctc_ocr

IMAGES = 2_000
EPOCHS = 4
SAMPLES_PER_EPOCH = 1600


@ctc_ocr.register_source("jsonl")
def read_jsonl(argument, options):
    """Samples of the lines {"file": "a.png", "text": "1234"}. What is no sample becomes a problem, and is reported."""
    path = Path(argument)
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}"
            try:
                row = json.loads(line)
                yield ctc_ocr.Sample(str(path.parent / row["file"]), tuple(row["text"]), where)
            except (ValueError, KeyError, TypeError) as error:
                yield ctc_ocr.Problem(where, f"expected an object with file and text: {error!r}")


if __name__ == "__main__":  # --import registers the source, and does not train
    # Something to read: captchas, listed as JSON. One of the rows has no text.
    writer = ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=1)
    Path("captchas_jsonl").mkdir(exist_ok=True)
    with Path("captchas_jsonl/list.jsonl").open("w", encoding="utf-8") as file:
        for index in range(IMAGES):
            text = writer.write(Path(f"captchas_jsonl/{index}.png"), index=index)
            print(json.dumps({"file": f"{index}.png", "text": text}), file=file)
        print(json.dumps({"file": "0.png"}), file=file)

    settings = ctc_ocr.preset("word", training={"num_epoch": EPOCHS, "samples_per_epoch": SAMPLES_PER_EPOCH})
    result = ctc_ocr.train(settings, "jsonl:captchas_jsonl/list.jsonl", prefix="models/jsonl", overwrite=True)
    print(f"{result.accuracy:.1%} of the validation images are read correctly")
