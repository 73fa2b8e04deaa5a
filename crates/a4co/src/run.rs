//! From the command line to what is done: one arm a command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use adapter_sqlite::{SqliteKeyRing, Store};
use anyhow::Context as _;
use backbone::route::Role;
use indicatif::{ProgressBar, ProgressStyle};
use kernel::Secret;
use uuid::Uuid;

use crate::cli::events::Events;
use crate::cli::sagas::Sagas;
use crate::cli::{
    Bench, Cli, Command, Demo, Dlq, Import, Migrate, Orders, Projections, Republish, Serve, Token, TokenRole,
};
use crate::client::{Call, InMemory, Socket, Tokens, ask};
use crate::config::{self, Configuration, Settings};
use crate::projections::Desk;
use crate::{
    accounts, bench, dead_letters, demo, events, market, migrate, orders, production, republish, restore,
    sagas, seed, serve, traces, verify,
};

/// Does what the command line says.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let configuration = configuration(&cli)?;
    let kept = cli.traces.start(&configuration.settings.serve.log)?;
    let done = perform(cli, configuration).await;
    traces::flush(kept).await;
    done
}

/// What holds, read once: the command line over the environment over the file over the defaults.
fn configuration(cli: &Cli) -> anyhow::Result<Configuration> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let mut read = config::load(cli.config.as_deref(), std::env::vars_os().filter_map(text))?;
    cli.over(&mut read.settings.serve);
    Ok(read)
}

