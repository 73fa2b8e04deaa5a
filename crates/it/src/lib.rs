//! Holds nothing: the tests are in `tests/it`, one binary, because every test binary links the
//! world again.
