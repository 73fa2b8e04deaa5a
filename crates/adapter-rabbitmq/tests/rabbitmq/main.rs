//! The bus on a real server. A server takes seconds to start, so many promises share one, each on a
//! virtual host of its own: what fails says its name.

mod accounts;
mod broker;
mod conformance;
mod consuming;
mod dead_letters;
mod faults;
mod gap;
mod publishing;
mod shared;
mod way;
