//! Shrinking: from a failing plan to the smallest one that still fails in the same way.
