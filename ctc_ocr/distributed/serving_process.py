"""What the process of a scheduler or a server on this machine runs."""

from multiprocessing.connection import Connection

from ctc_ocr.distributed.cluster import Cluster
from ctc_ocr.errors import UserError
from ctc_ocr.runtime.child import StartFailure
from ctc_ocr.runtime.threads import set_threads


def serve_quietly(connection: Connection, cluster: Cluster, role: str) -> None:
    """Serve until the workers have left; the parent sees how the process ends, and is told why it could not begin."""
    set_threads(1)
    from ctc_ocr.distributed.server import serve

    try:
        serve(cluster, role)
    except UserError as error:
        connection.send(StartFailure(str(error)))
