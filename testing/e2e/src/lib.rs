//! Nothing but the tests of the whole system, in `tests/`.
