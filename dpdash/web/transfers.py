"""Files of runs over HTTP: out as a stream whose memory does not grow with the run, and in as one that is bounded.

Both addresses carry a ticket (`tickets`): they work in the browser that they were made for, and nowhere else.
"""

import asyncio
import logging
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, TYPE_CHECKING, Final, Generic, TypeVar
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from dpdash.core.errors import N_, DpdashError, RunFileError, StoreError, UnknownRunError
from dpdash.core.own_data import MOST_BYTES, OwnData, OwnDataError
from dpdash.core.translations import Language, language
from dpdash.web.addresses import in_page, path_of, route
from dpdash.web.rate_limit import Allowance, RateLimiter
from dpdash.web.tickets import OWNER_COOKIE, is_valid, owner_of, ticket
from dpdash.web.turns import BusyError, Turns

if TYPE_CHECKING:
    from dpdash.files.formats import FormatName

EXPORT_PATH: Final = "/dpdash/export"
IMPORT_PATH: Final = "/dpdash/import"
DATA_PATH: Final = "/dpdash/data"
TAKING_PATHS: Final = (IMPORT_PATH, DATA_PATH)
IMPORT, DATA = "import", "data"
EXPORTS_EACH, EXPORTS_TOGETHER = 2, 4
IMPORTS_EACH, IMPORTS_TOGETHER = 1, 2
STALLED_SECONDS: Final = 60.0
"""So long one piece may take to be taken; whoever takes longer makes room for others."""
LONGEST_UPLOAD_SECONDS: Final = 120.0
IN_MEMORY_BYTES: Final = 2**20
A_BROWSERS_IMPORTS: Final = Allowance(at_once=10, seconds=30)
EVERYBODYS_IMPORTS: Final = Allowance(at_once=100, seconds=3)
NUM_REMEMBERED: Final = 64

_log = logging.getLogger(__name__)

FOREIGN: Final = N_(
    "This address works only in the browser whose page made it, with cookies, and until the server ends. Open "
    "the page and press the button there."
)
TOO_LARGE: Final = N_(
    "The file has more than {limit} bytes, which is the most that is taken in. Try it with fewer runs or rows."
)
TOO_SLOW: Final = N_("The file took longer than {seconds} seconds to arrive. Try again on a faster connection.")
TOO_OFTEN: Final = N_("There were too many imports. Wait {seconds} seconds and try again.")
IMPORTED: Final = N_("Runs imported: {number}.")
BROUGHT: Final = N_("Rows taken: {number}.")
Taken = TypeVar("Taken")


class ForeignError(DpdashError, PermissionError):
    """An address was used by a browser that it was not made for."""


class UploadError(DpdashError):
    """What was sent is not taken: too large, too slow, or too often."""

    def __init__(self, status: int, template: str, **values: object) -> None:
        super().__init__(template, **values)
        self.status = status


def export_address(name: "FormatName", run_ids: Sequence[str], owner: str, language_code: str) -> str:
    """Where this browser can fetch runs as a file."""
    purpose = (str(name), language_code, *run_ids)
    query = [("run", run_id) for run_id in run_ids]
    query += [("language", language_code), ("ticket", ticket(owner, *purpose))]
    return in_page(f"{EXPORT_PATH}/{name}?{urlencode(query)}")


def import_address(owner: str, language_code: str) -> str:
    """Where this browser can send a file of runs to."""
    return _taking_address(IMPORT_PATH, IMPORT, owner, language_code)


def data_address(owner: str, language_code: str) -> str:
    """Where this browser can send a table of its own to; a `name` may be added."""
    return _taking_address(DATA_PATH, DATA, owner, language_code)


def _taking_address(path: str, purpose: str, owner: str, language_code: str) -> str:
    shown = ticket(owner, purpose, language_code)
    return in_page(f"{path}?{urlencode({'language': language_code, 'ticket': shown})}")


