"""What a program does with LiteLLM as its client, by OpenAI's interface or by Claude's own."""

import json
import os
import sys

import litellm

BASE_URL, API_KEY, MODEL = (os.environ[name] for name in ("BASE_URL", "API_KEY", "MODEL"))
litellm.telemetry = False
litellm.suppress_debug_info = True
isClaudes = sys.argv[1] == "anthropic"
HELLO = [{"role": "user", "content": "Hello there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def complete(messages, key=API_KEY, **more):
    return litellm.completion(
        model=f"{'anthropic' if isClaudes else 'openai'}/{MODEL}",
        api_base=BASE_URL if isClaudes else f"{BASE_URL}/v1",
        api_key=key,
        messages=messages,
        max_tokens=500,
        num_retries=0,
        **more,
    )


plain = complete(HELLO)
chunks = list(complete(HELLO, stream=True, stream_options={"include_usage": True}))
messages = [{"role": "user", "content": "What is the weather in Paris?"}]
first = complete(messages, tools=[WEATHER])
message = first.choices[0].message
call = message.tool_calls[0]
messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"}]
last = complete(messages, tools=[WEATHER])
try:
    complete(HELLO, key="sk-wrong")
    error = None
except Exception as thrown:
    error = {
        "kind": type(thrown).__name__,
        "status": getattr(thrown, "status_code", None),
        "message": str(thrown),
    }
usages = [plain.usage, next(chunk.usage for chunk in reversed(chunks) if getattr(chunk, "usage", None)), first.usage]
print(
    json.dumps(
        {
            "plain": plain.choices[0].message.content,
            "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
            "asked": [json.loads(call.function.arguments)],
            "after": last.choices[0].message.content,
            "tokens": sum(usage.completion_tokens for usage in [*usages, last.usage]),
            "error": error,
        }
    )
)
