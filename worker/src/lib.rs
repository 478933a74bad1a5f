//! Makes one call: claim, call, stream, judge, settle.
