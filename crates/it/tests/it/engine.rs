//! The engine on the embedded journal and bus, with a small module that does as it is told.

mod abort;
mod delivery;
mod durability;
mod privacy;
mod probe;
mod projection;
mod saga;