@dataclass(frozen=True)
class _Asker:
    """Who asks, and in which language to answer."""

    owner: str
    words: Language

    @classmethod
    def of(cls, request: Request, *purpose: str) -> "_Asker":
        """Whoever has a ticket for this purpose.

        Raises:
            ForeignError: when it is not this browser's.
        """
        owner = owner_of(request.cookies.get(OWNER_COOKIE, ""))
        if OWNER_COOKIE not in request.cookies or not is_valid(
            request.query_params.get("ticket", ""), owner, purpose
        ):
            raise ForeignError(FOREIGN)
        return cls(owner, _words(request))


class _Streamed(StreamingResponse):
    """A file that is made while it is taken; its turn ends with it, however it ends."""

    def __init__(self, parts: Iterator[bytes], end: Callable[[], None], media_type: str, name: str) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        super().__init__(parts, headers=headers, media_type=media_type)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(STALLED_SECONDS):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:
            _log.warning("A download was given up: nothing was taken of it for %.0f s.", STALLED_SECONDS)
        finally:
            self._end()


class _Latest(Generic[Taken]):
    """What each browser has brought in last, until its page asks for it."""

    def __init__(self) -> None:
        self._by_owner: OrderedDict[str, Taken] = OrderedDict()

    def remember(self, owner: str, taken: Taken) -> None:
        self._by_owner[owner] = taken
        if len(self._by_owner) > NUM_REMEMBERED:
            self._by_owner.popitem(last=False)

    def take(self, owner: str) -> Taken | None:
        return self._by_owner.pop(owner, None)


class _Imports:
    """How often files are brought in."""

    def __init__(self) -> None:
        self._by_browser = RateLimiter(A_BROWSERS_IMPORTS)
        self._by_all = RateLimiter(EVERYBODYS_IMPORTS)

    def admit(self, owner: str, now: float) -> None:
        """Use one try up.

        Raises:
            UploadError: when there is none left.
        """
        tries = ((self._by_browser, owner), (self._by_all, ""))
        seconds = max(kind.seconds_to_wait(name, now) for kind, name in tries)
        if seconds > 0:
            raise UploadError(429, TOO_OFTEN, seconds=int(seconds) + 1)
        for kind, name in tries:
            kind.take(name, now)


_exporting = Turns(EXPORTS_EACH, EXPORTS_TOGETHER)
_importing = Turns(IMPORTS_EACH, IMPORTS_TOGETHER)
_imports = _Imports()
_imported = _Latest[tuple[str, ...]]()
_brought = _Latest[OwnData]()


def take_imported(owner: str) -> tuple[str, ...]:
    """The runs that a browser has just brought in, once."""
    return _imported.take(owner) or ()


def take_brought(owner: str) -> OwnData | None:
    """The table that a browser has just brought in, once."""
    return _brought.take(owner)


async def _serve_export(request: Request) -> Response:
    if request.method != "GET":
        return Response(status_code=405)  # a HEAD would make the whole file and throw it away
    run_ids = request.query_params.getlist("run")
    purpose = (request.path_params["name"], request.query_params.get("language", ""), *run_ids)
    try:
        asker = _Asker.of(request, *purpose)
        end = _exporting.take(asker.owner)
    except (ForeignError, BusyError) as error:
        return _refused(request, error)
    try:
        return await run_in_threadpool(_export, purpose[0], run_ids, asker.words, end)
    except BaseException as error:
        end()
        if isinstance(error, DpdashError):
            return _refused(request, error)
        raise


def _export(name: str, run_ids: list[str], words: Language, end: Callable[[], None]) -> Response:
    # Here and not above, as in `server.warm_up`: torch takes seconds to import.
    from dpdash.files.formats import FILES, FormatName, file_name
    from dpdash.files.run import whole_runs
    from dpdash.web.process import run_service

    wanted = FormatName(name)
    runs = whole_runs(run_service().runs, run_ids)
    parts = FILES[wanted].encode(runs, words)
    # What cannot be made at all is said before the answer has begun.
    first = next(parts, b"")
    return _Streamed(chain([first], parts), end, FILES[wanted].media_type, file_name(wanted, runs))


