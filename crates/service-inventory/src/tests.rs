//! Tests: the domain as tables, its invariants under random histories, and each reaction of
//! reactions.md, on a stage in memory.

mod backorders;
mod http;
mod invariants;
mod item;
mod ledger;
mod orders;
mod products;
mod race;
mod replenishing;
mod reservations;
mod scene;
