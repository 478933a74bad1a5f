//! A Bedrock-runtime simulator that enforces quotas as Bedrock does.
