//! The engine on the embedded journal and bus, with a small module that does as it is told.

mod abort;
mod brokers;
mod delivery;
mod durability;
mod fit;
mod ground;
mod health;
mod hints;
mod letters;
mod losses;
mod privacy;
mod probe;
mod projection;
mod quarantine;
mod repeated;
mod retention;
mod saga;
mod streams;
