"""What a server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
WAITING, DECODING_IMAGE, NETWORK, DECODING_TEXT = STAGES = ("waiting", "decoding_image", "network", "decoding_text")


class Metrics:
    """The counters of one server, in a registry of its own. Safe to use from several threads at once."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("ctc_ocr_requests", "Requests, by HTTP status", ["status"], registry=self.registry)
        self.images = Counter(
            "ctc_ocr_images", "Images, by model and by whether they were read", ["model", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.queue = Gauge("ctc_ocr_queue_images", "Images that are not read yet", registry=self.registry)
        self.pending_bytes = Gauge(
            "ctc_ocr_pending_bytes", "Bytes of the bodies of requests that are not answered yet", registry=self.registry
        )
        self.batches = Histogram(
            "ctc_ocr_batch_images", "Images in a batch", ["model"], buckets=SIZES, registry=self.registry
        )
        stages = Histogram(
            "ctc_ocr_stage_seconds",
            "Time of an image in a stage: waiting for a thread or a batch, decoding the image and preparing it; and of "
            "a batch: network, decoding the text",
            ["stage"], buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.stages = {stage: stages.labels(stage) for stage in STAGES}
        self.latency = Histogram(
            "ctc_ocr_request_seconds", "Time of a request, from its head to its answer", buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip

    def text(self) -> bytes:
        """All of them in the format of Prometheus."""
        return generate_latest(self.registry)
