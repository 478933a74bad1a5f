//! The model port on Amazon Bedrock, errors classified.