async def _take_import(request: Request) -> Response:
    def take(file: IO[bytes], asker: _Asker) -> dict[str, object]:
        from dpdash.files.imports import import_runs
        from dpdash.web.process import run_service

        run_ids = import_runs(file, run_service(), asker.owner)
        _imported.remember(asker.owner, run_ids)
        text = asker.words.sentence(IMPORTED, {"number": len(run_ids)})
        return {"taken": True, "runs": list(run_ids), "text": text}

    from dpdash.files.bounds import MOST_FILE_BYTES

    return await _take(request, IMPORT, MOST_FILE_BYTES, take)


async def _take_data(request: Request) -> Response:
    def take(file: IO[bytes], asker: _Asker) -> dict[str, object]:
        from dpdash.files.own_data import brought
        from dpdash.web.process import run_service

        data = brought(file, request.query_params.get("name", ""), run_service())
        _brought.remember(asker.owner, data)
        return {"taken": True, "text": asker.words.sentence(BROUGHT, {"number": data.rows})}

    return await _take(request, DATA, MOST_BYTES, take)


async def _take(
    request: Request, purpose: str, most_bytes: int, take: Callable[[IO[bytes], _Asker], dict[str, object]]
) -> Response:
    """Take in a file that a page sends, and answer what came of it."""
    try:
        asker = _Asker.of(request, purpose, request.query_params.get("language", ""))
        end = _importing.take(asker.owner)
    except (ForeignError, BusyError) as error:
        return _refused(request, error)
    try:
        _imports.admit(asker.owner, time.monotonic())
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
            await _receive(request, file, most_bytes)
            return JSONResponse(await run_in_threadpool(take, file, asker))
    except (RunFileError, OwnDataError, StoreError) as error:
        # What was sent was taken: the answer says what came of it.
        return JSONResponse({"text": asker.words.error(error)})
    except UploadError as error:
        return _refused(request, error)
    except ClientDisconnect:
        return Response(status_code=400)
    finally:
        end()


async def _receive(request: Request, file: IO[bytes], most_bytes: int) -> None:
    """Write what is sent into a file, as long as it is neither too large nor too slow."""
    num_bytes = 0
    try:
        async with asyncio.timeout(LONGEST_UPLOAD_SECONDS):
            async for chunk in request.stream():
                num_bytes += len(chunk)
                if num_bytes > most_bytes:
                    raise UploadError(413, TOO_LARGE, limit=most_bytes)
                await run_in_threadpool(file.write, chunk)
    except TimeoutError:
        raise UploadError(408, TOO_SLOW, seconds=int(LONGEST_UPLOAD_SECONDS)) from None
    file.seek(0)


def _words(request: Request) -> Language:
    return language(request.query_params.get("language", ""))


def _refused(request: Request, error: DpdashError) -> Response:
    """The sentence of an error; nothing that the caller sent is run or shown as a page."""
    text, status = _words(request).error(error), _status(error)
    if path_of(request.scope) in TAKING_PATHS:
        return JSONResponse({"text": text}, status)
    return PlainTextResponse(text, status, {"Cache-Control": "no-store"})


def _status(error: DpdashError) -> int:
    if isinstance(error, UploadError):
        return error.status
    statuses = {ForeignError: 403, BusyError: 429, UnknownRunError: 404}
    return next((status for kind, status in statuses.items() if isinstance(error, kind)), 400)


def transfer_routes() -> tuple[Route, ...]:
    """Where runs go out, and where runs and tables of one's own come in."""
    return (
        Route(route(f"{EXPORT_PATH}/{{name}}"), _serve_export, methods=["GET"]),
        Route(route(IMPORT_PATH), _take_import, methods=["POST"]),
        Route(route(DATA_PATH), _take_data, methods=["POST"]),
    )
