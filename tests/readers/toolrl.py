"""Two records in the shape of ToolRL: functions in lines, the conversation and the answer in tags."""

from __future__ import annotations

import json

TOOLRL_TOOLS = """You are a clerk.

**Available Tools**
1. Name: get_tide
Description: Tide at a harbour.
Parameters: {"harbour": {"description": "Its name", "type": "string", "default": ""}}

**Output Format**
<tool_call>
{"name": "Tool name", "parameters": {"Parameter name": "Parameter content", "... ...": "... ..."}}
</tool_call>"""
TOOLRL_HISTORY = """**Dialogue Records History**
<user> In Oban? </user>

<think> One call. </think>
<tool_call>
{"name": "get_tide", "parameters": {"harbour": "Oban"}}
</tool_call>
<obs> {"high": "06:10"} </obs>

<think> Tell it. </think>
<response> At 06:10. </response>

<user> And in Mull? </user>
"""
TOOLRL = {
    "rlla_sft.json": json.dumps(
        [
            {
                "instruction": TOOLRL_TOOLS,
                "input": TOOLRL_HISTORY,
                "output": "<think> Ask. </think>\n<response> Which Mull? </response>",
            },
            {
                "instruction": TOOLRL_TOOLS,
                "input": "**Dialogue Records History**\n<user> In Mull? </user>",
                "output": '<think> One call. </think>\n<tool_call>\n{"name": "get_tide", "parameters": '
                '{"harbour": "Mull"}}\n</tool_call>',
            },
        ]
    )
}
