//! The engine on the embedded journal and bus, with a small module that does as it is told.

mod abort;
mod delivery;
mod durability;
mod fit;
mod health;
mod privacy;
mod probe;
mod projection;
mod quarantine;
mod retention;
mod saga;
mod streams;
