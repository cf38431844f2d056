"""The founding system's worker pool, from its description: bounded concurrency, batches, exceptions collected.

It is here to be measured beside Colloquy's own pipeline, against the same simulated endpoint, in the same run. What it does:
a semaphore of C, tasks sorted by priority within one call of `submit`, one HTTP call for each task, exceptions kept as results
and not raised. What it does not do, as described: retries of its own, a queue that outlives the process, a look at limits.

usage: founding_pool.py URL CALLS SEGMENTS CONCURRENCY
prints one JSON object: calls, done, refused (429), failed, seconds, segments delivered.
"""

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit


def request(url, segments, number):
    keys = [f"s{number * 1000 + at}" for at in range(1, segments + 1)]
    one = {
        "type": "object",
        "additionalProperties": False,
        "required": ["sentiment", "score", "topics", "quote"],
        "properties": {
            "sentiment": {"type": "string", "enum": ["negative", "neutral", "positive", "mixed"]},
            "score": {"type": "number"},
            "topics": {"type": "array", "items": {"type": "string"}},
            "quote": {"type": ["string", "null"]},
        },
    }
    schema = {"type": "object", "additionalProperties": False, "required": keys, "properties": {key: one for key in keys}}
    lines = "\n".join(f"{key}: I like working at home, but I miss the people." for key in keys)
    body = {
        "model": "gpt-6-luna",
        "messages": [
            {"role": "system", "content": "You code segments of a research interview."},
            {"role": "user", "content": f"Segments:\n{lines}"},
        ],
        "response_format": {"type": "json_schema", "json_schema": {"name": "segment_codes", "strict": True, "schema": schema}},
    }
    return keys, json.dumps(body).encode()


async def call(url, keys, body):
    """One HTTP/1.1 exchange on a connection of its own."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (
        f"POST {parts.path}/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer bench\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    status = int(answer.split(b" ", 2)[1])
    if status != 200:
        raise RuntimeError(status)
    content = json.loads(answer.split(b"\r\n\r\n", 1)[1])["choices"][0]["message"]["content"]
    coded = json.loads(content)
    return sum(key in coded for key in keys)


class Pool:
    def __init__(self, max_concurrent=5):
        self.semaphore = asyncio.Semaphore(max_concurrent)

    async def submit(self, tasks):
        async def run(task):
            async with self.semaphore:
                return await task()

        ordered = [task for _, task in sorted(tasks, key=lambda item: item[0])]
        return await asyncio.gather(*(run(task) for task in ordered), return_exceptions=True)


async def main():
    url, calls, segments, concurrency = sys.argv[1], *map(int, sys.argv[2:5])
    made = [request(url, segments, number) for number in range(1, calls + 1)]
    tasks = [(0, lambda keys=keys, body=body: call(url, keys, body)) for keys, body in made]
    began = time.monotonic()
    results = await Pool(concurrency).submit(tasks)
    took = time.monotonic() - began
    done = [result for result in results if isinstance(result, int)]
    refused = sum(str(result) == "429" for result in results if isinstance(result, Exception))
    print(
        json.dumps(
            {
                "calls": calls,
                "done": len(done),
                "refused": refused,
                "failed": calls - len(done) - refused,
                "segments": sum(done),
                "seconds": round(took, 3),
            }
        )
    )


asyncio.run(main())
