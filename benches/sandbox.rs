//! Sandboxes: what it costs to make and to end one.

fn main() {}
