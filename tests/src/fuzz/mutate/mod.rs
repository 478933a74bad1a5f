//! Changes to inputs: by bytes, and by what the bytes mean where that goes deeper.

pub mod frames;
pub mod http;
pub mod json;
pub mod lines;
pub mod raw;
pub mod reply;
