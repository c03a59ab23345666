"""A small OpenAI-compatible server with configurable latency, limits and faults, that counts its requests.

    python benchmarks/llm/server.py --latency 0.1 --allow 16

It prints its base URL. `POST /control` with settings (see Behaviour) changes its behaviour, drops running requests and
resets the counts; `GET /stats` returns the counts. An answer depends only on its request, so two runs get the same one.
It implements chat completions, files and batches. A prompt has one token per four characters, as in English text.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import re
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from aiohttp import web

Json = dict[str, Any]
WORDS = (
    "the user wants a table for two and has named no time so I ask for it before I search the list of places that "
    "the first call gave me then I offer one of them and wait until they accept it"
).split()
OPENINGS = "Well, Right, Good, So, Fine, Clear enough, Let me think, All right, Now, Here, Then, That helps".split(", ")
MIDDLES = (
    "this moves things on|nothing here contradicts what came before|they have been plain about their wish|"
    "the way forward is open|what they said settles it|their wish is easy to follow|it fits with the rest|"
    "the matter stands as before|they seem content so far|little is left to guess|this is what I was waiting for"
).split("|")
ENDS = (
    "and a plain answer will do|so I keep it short|which I put in simple words|and I stay friendly about it|"
    "so the answer writes itself|and I say so openly|which calls for a clear reply|and there is no hurry|"
    "so one sentence is enough|and I leave the rest to them|which is good to know|and I word it with care"
).split("|")
PLACE = re.compile(r"^<(\d+)>(?: .*)?\n(.*)", re.MULTILINE)
PLACE_LINE = re.compile(r"^<\d+>.*\n", re.MULTILINE)
WORD = re.compile(r"\b[a-z]{3,}(?<!ed)\b(?!')")
COMMON = frozenset(
    "please thank thanks would could should will shall can may might must their there they them these those that this "
    "about after again before just only very here then than from into with without what when where which who how why "
    "all any some such one ones thing things other fine good great well right okay clear easy plain simple sure user "
    "wish want need like request ask say tell make get take give follow know see look use call run function service "
    "the and but for not yes are was were have has had does did you your our his her its also now still yet way go "
    "got goes going made gave taken given seen known hello hey bye goodbye wants needs likes asks says tells makes "
    "gets takes gives".split()
)
"""Words of which a thought that holds them says nothing."""
VALUE = re.compile(r"'([^'\\]{2,30})'(?!:)")
CALL = re.compile(r"Call: (\w+)\((.*)\)")
TOKENS_PER_MESSAGE = 4


@dataclass
class Behaviour:
    """Shares (0 to 1) are of the accepted requests, drawn for each."""

    latency: float = 0.0
    """Latency of an answer, seconds."""
    tail: float = 0.0
    """Share of answers with a latency of `tail_latency`."""
    tail_latency: float = 2.0
    allow: int = 0
    """Maximum concurrent requests; further ones get a 429. 0: no limit."""
    allow_per_minute: int = 0
    """Maximum requests in any 60 seconds; further ones get a 429. 0: no limit."""
    retry_after: float = 1.0
    """Retry-After of a 429, seconds."""
    slots: int = 0
    """Requests that are processed concurrently; others wait in a queue. 0: no limit."""
    errors: float = 0.0
    """Share of 500s."""
    overloads: float = 0.0
    """Share of 503s."""
    hangs: float = 0.0
    """Share of answers that are charged and never sent."""
    cuts: float = 0.0
    """Share of answers whose connection is closed half-way."""
    twice: float = 0.0
    """Share of answers that are sent twice in one body (in a batch: twice in the file)."""
    garbage: float = 0.0
    """Share of bodies that are not JSON."""
    broken: float = 0.0
    """Share of answers whose text is truncated."""
    wrong_schema: float = 0.0
    """Share of answers whose text is JSON of another form."""
    poor: float = 0.0
    """Share of thoughts that start with a label, which no check accepts; which ones depends only on the request."""
    empty: float = 0.0
    length: float = 0.0
    """Share of answers that are truncated at max_tokens."""
    filtered: float = 0.0
    huge: float = 0.0
    """Share of answers of 10 MB."""
    no_usage: bool = False
    refuse_schema: bool = False
    """Whether response_format is an error, as on servers without structured output."""
    schema_beside: bool = False
    """Whether a schema is accepted only in json_object, and json_schema is a 500, as with llama-cpp-python."""
    refuse_max_tokens: bool = False
    """Whether max_tokens is an error, as with models that require max_completion_tokens."""
    wrong_parameter: str = ""
    """A parameter that causes an error."""
    key: str = ""
    """The only API key that is accepted; the error repeats the wrong key, as careless servers do."""
    tell_key: bool = False
    """Whether every error repeats the key."""
    model: str = ""
    """The only model that exists."""
    quota: int = 0
    """Answers after which the quota is exhausted."""
    batch_polls: int = 1
    """Number of polls until a batch is done."""
    batch_errors: float = 0.0
    """Share of a batch's lines that fail with a 500."""
    batch_missing: float = 0.0
    """Share of a batch's lines that expire."""
    batch_cuts: float = 0.0
    """Share of batches that are created while the response is lost."""
    batch_fails: str = ""
    """The error code with which every batch fails."""
    seed: int = 0


