//! Payments on the stage, and their rules in tables and properties.

mod bank;
mod charging;
mod domain;
mod http;
mod invoices;
mod properties;
mod refunding;
mod samples;
mod waiting;
