//! The engine with a small module that does as it is told: on each combination of a store and a bus
//! (`combinations`), on the embedded ones, and on simulated ground.

mod abort;
mod beginnings;
mod bench;
mod brokers;
mod combinations;
mod conservation;
mod crashes;
mod delivery;
mod durability;
mod faulty;
mod fit;
mod ground;
mod health;
mod hints;
mod letters;
mod loads;
mod losses;
mod machine;
mod newcomers;
mod operators;
mod outages;
mod place;
mod privacy;
mod probe;
mod projection;
mod quarantine;
mod repeated;
mod replicas;
mod retention;
mod retrying;
mod saga;
mod streams;
mod unreliable;
