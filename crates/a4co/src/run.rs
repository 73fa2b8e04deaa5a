//! From the command line to what is done: one arm a command.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use backbone::route::Role;
use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use crate::cli::{Bench, Cli, Command, Demo, Dlq, Import, Orders, Serve, Token, TokenRole};
use crate::client::{Call, InMemory, Socket, Tokens, ask};
use crate::{bench, demo, market, orders, seed, serve, verify};

/// Does what the command line says.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    telemetry::logs(&cli.log)?;
    let data = cli.data.as_path();
    match cli.command.unwrap_or_else(default_command) {
        Command::Serve(options) => serve::run(data, &options).await?,
        Command::Demo(options) => return play(data, options).await,
        Command::Orders { command: Orders::Show { id } } => orders::show(data, id).await?,
        Command::Verify => {
            return Ok(if verify::print(data).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Import { command: Import::Products { file, url } } => import(data, &file, url).await?,
        Command::Backup { to } => backup(data, &to)?,
        Command::Token(options) => println!("{}", token(data, &options)?),
        Command::Dlq { command } => dead_letters(data, command).await?,
        Command::Bench { command } => measure(data, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn default_command() -> Command {
    Command::Serve(Serve { listen: "127.0.0.1:8080".to_owned(), empty: false })
}

fn token(data: &Path, options: &Token) -> anyhow::Result<String> {
    let role = match options.role {
        TokenRole::Customer => Role::Customer,
        TokenRole::Artisan => Role::Artisan,
        TokenRole::Admin => Role::Admin,
    };
    let person = options.id.unwrap_or_else(Uuid::now_v7);
    market::token(data, role, person, Duration::from_secs(options.hours.max(1) * 3_600))
}

fn operator_token(data: &Path) -> anyhow::Result<String> {
    market::token(data, Role::Admin, seed::operator(), Duration::from_secs(3_600))
}

async fn import(data: &Path, file: &Path, url: Option<String>) -> anyhow::Result<()> {
    let rows = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let call = Call::post("/api/products/import").by(&operator_token(data)?).body("text/csv", rows);
    let reply = match url {
        Some(url) => ask(&Socket::new(&url)?, call).await?,
        None => {
            let market = market::open(data, None).await?;
            let reply = ask(&InMemory::new(market.router.clone()), call).await;
            market.close().await?;
            reply?
        }
    };
    let report: serde_json::Value = reply.read()?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

fn backup(data: &Path, to: &Path) -> anyhow::Result<()> {
    let store = adapter_sqlite::Store::open_read_only(data)?;
    let bar = bar("pages");
    store.backup(to, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish();
    println!("{} holds the market; back up {} apart from it", to.display(), data.join("keys.db").display());
    Ok(())
}

async fn dead_letters(data: &Path, command: Dlq) -> anyhow::Result<()> {
    let token = operator_token(data)?;
    let (url, call) = match command {
        Dlq::List { service, url } => (url, Call::get(format!("/admin/dlq?service={service}"))),
        Dlq::Retry { service, id, url } => (url, Call::post(format!("/admin/dlq/{service}/{id}/retry"))),
        Dlq::Discard { service, id, url } => {
            (url, Call::new(Method::DELETE, format!("/admin/dlq/{service}/{id}")))
        }
    };
    let reply = ask(&Socket::new(&url)?, call.by(&token)).await?.good()?;
    if reply.body.is_empty() {
        println!("done");
    } else {
        println!("{}", serde_json::to_string_pretty(&reply.read::<serde_json::Value>()?)?);
    }
    Ok(())
}

/// Measures on a directory beside the data: the system's own for temporary files may be memory.
async fn measure(data: &Path, command: Bench) -> anyhow::Result<()> {
    let directory = market::shown(data).with_file_name(format!("a4co-bench-{}", Uuid::now_v7()));
    let measured = match command {
        Bench::Journal { seconds, json } => {
            let each = Duration::from_secs(seconds);
            let options = bench::journal::Options { directory: directory.clone(), each, json };
            bench::journal::run(&options, &bar("s"))
                .await
                .map(|report| println!("{report}"))
                .map_err(Into::into)
        }
        Bench::Orders { seconds, json } => orders_bench(&directory, seconds, json).await,
    };
    let _ = std::fs::remove_dir_all(&directory);
    measured
}

async fn orders_bench(directory: &Path, seconds: u64, json: Option<PathBuf>) -> anyhow::Result<()> {
    let market = market::open(directory, None).await?;
    serve::fill(&market).await?;
    let server = serve::listen(&market, "127.0.0.1:0").await?;
    let measured = bench::orders::Market {
        api: Arc::new(Socket::new(&server.url)?),
        bus: market.bus.clone(),
        tokens: market.person_tokens(),
    };
    let options =
        bench::orders::Options { each: Duration::from_secs(seconds), directory: directory.to_owned(), json };
    let report = bench::orders::run(&options, measured, &bar("s")).await?;
    println!("{report}");
    server.stop().await;
    market.close().await
}

/// Plays the demonstration on a market that runs, or on one that runs for its length.
async fn play(data: &Path, options: Demo) -> anyhow::Result<ExitCode> {
    let Demo { orders, concurrency, seed, url } = options;
    let day = demo::DemoOptions { orders, concurrency, seed, ..demo::DemoOptions::default() };
    let report = match url {
        Some(url) => {
            let data = data.to_owned();
            let tokens: Tokens = Arc::new(move |role, person| {
                market::token(&data, role, person, Duration::from_secs(12 * 3_600)).unwrap_or_default()
            });
            demo::run(&day, Arc::new(Socket::new(&url)?), &tokens, &bar("orders")).await?
        }
        None => {
            let market = market::open(data, None).await?;
            serve::fill(&market).await?;
            let server = serve::listen(&market, "127.0.0.1:0").await?;
            let api = Arc::new(Socket::new(&server.url)?);
            let report = demo::run(&day, api, &market.person_tokens(), &bar("orders")).await;
            server.stop().await;
            market.close().await?;
            report?
        }
    };
    println!("{report}");
    Ok(if report.is_balanced() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A progress bar.
pub(crate) fn bar(unit: &str) -> ProgressBar {
    let template = format!("{{elapsed_precise}} {{bar:40}} {{pos}}/{{len}} {unit} {{msg}}");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
