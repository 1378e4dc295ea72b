"""What a program does with OpenAI's SDK for Python, pointed at the gateway: chat completions and responses."""

import json
import os
import sys

import openai

BASE_URL, API_KEY, MODEL = (os.environ[name] for name in ("BASE_URL", "API_KEY", "MODEL"))
client = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=API_KEY, max_retries=0)
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
QUESTION = "What is the weather in Paris?"


def with_chat():
    hello = [{"role": "user", "content": "Hello there"}]
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
    plain = client.chat.completions.create(model=MODEL, messages=hello)
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=hello, stream=True, stream_options={"include_usage": True}
        )
    )
    messages = [{"role": "user", "content": QUESTION}]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=tools)
    message = first.choices[0].message
    call = message.tool_calls[0]
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"}]
    last = client.chat.completions.create(model=MODEL, messages=messages, tools=tools)
    used = [plain.usage, chunks[-1].usage, first.usage, last.usage]
    return {
        "plain": plain.choices[0].message.content,
        "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "asked": [json.loads(call.function.arguments)],
        "after": last.choices[0].message.content,
        "tokens": sum(usage.completion_tokens for usage in used),
    }


def with_responses():
    tools = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}]
    plain = client.responses.create(model=MODEL, input="Hello there", store=False)
    with client.responses.stream(model=MODEL, input="Hello there", store=False) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    items = [{"role": "user", "content": QUESTION}]
    first = client.responses.create(model=MODEL, input=items, tools=tools, store=False)
    call = next(item for item in first.output if item.type == "function_call")
    items += first.output
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny, 21 degrees"})
    last = client.responses.create(model=MODEL, input=items, tools=tools, store=False)
    return {
        "plain": plain.output_text,
        "streamed": "".join(deltas),
        "asked": [json.loads(call.arguments)],
        "after": last.output_text,
        "tokens": sum(response.usage.output_tokens for response in (plain, final, first, last)),
    }


said = with_chat() if sys.argv[1] == "chat" else with_responses()
try:
    openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key="sk-wrong").chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello there"}]
    )
    error = None
except openai.APIStatusError as thrown:
    error = {"kind": type(thrown).__name__, "status": thrown.status_code, "message": str(thrown)}
print(json.dumps({**said, "error": error}))
