"""What a program does with the Claude Agent SDK for Python: a streamed answer, a tool of its own, an unknown key."""

import asyncio
import json
import os

from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
    create_sdk_mcp_server,
    tool,
)
from claude_agent_sdk.types import StreamEvent

API_KEY, CLAUDE = (os.environ[name] for name in ("API_KEY", "CLAUDE"))
asked = []


@tool("get_weather", "The weather of a city", {"city": str})
async def get_weather(args):
    asked.append(args)
    return {"content": [{"type": "text", "text": "sunny, 21 degrees"}]}


house = create_sdk_mcp_server(name="house", tools=[get_weather])


async def run(prompt, key=API_KEY):
    options = ClaudeAgentOptions(
        cli_path=CLAUDE,
        env={"ANTHROPIC_AUTH_TOKEN": key},
        include_partial_messages=True,
        mcp_servers={"house": house},
        allowed_tools=["mcp__house__get_weather"],
    )
    streamed, result = "", None
    async with ClaudeSDKClient(options) as client:
        await client.query(prompt)
        async for message in client.receive_response():
            if isinstance(message, StreamEvent):
                streamed += message.event.get("delta", {}).get("text", "")
            if isinstance(message, ResultMessage):
                result = message
    return streamed, result


async def main():
    streamed, hello = await run("Hello there")
    _, after = await run("What is the weather in Paris?")
    _, refused = await run("Hello there", "sk-wrong")
    used = [*hello.model_usage.values(), *after.model_usage.values()]
    print(
        json.dumps(
            {
                "plain": hello.result,
                "streamed": streamed,
                "asked": asked,
                "after": after.result,
                "tokens": sum(usage["outputTokens"] for usage in used),
                "error": {
                    "kind": refused.subtype,
                    "status": refused.api_error_status,
                    "message": refused.result,
                },
            }
        )
    )


asyncio.run(main())
