"""The one file that talks to a model, through the `openai` package, to any OpenAI-compatible endpoint; one try each.

What goes wrong is sorted: another attempt may mend it (`Trouble`), it concerns this request alone (`Rejection`), or no
request will get past it (EndpointError). Nothing is tried again here, and the SDK tries nothing again either.

The API key comes from the environment, and every text that leaves this file has been searched for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

try:
    import aiohttp
    import httpx2
    import openai
except ImportError as missing:
    raise ImportError(
        "to ask a model, coalm-it needs the openai package: pip install 'coalm-it[llm]'", name=missing.name
    ) from None

from coalm_it.errors import OutsideError
from coalm_it.llm.request import Dialect, Request, build_body
from coalm_it.llm.responses import Completion, Rejection, ServerError, Trouble, read_completion, read_error
from coalm_it.model_settings import Settings
from coalm_it.retry_after import read_retry_after

KEY_VARIABLE = "OPENAI_API_KEY"
OPENAI = "https://api.openai.com"
MOST_BYTES = 8_000_000
"""No answer is larger: what is, is not read to its end."""
LONGEST_DETAIL = 300
SHORTEST_KEY = 8
"""What is shorter is a word like EMPTY, that is put where a server wants no key."""
TRIES = 5
CONNECT_SECONDS = 15.0
STOPPING = {
    401: "the endpoint does not accept the key in the environment variable OPENAI_API_KEY",
    402: "the endpoint asks for payment",
    403: "the key in the environment variable OPENAI_API_KEY may not do this",
}
LONG_PROMPT = {"context_length_exceeded", "string_above_max_length"}
FILTERED = {"content_filter", "content_policy_violation"}
PINNED = "server is pinned to "
"""What `transformers serve` says, with a 400, where another model than its own is asked."""
SPENT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}


class EndpointError(OutsideError):
    """No request will get past this; one line for the person who must act."""


class Endpoint:
    """Use `open_endpoint`."""

    def __init__(
        self,
        settings: Settings,
        client: openai.AsyncOpenAI,
        http: httpx2.AsyncClient,
        key: str,
        say: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self.address = settings.base_url
        self.client, self.http = client, http
        self.dialect = Dialect()
        self._url = client.base_url.copy_with(raw_path=client.base_url.raw_path + b"chat/completions")
        self._headers = read_headers(client)
        self._key = key
        self._say = say

    def clean(self, text: str) -> str:
        """The text in one line of moderate length, without the key."""
        text = " ".join(text.split())
        if len(self._key) >= SHORTEST_KEY:
            text = text.replace(self._key, "***")
        return text if len(text) <= LONGEST_DETAIL else f"{text[: LONGEST_DETAIL - 3]}..."

    def _require_key(self) -> None:
        if not self._key and self.address.startswith(OPENAI):
            raise EndpointError(f"no API key: put it into the environment variable {KEY_VARIABLE}")

    async def ask(self, request: Request) -> Completion | Trouble | Rejection:
        """One attempt. Raises EndpointError."""
        self._require_key()
        # As it is when the request goes out: another one may change it meanwhile.
        dialect = self.dialect
        content = json.dumps(build_body(request, self.settings, dialect)).encode()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.settings.timeout):
                response, raw = await self._post(content)
        except TimeoutError:
            return Trouble(f"no answer in {self.settings.timeout:g} s", timed_out=True)
        except (httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            return self._sort_connection(error)
        if not response.is_success:
            return self.sort_error(_read_response(response, raw or b""), dialect)
        if raw is None:
            return Rejection(f"an answer of more than {MOST_BYTES // 1_000_000} MB", oversized=True, charged=True)
        try:
            return read_completion(json.loads(raw), time.perf_counter() - started)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return Trouble(self.clean(f"not a completion: {raw[:2000].decode('utf-8', 'replace')!r}"))

    async def _post(self, content: bytes) -> tuple[httpx2.Response, bytes | None]:
        """The answer and its body, or None for one that is too large.

        Through the SDK's transport, with the address and the headers that the SDK made, but not through its methods:
        these put address, headers and options together anew for each request, which costs as much as all the rest.
        """
        request = httpx2.Request("POST", self._url, headers=self._headers, content=content)
        response = await self.http.send(request, stream=True)
        received = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) > MOST_BYTES:
                    return response, None
        finally:
            await response.aclose()
        return response, bytes(received)

    # --- errors ---

    def _sort_connection(self, error: Exception) -> Trouble:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
                return Trouble(self.clean(f"{self.address} does not answer: {cause}"), charged=False, reached=False)
            cause = cause.__cause__
        return Trouble(self.clean(f"the connection was lost: {error.__cause__ or error}"))

    def sort_error(self, error: ServerError, sent: Dialect) -> Trouble | Rejection:
        """What an error of the server means for a request that was put in the dialect `sent`. Raises EndpointError."""
        status, message = error.status, self.clean(f"{error.status}: {error.message}")
        if error.kinds & SPENT:
            raise EndpointError(f"{self.address}: the quota is used up ({message})")
        if status in STOPPING:
            raise EndpointError(f"{self.address}: {self._explain(status)} ({message})")
        if status == 404 or "model_not_found" in error.kinds or PINNED in error.message.lower():
            raise EndpointError(f"{self.address}: no model {self.settings.model!r} there, or no such API ({message})")
        if status in (429, 529) or (status == 503 and error.wait is not None):
            return Trouble(message, refused=True, wait=error.wait, charged=False)
        if error.kinds & FILTERED:
            return Rejection(message, filtered=True)
        if not error.kinds & LONG_PROMPT and self._adapt(error, sent):
            return Trouble(message, charged=False, changed=True)
        if status in (408, 409, 425) or status >= 500:
            return Trouble(message, wait=error.wait, charged=status in (408, 504))
        return Rejection(message)

    def _explain(self, status: int) -> str:
        if status == 401 and not self._key:
            return f"a key is needed: put it into the environment variable {KEY_VARIABLE}"
        return STOPPING[status]

    def _adapt(self, error: ServerError, sent: Dialect) -> bool:
        """Puts all further requests in another way, where the server did not understand this one."""
        said = f"{error.param} {error.message}".lower()
        if sent.limit == "max_tokens" and "max_completion_tokens" in said:
            self.dialect = replace(self.dialect, limit="max_completion_tokens")
            return True
        words = "response_format" if error.status >= 500 else r"response_format|json_schema|structured|guided|grammar"
        if sent.schemas and re.search(words, said):
            if self.dialect.schemas == sent.schemas == "json_schema" and "json_object" in said:
                self.dialect = replace(self.dialect, schemas="json_object")
            elif self.dialect.schemas == sent.schemas:
                self.dialect = replace(self.dialect, schemas=None)
                why = self.clean(error.message)
                self._say(f"{self.address}: no structured output there; answers are read as they come ({why})")
            return True
        return False

    # --- batches ---

    async def upload(self, path: Path) -> str:
        """Uploads a file of requests. Returns its id. Raises EndpointError, as all of these."""
        with self._one_line("a file cannot be uploaded"):
            return (await self.client.with_options(max_retries=TRIES).files.create(file=path, purpose="batch")).id

    async def order_batch(self, file: str) -> str:
        """Orders the answers to an uploaded file. Returns the batch's id.

        After an error it may have been ordered all the same: so the SDK tries this but once.
        """
        with self._one_line("a batch cannot be ordered"):
            order = self.client.batches.create
            return (await order(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h")).id

    async def find_batch(self, file: str) -> str | None:
        """The batch that was ordered for an uploaded file, if one was."""
        with self._one_line("the batches cannot be listed"):
            async for batch in self.client.with_options(max_retries=TRIES).batches.list(limit=100):
                if batch.input_file_id == file:
                    return batch.id
        return None

    async def read_batch(self, name: str) -> openai.types.Batch | None:
        """How a batch stands; None where the endpoint does not know it (any more)."""
        with self._one_line(f"batch {name} cannot be read"):
            try:
                return await self.client.with_options(max_retries=TRIES).batches.retrieve(name)
            except openai.NotFoundError:
                return None

    async def download(self, file: str, path: Path) -> None:
        with self._one_line(f"file {file} cannot be downloaded"):
            files = self.client.with_options(max_retries=TRIES).files
            async with files.with_streaming_response.content(file) as response:
                await response.stream_to_file(path)

    @contextmanager
    def _one_line(self, what: str) -> Iterator[None]:
        self._require_key()
        try:
            yield
        except openai.APIStatusError as error:
            read = _read_status(error)
            raise EndpointError(self.clean(f"{self.address}: {what} ({read.status}: {read.message})")) from None
        except (openai.APIConnectionError, httpx2.HTTPError, aiohttp.ClientError) as error:
            raise EndpointError(self.clean(f"{self.address}: {what}: {error.__cause__ or error}")) from None


def read_headers(client: openai.AsyncOpenAI) -> httpx2.Headers:
    """What the SDK sends with each request, key and organization too, but for what it says of this machine."""
    headers = {**client.default_headers, **client.auth_headers}
    return httpx2.Headers(
        {
            name: value
            for name, value in headers.items()
            if isinstance(value, str) and not name.lower().startswith("x-stainless-")
        }
    )


def _read_response(response: httpx2.Response, raw: bytes) -> ServerError:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = raw.decode("utf-8", "replace")
    return read_error(response.status_code, body or response.reason_phrase, read_retry_after(response.headers))


def _read_status(error: openai.APIStatusError) -> ServerError:
    return read_error(error.status_code, error.body or error.message, read_retry_after(error.response.headers))


@asynccontextmanager
async def open_endpoint(settings: Settings, say: Callable[[str], None] = print) -> AsyncIterator[Endpoint]:
    """A client for the endpoint of `settings`, with a pool of connections of its own. Raises EndpointError.

    That a key is missing is an error once something is asked: whoever has all answers needs none.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise EndpointError(f"the environment variable {KEY_VARIABLE} holds characters that no API key has")
    limits = httpx2.Limits(
        max_connections=settings.max_in_flight, max_keepalive_connections=settings.max_in_flight, keepalive_expiry=60
    )
    # `ask` sees to the time that an answer may take as a whole.
    timeout = httpx2.Timeout(settings.timeout + 5, connect=min(CONNECT_SECONDS, settings.timeout), pool=None)
    try:
        http_client = openai.DefaultAioHttpClient(limits=limits, timeout=timeout)
        client = openai.AsyncOpenAI(
            api_key=key or "none", base_url=settings.base_url, max_retries=0, timeout=timeout, http_client=http_client
        )
    except (openai.OpenAIError, httpx2.InvalidURL) as error:
        raise EndpointError(f"{settings.base_url}: no endpoint: {error}") from None
    async with client:
        yield Endpoint(settings, client, http_client, key, say)
