"""Model ids of each family, and a body for each on the invoke operations."""

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_OLD = "anthropic.claude-3-5-sonnet-20240620-v1:0"
NOVA = "amazon.nova-lite-v1:0"
TITAN = "amazon.titan-text-express-v1"
LLAMA = "meta.llama3-1-8b-instruct-v1:0"
ALL = [CLAUDE, CLAUDE_OLD, NOVA, TITAN, LLAMA]


def invoke_body(model: str, prompt: str, max_tokens: int = 64) -> dict:
    """The body that this family takes on InvokeModel."""
    if model in (CLAUDE, CLAUDE_OLD):
        return {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": max_tokens,
            "messages": [{"role": "user", "content": prompt}],
        }
    if model == NOVA:
        return {
            "schemaVersion": "messages-v1",
            "messages": [{"role": "user", "content": [{"text": prompt}]}],
            "inferenceConfig": {"maxTokens": max_tokens},
        }
    if model == TITAN:
        return {"inputText": prompt, "textGenerationConfig": {"maxTokenCount": max_tokens}}
    return {"prompt": prompt, "max_gen_len": max_tokens}


def converse_body(prompt: str, max_tokens: int = 64) -> dict:
    """The arguments of Converse besides the model."""
    return {
        "messages": [{"role": "user", "content": [{"text": prompt}]}],
        "inferenceConfig": {"maxTokens": max_tokens},
    }
