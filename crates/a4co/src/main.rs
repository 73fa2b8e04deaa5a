//! `a4co`: the marketplace of the artisans of Jaén.

use clap::Parser;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match a4co::run(a4co::cli::Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("a4co: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