async fn perform(cli: Cli, configuration: Configuration) -> anyhow::Result<ExitCode> {
    let settings = &configuration.settings;
    let operator = Operator { settings, token: cli.token };
    let data = settings.serve.data.as_path();
    match cli.command.unwrap_or_else(|| Command::Serve(Serve::default())) {
        Command::Serve(options) => serve::run(settings, &options).await?,
        Command::Demo(options) => return play(settings, options).await,
        Command::Orders { command: Orders::Show { id } } => orders::show(settings, id).await?,
        Command::Verify => {
            return Ok(if verify::print(settings).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Import { command: Import::Products { file, url } } => import(&operator, &file, url).await?,
        Command::Backup { to, keys } => backup(settings, &to, keys.as_deref())?,
        Command::Restore { from, keys } => println!("{}", restore::run(settings, &from, keys.as_deref())?),
        Command::Migrate(options) => migrate(settings, options).await?,
        Command::Config => print!("{}", config::print(&configuration)),
        Command::NatsConfig(wanted) => print!("{}", accounts::nats(settings, &wanted)?),
        Command::RabbitmqConfig(wanted) => print!("{}", accounts::rabbitmq(settings, &wanted)?),
        Command::NewKeys { folder } => print!("{}", production::new_keys(&folder)?),
        Command::Token(options) => println!("{}", token(settings, &options)?),
        Command::Dlq { command } => println!("{}", dead_letters(&operator, &command).await?),
        Command::Sagas { command } => println!("{}", sagas(&operator, &command).await?),
        Command::Events(wanted) => println!("{}", events(&operator, &wanted).await?),
        Command::Republish(options) => println!("{}", republish(&operator, &options).await?),
        Command::Projections { command } => println!("{}", projections(&operator, command).await?),
        Command::Bench { command } => measure(data, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever runs the market, as it knows them.
struct Operator<'s> {
    settings: &'s Settings,
    token: Option<Secret>,
}

impl Operator<'_> {
    /// The token that was given; in development one is made.
    fn token(&self) -> anyhow::Result<String> {
        match &self.token {
            Some(token) => Ok(token.reveal().to_owned()),
            None => market::token(self.settings, Role::Admin, seed::operator(), Duration::from_secs(3_600)),
        }
    }
}

fn token(settings: &Settings, options: &Token) -> anyhow::Result<String> {
    let role = match options.role {
        TokenRole::Customer => Role::Customer,
        TokenRole::Artisan => Role::Artisan,
        TokenRole::Admin => Role::Admin,
    };
    let person = options.id.unwrap_or_else(Uuid::now_v7);
    market::token(settings, role, person, Duration::from_secs(options.hours.max(1) * 3_600))
}

/// Rebuilds and lists through a market that runs, or one that runs for as long as it takes.
async fn projections(operator: &Operator<'_>, command: Projections) -> anyhow::Result<String> {
    let (Projections::List { url } | Projections::Rebuild { url, .. } | Projections::Rollback { url, .. }) =
        &command;
    let say = async |desk: Desk<'_>| desk.perform(&command).await;
    match url {
        Some(url) => say(Desk { api: &Socket::new(url)?, token: operator.token()? }).await,
        None => {
            let market = market::open_with(operator.settings, None).await?;
            let api = InMemory::new(market.router.clone());
            let token = (market.person_tokens())(Role::Admin, seed::operator());
            let said = say(Desk { api: &api, token }).await;
            drop(api);
            market.close().await?;
            said
        }
    }
}

async fn import(operator: &Operator<'_>, file: &Path, url: Option<String>) -> anyhow::Result<()> {
    let rows = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let call = Call::post("/api/products/import").body("text/csv", rows);
    let reply = match url {
        Some(url) => ask(&Socket::new(&url)?, call.by(&operator.token()?)).await?,
        None => {
            let market = market::open_with(operator.settings, None).await?;
            let token = (market.person_tokens())(Role::Admin, seed::operator());
            let reply = ask(&InMemory::new(market.router.clone()), call.by(&token)).await;
            market.close().await?;
            reply?
        }
    };
    let report: serde_json::Value = reply.read()?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

fn backup(settings: &Settings, to: &Path, keys: Option<&Path>) -> anyhow::Result<()> {
    let data = settings.serve.data.as_path();
    let store = Store::open_read_only(data)?;
    let bar = bar("pages");
    store.backup(to, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish();
    println!("{} holds the market", to.display());
    match keys {
        Some(keys) => {
            SqliteKeyRing::copy(data, keys)?;
            println!(
                "{} holds the keys of persons: keep it apart, and not for longer than an erased person may wait",
                keys.display()
            );
        }
        None => println!("the keys of persons are not in it: add --keys FILE, and keep that file apart"),
    }
    Ok(())
}

async fn dead_letters(operator: &Operator<'_>, command: &Dlq) -> anyhow::Result<String> {
    let api = Socket::new(command.url())?;
    dead_letters::Desk { api: &api, token: operator.token()? }.perform(command).await
}

async fn sagas(operator: &Operator<'_>, command: &Sagas) -> anyhow::Result<String> {
    let api = Socket::new(command.url())?;
    sagas::Desk { api: &api, token: operator.token()? }.perform(command).await
}

async fn events(operator: &Operator<'_>, wanted: &Events) -> anyhow::Result<String> {
    let api = Socket::new(&wanted.url)?;
    events::Desk { api: &api, token: operator.token()? }.read(wanted).await
}

async fn republish(operator: &Operator<'_>, options: &Republish) -> anyhow::Result<String> {
    let api = Socket::new(&options.url)?;
    let desk = republish::Desk { api: &api, token: operator.token()? };
    desk.republish(&options.from, options.service.as_deref()).await
}

async fn migrate(settings: &Settings, options: Migrate) -> anyhow::Result<()> {
    let postgres = options.to.or_else(|| settings.engines.postgres.clone());
    let postgres =
        postgres.context("say where the market goes: --to postgres://USER:PASSWORD@HOST:PORT/DATABASE")?;
    let target = migrate::Target { postgres, again: options.again };
    let moved = migrate::run(settings, &target, &bar("rows")).await?;
    print!("{moved}{}", migrate::next(settings));
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
async fn play(settings: &Settings, options: Demo) -> anyhow::Result<ExitCode> {
    production::refuse(settings, "the demonstration", "try it on another --data")?;
    let Demo { orders, concurrency, seed, url } = options;
    let day = demo::DemoOptions { orders, concurrency, seed, ..demo::DemoOptions::default() };
    let report = match url {
        Some(url) => {
            let settings = settings.clone();
            let tokens: Tokens = Arc::new(move |role, person| {
                market::token(&settings, role, person, Duration::from_secs(12 * 3_600)).unwrap_or_default()
            });
            demo::run(&day, Arc::new(Socket::new(&url)?), &tokens, &bar("orders")).await?
        }
        None => {
            let market = market::open_with(settings, None).await?;
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
