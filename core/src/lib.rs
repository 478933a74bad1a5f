//! Every decision of Bedrock Smoother and its vocabulary: no I/O, clock, runtime or SDK.
