"""A conversation with a tool in LangChain for Python, by OpenAI's interface or by Claude's own."""

import json
import os
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool

BASE_URL, API_KEY, MODEL = (os.environ[name] for name in ("BASE_URL", "API_KEY", "MODEL"))


def model_with(key):
    if sys.argv[1] == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=MODEL, base_url=BASE_URL, api_key=key, max_tokens=500, max_retries=0)
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=MODEL,
        base_url=f"{BASE_URL}/v1",
        api_key=key,
        max_retries=0,
        stream_usage=True,
        use_responses_api=sys.argv[1] == "responses",
        store=False if sys.argv[1] == "responses" else None,
    )


@tool
def get_weather(city: str) -> str:
    """The weather of a city"""
    return f"sunny in {city}"


model = model_with(API_KEY)
plain = model.invoke("Hello there")
streamed = None
for chunk in model.stream("Hello there"):
    streamed = chunk if streamed is None else streamed + chunk

bound = model.bind_tools([get_weather])
messages = [HumanMessage("What is the weather in Paris?")]
first = bound.invoke(messages)
messages.append(first)
for call in first.tool_calls:
    messages.append(ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]))
last = bound.invoke(messages)

try:
    model_with("sk-wrong").invoke("Hello there")
    error = None
except Exception as thrown:
    error = {
        "kind": type(thrown).__name__,
        "status": getattr(thrown, "status_code", None),
        "message": str(thrown),
    }

print(
    json.dumps(
        {
            "plain": plain.text,
            "streamed": streamed.text,
            "asked": [call["args"] for call in first.tool_calls],
            "after": last.text,
            "tokens": sum(said.usage_metadata["output_tokens"] for said in (plain, streamed, first, last)),
            "error": error,
        }
    )
)
