"""Reading the images of a request: what the requests of an application share."""

import asyncio
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ctc_ocr.serving.answers import answer
from ctc_ocr.serving.bodies import Body, PendingBytes
from ctc_ocr.serving.jobs import Job, Read
from ctc_ocr.serving.metrics import Metrics
from ctc_ocr.serving.models import ServedModel
from ctc_ocr.serving.reading_threads import ReadingThreads
from ctc_ocr.serving.refusals import Refusal, busy
from ctc_ocr.serving.settings import Limits, Settings

CLIENT_LEFT = 499  # of no standard, and seen in the metrics and the log alone
WATCH_AFTER = 0.1  # seconds until it is worth a look whether the client still waits


class Service:
    """Models, the threads that read with them, and limits. Of the event loop's thread."""

    def __init__(self, models: Sequence[ServedModel], limits: Limits, settings: Settings, metrics: Metrics) -> None:
        self.models = {each.name: each for each in models}
        self.first, self.limits, self.metrics = models[0], limits, metrics
        self._pending = PendingBytes(limits.max_pending_bytes, metrics)
        self.threads = ReadingThreads(models, limits, settings, metrics)

    def model(self, name: str) -> ServedModel:
        """Raises Refusal if there is none of this name."""
        if name not in self.models:
            raise Refusal(404, f"no model {name!r}; there are: {', '.join(self.models)}")
        return self.models[name]

    async def read(self, model: ServedModel, request: Request, alternatives: int) -> Response:
        """Read the images of a request. Raises Refusal."""
        with Body(request, self.limits, self._pending) as body:
            try:
                uploads = await body.images()
            except ClientDisconnect:
                raise Refusal(CLIENT_LEFT, "the client has left") from None
            job = self.threads.submit(model, uploads, alternatives)
            await self._done(job, request)
        status, content = answer(job, uploads)
        read = sum(isinstance(each, Read) for each in job.outcomes)
        self.metrics.images.labels(model.name, "read").inc(read)
        self.metrics.images.labels(model.name, "unreadable").inc(len(uploads) - read)
        return Response(content, status, media_type="application/json")

    async def _done(self, job: Job, request: Request) -> None:
        """Raises Refusal if the job is not done in time, or the client has left. What nobody waits for is not read."""
        loop, seconds = asyncio.get_running_loop(), self.limits.answer_seconds
        late = loop.call_later(seconds, job.fail, busy(f"the images were not read within {seconds:g} s"))
        watchers: list[asyncio.Task[None]] = []  # a task for each request would take longer than many of them do
        watch = loop.call_later(WATCH_AFTER, lambda: watchers.append(loop.create_task(_watch(request, job))))
        try:
            await job.done
        except BaseException:
            self.threads.abandon(job)
            raise
        finally:
            late.cancel()
            watch.cancel()
            for each in watchers:
                each.cancel()


async def _watch(request: Request, job: Job) -> None:
    """Let the job fail if the client leaves: after the body, nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        continue
    job.fail(Refusal(CLIENT_LEFT, "the client has left"))