@dataclass
class Stats:
    requests: int = 0
    answered: int = 0
    """Answers that were produced, whether they arrived or not."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    refused: int = 0
    inside: int = 0
    """Requests in progress."""
    most_at_once: int = 0
    batches: int = 0
    file_bytes: list[int] = field(default_factory=list)
    """Sizes of the uploaded files."""
    faults: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    """Requests whose body was answered before."""
    bodies: set[bytes] = field(default_factory=set)


class Server:
    def __init__(self, behaviour: Behaviour) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Json] = {}
        self.working: set[asyncio.Task[Any]] = set()
        self.set_behaviour(behaviour)

    def set_behaviour(self, behaviour: Behaviour) -> None:
        for task in self.working:  # a late answer would count among the new ones
            task.cancel()
        self.behaviour = behaviour
        self.stats = Stats()
        self.random = random.Random(behaviour.seed)
        self.arrivals: list[float] = []
        self.slots = asyncio.Semaphore(behaviour.slots or 1_000_000)

    # --- chat ---

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.stats.requests += 1
        body = await request.json()
        error = self._refuse(request, body)
        if error is not None:
            if self.behaviour.tell_key and error.text:
                error.text = error.text.replace('message": "', f'message": "{_read_key(request)}: ')
            return error
        stats, task = self.stats, asyncio.current_task()
        assert task is not None
        stats.inside += 1
        stats.most_at_once = max(stats.most_at_once, stats.inside)
        self.working.add(task)
        try:
            async with self.slots:
                return await self._work(request, body)
        finally:
            stats.inside -= 1
            self.working.discard(task)

    def _refuse(self, request: web.Request, body: Json) -> web.Response | None:
        behaviour = self.behaviour
        sent = _read_key(request)
        if behaviour.key and sent != behaviour.key:
            return _error(401, f"Incorrect API key provided: {sent}", "invalid_api_key")
        if behaviour.quota and self.stats.answered >= behaviour.quota:
            return _error(429, "You exceeded your current quota", "insufficient_quota")
        refusal = self._refuse_body(body)
        if refusal is None and self._too_many():
            self.stats.refused += 1
            headers = {"Retry-After": f"{behaviour.retry_after:g}"} if behaviour.retry_after else {}
            return _error(429, "Too many requests", "rate_limit_exceeded", headers=headers)
        return refusal

    def _refuse_body(self, body: Json) -> web.Response | None:
        behaviour = self.behaviour
        if not body["messages"]:
            return _error(400, "[] is too short - 'messages'", None, param="messages")
        if behaviour.model and body["model"] != behaviour.model:
            return _error(404, f"The model `{body['model']}` does not exist", "model_not_found", param="model")
        if behaviour.refuse_schema and "response_format" in body:
            return _error(400, "response_format of type json_schema is not supported", None, param="response_format")
        if behaviour.schema_beside and "json_schema" in body.get("response_format", {}):
            return _error(500, "response_format.type should be 'text' or 'json_object'", "internal_server_error")
        if behaviour.refuse_max_tokens and "max_tokens" in body:
            text = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return _error(400, text, "unsupported_parameter", param="max_tokens")
        if behaviour.wrong_parameter in body:
            return _error(400, f"Unrecognized request argument supplied: {behaviour.wrong_parameter}", None)
        return None

    def _too_many(self) -> bool:
        allow, per_minute = self.behaviour.allow, self.behaviour.allow_per_minute
        if allow and self.stats.inside >= allow:
            return True
        if per_minute:
            now = asyncio.get_running_loop().time()
            self.arrivals = [moment for moment in self.arrivals if now - moment < 60]
            if len(self.arrivals) >= per_minute:
                return True
            self.arrivals.append(now)
        return False

    async def _work(self, request: web.Request, body: Json) -> web.StreamResponse:
        behaviour = self.behaviour
        late = self._happens("tail", behaviour.tail)
        latency = behaviour.tail_latency if late else behaviour.latency
        if latency:
            await asyncio.sleep(latency)
        for status, share in ((500, behaviour.errors), (503, behaviour.overloads)):
            if self._happens(str(status), share):
                return _error(status, "The server had an error", None)
        content = json.dumps(self._answer(body)).encode()
        if self._happens("hangs", behaviour.hangs):
            await asyncio.sleep(3600)
        if self._happens("cuts", behaviour.cuts):
            return await _send_half(request, content)
        if self._happens("twice", behaviour.twice):
            content *= 2
        if self._happens("garbage", behaviour.garbage):
            content = b"<html>Bad gateway" + content[:40]
        return web.Response(body=content, content_type="application/json")

    def _answer(self, body: Json) -> Json:
        """A completion, counted and charged."""
        behaviour, stats = self.behaviour, self.stats
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
        stats.repeated += digest in stats.bodies
        stats.bodies.add(digest)
        text, reason = make_text(body, digest, behaviour.poor), "stop"
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 1_000_000
        if self._happens("broken", behaviour.broken):
            text = text[: len(text) // 2]
        if self._happens("wrong_schema", behaviour.wrong_schema):
            text = json.dumps({"unexpected": text})
        if self._happens("empty", behaviour.empty):
            text = ""
        if self._happens("filtered", behaviour.filtered):
            text, reason = "", "content_filter"
        if self._happens("huge", behaviour.huge):
            text = "x" * 10_000_000
        words = len(text.split()) + 1
        if self._happens("length", behaviour.length) or words > limit:
            words, reason = limit, "length"
            text = " ".join(text.split()[:limit])
        usage = {"prompt_tokens": count_prompt(body), "completion_tokens": words}
        stats.answered += 1
        stats.prompt_tokens += usage["prompt_tokens"]
        stats.completion_tokens += words
        return {
            "id": f"chatcmpl-{digest.hex()[:12]}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}],
            **({} if behaviour.no_usage else {"usage": usage | {"total_tokens": sum(usage.values())}}),
        }

    def _happens(self, fault: str, share: float) -> bool:
        happens = share > 0 and self.random.random() < share
        self.stats.faults[fault] += happens
        return happens

    # --- files and batches ---

    async def add_file(self, request: web.Request) -> web.Response:
        form = await request.post()
        part = form["file"]
        assert isinstance(part, web.FileField)
        content = part.file.read()
        self.stats.file_bytes.append(len(content))
        return web.json_response(self._store_file(content))

    def _store_file(self, content: bytes) -> Json:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        about = {"id": name, "object": "file", "bytes": len(content), "created_at": 0, "filename": name}
        return about | {"purpose": "batch", "status": "processed"}

    async def read_file(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["name"]])

    async def add_batch(self, request: web.Request) -> web.Response:
        order = await request.json()
        self.stats.batches += 1
        batch = {
            "id": f"batch-{len(self.batches)}",
            "object": "batch",
            "endpoint": order["endpoint"],
            "input_file_id": order["input_file_id"],
            "completion_window": order["completion_window"],
            "created_at": 0,
            "status": "validating",
            "polls": 0,
        }
        self.batches[batch["id"]] = batch
        if self._happens("batch_cuts", self.behaviour.batch_cuts) and request.transport is not None:
            request.transport.close()
        return web.json_response(batch)

    async def list_batches(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": list(self.batches.values()), "has_more": False})

    async def poll_batch(self, request: web.Request) -> web.Response:
        batch = self.batches.get(request.match_info["name"])
        if batch is None:
            return _error(404, "No such batch", None)
        batch["polls"] += 1
        if batch["status"] in ("validating", "in_progress"):
            batch["status"] = "in_progress"
            if self.behaviour.batch_fails:
                batch["status"] = "failed"
                batch["errors"] = {"data": [{"code": self.behaviour.batch_fails, "message": "turned down"}]}
            elif batch["polls"] >= self.behaviour.batch_polls:
                self._finish_batch(batch)
        return web.json_response(batch)

    def _finish_batch(self, batch: Json) -> None:
        good, bad = [], []
        for line in self.files[batch["input_file_id"]].splitlines():
            order = json.loads(line)
            self.stats.requests += 1
            base = {"id": f"req-{self.stats.requests}", "custom_id": order["custom_id"]}
            if self._happens("batch_missing", self.behaviour.batch_missing):
                bad.append(base | {"response": None, "error": {"code": "batch_expired", "message": "too late"}})
            elif self._happens("batch_errors", self.behaviour.batch_errors):
                answer = {"status_code": 500, "body": {"error": {"message": "The server had an error"}}}
                bad.append(base | {"response": answer, "error": None})
            else:
                refusal = self._refuse_body(order["body"])
                answer = {"status_code": 200, "body": None if refusal else self._answer(order["body"])}
                if refusal:
                    answer = {"status_code": refusal.status, "body": json.loads(refusal.text or "")}
                copies = 2 if self._happens("twice", self.behaviour.twice) else 1
                good += [base | {"response": answer, "error": None}] * copies
        batch["status"] = "expired" if self.stats.faults["batch_missing"] else "completed"
        self.random.shuffle(good)
        for name, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                batch[name] = self._store_file("".join(json.dumps(line) + "\n" for line in lines).encode())["id"]

    # --- what there is ---

    async def list_models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": self.behaviour.model or "any", "object": "model"}]})

    # --- what it saw ---

    async def control(self, request: web.Request) -> web.Response:
        self.set_behaviour(Behaviour(**await request.json()))
        return web.json_response(asdict(self.behaviour))

    async def report(self, request: web.Request) -> web.Response:
        stats = {one.name: getattr(self.stats, one.name) for one in fields(Stats) if one.name != "bodies"}
        return web.json_response(stats)


def _read_key(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def make_text(body: Json, digest: bytes, poor: float) -> str:
    """A few sentences drawn by `digest`; where the request has a JSON schema, an object that fits it; where it shows a
    conversation with places <1>, <2>, ... for thoughts, thoughts that could stand there, but for a share of `poor`."""
    drawn = random.Random(digest)
    wanted = body.get("response_format", {})
    schema = wanted.get("schema") or wanted.get("json_schema", {}).get("schema")
    places = _read_places(str(body["messages"][1]["content"])) if len(body["messages"]) > 1 else {}
    wanted = list(schema["properties"]) if schema else list(places)
    if places and places.keys() >= set(wanted):
        scores = schema and all(one["type"] == "integer" for one in schema["properties"].values())
        return json.dumps({key: drawn.randint(2, 5) if scores else _think(*places[key], drawn, poor) for key in wanted})
    return json.dumps(_fill(schema, drawn)) if schema else _sentence(drawn)


def _read_places(prompt: str) -> dict[str, tuple[str, str]]:
    """Number of a place -> the line below it, and what was said, called and returned in this turn above it."""
    places = {}
    for found in PLACE.finditer(prompt):
        moment = prompt[max(prompt.rfind("User: ", 0, found.start()), 0) : found.start()]
        places[found[1]] = (found[2], PLACE_LINE.sub("", moment))
    return places


def _think(following: str, moment: str, drawn: random.Random, poor: float) -> str:
    """A thought before a call that names it, or before an answer that promises nothing, with a word of the moment."""
    opening, middle, end = (drawn.choice(choices) for choices in (OPENINGS, MIDDLES, ENDS))
    if poor and drawn.random() < poor:
        opening = f"Thought: {opening}"
    call = CALL.match(following)
    word = _pick_word(moment, call)
    if call is None:
        return f"{opening} {middle}, {end}{word}."
    return f"{opening} {middle}: {call[1]} it is, going by what was said{word}."


def _pick_word(moment: str, call: re.Match[str] | None) -> str:
    """The longest plain word of the user, or else a value of the call or of what came back, in a phrase."""
    said, *returned = moment.split("\n", 1)
    names = " ".join([*re.findall(r"Call: (\w+)", moment), call[1] if call else ""]).lower()
    words = [word for word in WORD.findall(said) if word[:4] not in names and word not in COMMON]
    if words:
        return f", with {max(words, key=len)} in it"
    values = VALUE.findall(" ".join([call[2] if call else "", *returned]))
    return f", with {values[0]} in it" if values else ""


def _fill(schema: Json, drawn: random.Random) -> Any:
    if "enum" in schema:
        return drawn.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            return {name: _fill(inner, drawn) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [_fill(schema.get("items", {}), drawn) for _ in range(schema.get("minItems", 1))]
        case "integer" | "number":
            return drawn.randrange(10)
        case "boolean":
            return drawn.random() < 0.5
        case _:
            return _sentence(drawn)


def _sentence(drawn: random.Random) -> str:
    return " ".join(drawn.choices(WORDS, k=drawn.randint(20, 60))) + "."


def count_prompt(body: Json) -> int:
    texts = [str(message["content"]) for message in body["messages"]]
    return sum(len(text) // 4 + TOKENS_PER_MESSAGE for text in texts)


async def _send_half(request: web.Request, content: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(content))})
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _error(
    status: int, message: str, code: str | None, *, param: str | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    error = {"message": message, "type": "error", "code": code, "param": param}
    return web.json_response({"error": error}, status=status, headers=headers)


def make_app(behaviour: Behaviour) -> web.Application:
    server = Server(behaviour)
    app = web.Application(client_max_size=300_000_000)
    app.add_routes(
        [
            web.post("/v1/chat/completions", server.chat),
            web.post("/v1/files", server.add_file),
            web.get("/v1/files/{name}/content", server.read_file),
            web.post("/v1/batches", server.add_batch),
            web.get("/v1/batches", server.list_batches),
            web.get("/v1/batches/{name}", server.poll_batch),
            web.get("/v1/models", server.list_models),
            web.post("/control", server.control),
            web.get("/stats", server.report),
        ]
    )
    return app


async def serve(behaviour: Behaviour, port: int) -> None:
    runner = web.AppRunner(make_app(behaviour), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    for one in fields(Behaviour):
        option = f"--{one.name.replace('_', '-')}"
        if isinstance(one.default, bool):
            parser.add_argument(option, action="store_true")
        else:
            parser.add_argument(option, type=type(one.default), default=one.default)
    options = vars(parser.parse_args())
    port = options.pop("port")
    asyncio.run(serve(Behaviour(**options), port))


if __name__ == "__main__":
    main()
