"""The real clients as their users build them: default timeouts, retries and Region; only the endpoint changed."""

import boto3
from anthropic import AnthropicBedrock
from langchain_aws import ChatBedrockConverse

from .models import CLAUDE


def bedrock(url: str):
    """boto3's bedrock-runtime client."""
    return boto3.client("bedrock-runtime", endpoint_url=url)


def chat(url: str, model: str = CLAUDE) -> ChatBedrockConverse:
    """langchain-aws."""
    return ChatBedrockConverse(model=model, endpoint_url=url, provider="anthropic")


def anthropic(url: str) -> AnthropicBedrock:
    """anthropic's own client for Bedrock."""
    return AnthropicBedrock(base_url=url)
