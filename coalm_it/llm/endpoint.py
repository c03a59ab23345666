"""The HTTP client of an OpenAI-compatible endpoint, on top of the `openai` package; one attempt per call.

Errors are classified: another attempt may succeed (`TransientError`), this request is refused for good (`Rejection`),
or no request can succeed (EndpointError, raised). Retries are in retry.py; those of the SDK are off.

The API key comes from the environment, and is removed from every text that leaves this file.
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
from urllib.parse import urlsplit

import httpx2

from coalm_it.errors import OutsideError
from coalm_it.extras import require_extra
from coalm_it.llm.request import Dialect, Request, build_body
from coalm_it.llm.responses import AttemptResult, Rejection, ServerError, TransientError, read_completion, read_error
from coalm_it.model_settings import Settings
from coalm_it.retry_after import read_retry_after

require_extra("llm", "asking a model", ("aiohttp", "openai"))
import aiohttp  # noqa: E402
import openai  # noqa: E402

KEY_VARIABLE = "OPENAI_API_KEY"
OPENAI_URL = "https://api.openai.com"
MAX_BYTES = 8_000_000
"""Maximum size of a response; a larger one is not read to its end."""
MAX_DETAIL = 300
"""Maximum length of an error text, characters."""
MIN_KEY_LENGTH = 8
"""A shorter key is a placeholder such as EMPTY, for a server without keys."""
SDK_RETRIES = 5
"""Retries of the SDK in calls for files and batches."""
CONNECT_SECONDS = 15.0
FATAL_STATUSES = {
    401: "the endpoint does not accept the API key in the environment variable OPENAI_API_KEY",
    402: "the endpoint requires payment",
    403: "the API key in the environment variable OPENAI_API_KEY lacks permission",
}
# Error codes and types, as OpenAI and Azure send them.
LONG_PROMPT = {"context_length_exceeded", "string_above_max_length"}
FILTERED = {"content_filter", "content_policy_violation"}
OTHER_MODEL = "server is pinned to "
"""Part of the error 400 of `transformers serve` for any model but its own."""
QUOTA_EXHAUSTED = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}


class EndpointError(OutsideError):
    """No request to this endpoint can succeed; one line for the user."""


class Endpoint:
    """An endpoint and what is known of it; opened by `open_endpoint`."""

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
        """The text in one line of limited length, with the API key removed."""
        text = " ".join(text.split())
        if len(self._key) >= MIN_KEY_LENGTH:
            text = text.replace(self._key, "***")
        return text if len(text) <= MAX_DETAIL else f"{text[: MAX_DETAIL - 3]}..."

    def _require_key(self) -> None:
        if not self._key and self.address.startswith(OPENAI_URL):
            raise EndpointError(f"no API key: set the environment variable {KEY_VARIABLE}")

    async def ask(self, request: Request) -> AttemptResult:
        """The result of one attempt. Raises EndpointError."""
        self._require_key()
        # The dialect in which this request is sent: the response to another request may change it meanwhile.
        dialect = self.dialect
        content = json.dumps(build_body(request, self.settings, dialect)).encode()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.settings.timeout):
                response, raw = await self._post(content)
        except TimeoutError:
            return TransientError(f"no answer in {self.settings.timeout:g} s", timed_out=True)
        except (httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            return self._classify_connection_error(error)
        if not response.is_success:
            return self.classify_error(_read_response(response, raw or b""), dialect)
        if raw is None:
            return Rejection(f"an answer of more than {MAX_BYTES // 1_000_000} MB", oversized=True, charged=True)
        try:
            return read_completion(json.loads(raw), time.perf_counter() - started)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            if response.headers.get("content-type", "").startswith("text/html") and self._hint():
                raise EndpointError(f"{self.address}: a web page, no chat completions API{self._hint()}") from None
            return TransientError(self.clean(f"not a completion: {raw[:2000].decode('utf-8', 'replace')!r}"))

    async def _post(self, content: bytes) -> tuple[httpx2.Response, bytes | None]:
        """The response and its body; None instead of a body that is too large.

        Uses the SDK's transport, URL and headers, but not its methods: these rebuild URL, headers and options for each
        request, which takes as much time as everything else together.
        """
        request = httpx2.Request("POST", self._url, headers=self._headers, content=content)
        response = await self.http.send(request, stream=True)
        received = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) > MAX_BYTES:
                    return response, None
        finally:
            await response.aclose()
        return response, bytes(received)

    # --- errors ---

    def _classify_connection_error(self, error: Exception) -> TransientError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
                return TransientError(
                    self.clean(f"{self.address} does not answer: {cause}"), charged=False, reached=False
                )
            cause = cause.__cause__
        return TransientError(self.clean(f"the connection was lost: {error.__cause__ or error}"))

    def classify_error(self, error: ServerError, sent: Dialect) -> TransientError | Rejection:
        """What an error response means for a request that was sent in the dialect `sent`. Raises EndpointError."""
        status, message = error.status, self.clean(f"{error.status}: {error.message}")
        if error.kinds & QUOTA_EXHAUSTED:
            raise EndpointError(f"{self.address}: the quota is exhausted ({message})")
        if status in FATAL_STATUSES:
            raise EndpointError(f"{self.address}: {self._describe_status(status)} ({message})")
        if status == 404 or "model_not_found" in error.kinds or OTHER_MODEL in error.message.lower():
            missing = f"no model {self.settings.model!r}, or no chat completions API{self._hint()}"
            raise EndpointError(f"{self.address}: {missing} ({message})")
        if status in (429, 529) or (status == 503 and error.wait is not None):
            return TransientError(message, refused=True, wait=error.wait, charged=False)
        if error.kinds & FILTERED:
            return Rejection(message, filtered=True)
        if not error.kinds & LONG_PROMPT and self._adapt(error, sent):
            return TransientError(message, charged=False, adapted=True)
        if status in (408, 409, 425) or status >= 500:
            return TransientError(message, wait=error.wait, charged=status in (408, 504))
        return Rejection(message)

    def _hint(self) -> str:
        """What to try if the address has no path: most servers have their API below /v1."""
        address = self.address.rstrip("/")
        return "" if urlsplit(address).path else f"; try base_url: {address}/v1"

    def _describe_status(self, status: int) -> str:
        if status == 401 and not self._key:
            return f"an API key is required: set the environment variable {KEY_VARIABLE}"
        return FATAL_STATUSES[status]

    def _adapt(self, error: ServerError, sent: Dialect) -> bool:
        """Changes the dialect of further requests if the server does not support this one's; whether it did."""
        complaint = f"{error.param} {error.message}".lower()
        if sent.limit_parameter == "max_tokens" and "max_completion_tokens" in complaint:
            self.dialect = replace(self.dialect, limit_parameter="max_completion_tokens")
            return True
        words = "response_format" if error.status >= 500 else r"response_format|json_schema|structured|guided|grammar"
        if sent.schema_format and re.search(words, complaint):
            if self.dialect.schema_format == sent.schema_format == "json_schema" and "json_object" in complaint:
                self.dialect = replace(self.dialect, schema_format="json_object")
            elif self.dialect.schema_format == sent.schema_format:
                self.dialect = replace(self.dialect, schema_format=None)
                why = self.clean(error.message)
                self._say(f"{self.address}: no structured output; answers are parsed without a schema ({why})")
            return True
        return False

    # --- batches ---

    async def upload(self, path: Path) -> str:
        """Uploads a file of requests. Returns its id. Raises EndpointError, like all methods below."""
        with self._errors_in_one_line("the file of requests cannot be uploaded"):
            return (await self.client.with_options(max_retries=SDK_RETRIES).files.create(file=path, purpose="batch")).id

    async def create_batch(self, file: str) -> str:
        """Creates a batch of an uploaded file. Returns its id.

        Without retries: after an error the batch may exist nevertheless.
        """
        with self._errors_in_one_line("the batch cannot be created"):
            create = self.client.batches.create
            return (await create(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h")).id

    async def find_batch(self, file: str) -> str | None:
        """The id of the batch of an uploaded file, if there is one."""
        with self._errors_in_one_line("the batches cannot be listed"):
            async for batch in self.client.with_options(max_retries=SDK_RETRIES).batches.list(limit=100):
                if batch.input_file_id == file:
                    return batch.id
        return None

    async def read_batch(self, name: str) -> openai.types.Batch | None:
        """The state of a batch; None if the endpoint does not know it, or no longer."""
        with self._errors_in_one_line(f"batch {name} cannot be read"):
            try:
                return await self.client.with_options(max_retries=SDK_RETRIES).batches.retrieve(name)
            except openai.NotFoundError:
                return None

    async def download(self, file: str, path: Path) -> None:
        """Downloads a file to `path`."""
        with self._errors_in_one_line(f"file {file} cannot be downloaded"):
            files = self.client.with_options(max_retries=SDK_RETRIES).files
            async with files.with_streaming_response.content(file) as response:
                await response.stream_to_file(path)

    @contextmanager
    def _errors_in_one_line(self, problem: str) -> Iterator[None]:
        self._require_key()
        try:
            yield
        except openai.APIStatusError as error:
            read = _read_status(error)
            raise EndpointError(self.clean(f"{self.address}: {problem} ({read.status}: {read.message})")) from None
        except (openai.APIConnectionError, httpx2.HTTPError, aiohttp.ClientError) as error:
            raise EndpointError(self.clean(f"{self.address}: {problem}: {error.__cause__ or error}")) from None


def read_headers(client: openai.AsyncOpenAI) -> httpx2.Headers:
    """The headers of the SDK, with key and organization, but without those that describe this machine."""
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
    """Opens the endpoint of `settings`, with its own connection pool. Raises EndpointError.

    A missing API key is an error only when a request is sent: a run whose answers are all stored needs none.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise EndpointError(f"the environment variable {KEY_VARIABLE} contains characters that no API key has")
    limits = httpx2.Limits(
        max_connections=settings.max_in_flight, max_keepalive_connections=settings.max_in_flight, keepalive_expiry=60
    )
    # `ask` limits the total time of a request.
    timeout = httpx2.Timeout(settings.timeout + 5, connect=min(CONNECT_SECONDS, settings.timeout), pool=None)
    try:
        http_client = openai.DefaultAioHttpClient(limits=limits, timeout=timeout)
        client = openai.AsyncOpenAI(
            api_key=key or "none", base_url=settings.base_url, max_retries=0, timeout=timeout, http_client=http_client
        )
    except (openai.OpenAIError, httpx2.InvalidURL) as error:
        raise EndpointError(f"{settings.base_url}: not a valid endpoint: {error}") from None
    async with client:
        yield Endpoint(settings, client, http_client, key, say)
