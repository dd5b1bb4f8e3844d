//! Contains only the tests of the whole system, in `tests/`.
