"""What a program does with Anthropic's SDK for Python, pointed at the gateway."""

import json
import os

import anthropic

BASE_URL, API_KEY, MODEL = (os.environ[name] for name in ("BASE_URL", "API_KEY", "MODEL"))
client = anthropic.Anthropic(base_url=BASE_URL, api_key=API_KEY, max_retries=0)
HELLO = [{"role": "user", "content": "Hello there"}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

plain = client.messages.create(model=MODEL, max_tokens=500, messages=HELLO)
with client.messages.stream(model=MODEL, max_tokens=500, messages=HELLO) as stream:
    streamed = "".join(stream.text_stream)
    final = stream.get_final_message()

messages = [{"role": "user", "content": "What is the weather in Paris?"}]
first = client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=[WEATHER])
call = next(block for block in first.content if block.type == "tool_use")
result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny, 21 degrees"}
messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
last = client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=[WEATHER])

try:
    anthropic.Anthropic(base_url=BASE_URL, api_key="sk-wrong").messages.create(
        model=MODEL, max_tokens=5, messages=HELLO
    )
    error = None
except anthropic.APIStatusError as thrown:
    error = {"kind": type(thrown).__name__, "status": thrown.status_code, "message": str(thrown)}

print(
    json.dumps(
        {
            "plain": plain.content[0].text,
            "streamed": streamed,
            "asked": [call.input],
            "after": last.content[0].text,
            "tokens": sum(message.usage.output_tokens for message in (plain, final, first, last)),
            "error": error,
        }
    )
)
