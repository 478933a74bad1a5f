//! Load generator, trace replay and comparison with the alternatives.
