"""The addresses the web service answers at."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from portfolio.errors import StoreError
from portfolio.health.verdict import Status
from portfolio.web.answers import NONE_DECIDED, signal_document, stand_in_page
from portfolio.web.metrics import Metrics
from portfolio.web.reading import PageError

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig
    from starlette.requests import Request

    from portfolio.web.reading import Reading

READ = ["GET", "HEAD"]
# FastAPI would hand spans of each request to OpenTelemetry, and send them out where the environment says so.
SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def application(reading: Reading) -> FastAPI:
    """Return the application; it has no documentation pages, whose scripts would come from another host."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, telemetry=SILENT)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    _add_probes(app, reading)
    _add_answers(app, reading)
    return app


def _add_probes(app: FastAPI, reading: Reading) -> None:
    metrics = Metrics()

    @app.api_route("/healthz", methods=READ)
    async def healthz() -> Response:
        return JSONResponse({"status": "alive", "release": reading.running.version, "slot": reading.running.slot})

    @app.api_route("/readyz", methods=READ)
    async def readyz() -> Response:
        published, page = await reading.published(), await reading.page()
        reasons = [str(found) for found in (published, page) if isinstance(found, (StoreError, PageError))]
        code = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return JSONResponse({"ready": not reasons, "reasons": reasons}, code)

    @app.api_route("/metrics", methods=READ)
    async def metrics_() -> Response:
        text = await metrics.text(await reading.seen())
        return Response(text, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


def _add_answers(app: FastAPI, reading: Reading) -> None:
    @app.api_route("/api/v1/health", methods=READ)
    async def health() -> Response:
        found = (await reading.seen()).health
        unwell = found.status is Status.UNHEALTHY
        return JSONResponse(found.as_dict(), HTTPStatus.SERVICE_UNAVAILABLE if unwell else HTTPStatus.OK)

    @app.api_route("/api/v1/signal", methods=READ)
    async def signal() -> Response:
        published = await reading.published()
        if isinstance(published, StoreError):
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, str(published))
        if published.signal is None:
            return _error(HTTPStatus.NOT_FOUND, NONE_DECIDED)
        return JSONResponse(signal_document(published, published.signal, reading.settings, reading.now()))

    @app.api_route("/", methods=READ)
    async def page() -> Response:
        found = await reading.page()
        if isinstance(found, PageError):
            return HTMLResponse(stand_in_page(str(found)), HTTPStatus.SERVICE_UNAVAILABLE)
        return HTMLResponse(found)


async def _refused(_request: Request, error: Any) -> Response:  # noqa: ANN401  # starlette's type is any exception
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _failed(_request: Request, _cause: Exception) -> Response:
    # The traceback goes to the log, never to who asked.
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "This answer could not be made; the log says why.")


def _error(code: HTTPStatus, message: str) -> Response:
    return JSONResponse({"error": message}, code)
