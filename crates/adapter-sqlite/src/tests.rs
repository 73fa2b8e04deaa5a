//! What only SQLite shows; the common promises are proven in `tests/conformance.rs`.

mod backup;
mod crash;
mod directory;
mod export;
mod keys;
mod limits;
mod one_sync;
mod reports;
mod restore;
mod retention;
mod sample;
mod tables;
mod tail;
