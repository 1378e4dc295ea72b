"""An agent of Pydantic AI, by OpenAI's interface or by Claude's own."""

import asyncio
import json
import os
import sys

from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError

BASE_URL, API_KEY, MODEL = (os.environ[name] for name in ("BASE_URL", "API_KEY", "MODEL"))


def model_with(key):
    if sys.argv[1] == "anthropic":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        client = AsyncAnthropic(base_url=BASE_URL, api_key=key, max_retries=0)
        return AnthropicModel(MODEL, provider=AnthropicProvider(anthropic_client=client))
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=f"{BASE_URL}/v1", api_key=key))


async def main():
    agent = Agent(model_with(API_KEY))
    asked = []

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather of a city"""
        asked.append({"city": city})
        return "sunny, 21 degrees"

    plain = await agent.run("Hello there")
    streamed = ""
    async with agent.run_stream("Hello there") as stream:
        async for delta in stream.stream_text(delta=True):
            streamed += delta
    after = await agent.run("What is the weather in Paris?")
    try:
        await Agent(model_with("sk-wrong")).run("Hello there")
        error = None
    except ModelHTTPError as thrown:
        error = {"kind": type(thrown).__name__, "status": thrown.status_code, "message": str(thrown)}

    print(
        json.dumps(
            {
                "plain": plain.output,
                "streamed": streamed,
                "asked": asked,
                "after": after.output,
                "tokens": sum(result.usage.output_tokens for result in (plain, stream, after)),
                "error": error,
            }
        )
    )


asyncio.run(main())
