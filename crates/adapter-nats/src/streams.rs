//! Streams are made, and updated where that is safe, at the start.

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{Error as ServerError, ErrorCode};

use crate::difference::difference;
use crate::error::StartError;
use crate::options::Options;
use crate::table::StreamSpec;

/// Makes sure that every stream of the table is there as the table says.
pub(crate) async fn ensure(server: &Context, options: &Options) -> Result<(), StartError> {
    let mut single = Vec::new();
    for spec in &options.streams {
        let existing = match server.get_stream(spec.name).await {
            Ok(stream) => Some(stream.cached_info().clone()),
            Err(error) if is_code(&error.kind(), ErrorCode::STREAM_NOT_FOUND) => None,
            Err(error) => return Err(refused(spec, error)),
        };
        let is_single = match existing {
            Some(info) => update(server, options, spec, &info).await?,
            None => create(server, spec).await?,
        };
        if is_single {
            single.push(spec.name);
        }
    }
    if !single.is_empty() {
        tracing::warn!(streams = ?single, "a single server keeps one replica of what is wanted on three");
    }
    let unsynced = options.streams.iter().filter(|spec| spec.syncs_always && !options.server_syncs_always);
    let unsynced: Vec<&str> = unsynced.map(|spec| spec.name).collect();
    if !unsynced.is_empty() {
        tracing::warn!(
            streams = ?unsynced,
            "the server may acknowledge before it syncs, and no stream of it can ask for more: set \
             `sync_interval: always` on servers from 2.10 on; whatever a broker loses is in the \
             journals, to be published again"
        );
    }
    Ok(())
}

fn refused(spec: &StreamSpec, reason: impl std::fmt::Display) -> StartError {
    StartError::Stream { stream: spec.name, reason: reason.to_string() }
}

/// Makes a stream; true where a single server made it one replica.
async fn create(server: &Context, spec: &StreamSpec) -> Result<bool, StartError> {
    let mut config = spec.config();
    match server.create_stream(&config).await {
        Ok(_) => Ok(false),
        Err(error) if is_single_server(&error.kind()) => {
            config.num_replicas = 1;
            server.create_stream(&config).await.map_err(|error| refused(spec, error))?;
            Ok(true)
        }
        Err(error) => Err(refused(spec, error)),
    }
}

/// Compares and updates a stream; true where a single server keeps it at one replica.
async fn update(
    server: &Context,
    options: &Options,
    spec: &StreamSpec,
    info: &Info,
) -> Result<bool, StartError> {
    let mut wanted = spec.config();
    let is_single = info.cluster.is_none() && wanted.num_replicas > 1;
    if is_single {
        wanted.num_replicas = 1;
    }
    let found = difference(&info.config, &wanted);
    if !found.refused.is_empty() {
        return Err(StartError::Unsafe { stream: spec.name, differences: found.refused.join("; ") });
    }
    if !found.told.is_empty() {
        let differences = found.told.join("; ");
        tracing::warn!(stream = spec.name, differences, "a stream has limits of its operator's");
    }
    let differences = found.changes.join("; ");
    if differences.is_empty() {
        return Ok(is_single);
    }
    if options.may_change(spec) {
        tracing::info!(stream = spec.name, differences, "a stream is updated");
        let failed = |error| refused(spec, format!("{differences}: the server does not change it: {error}"));
        server.update_stream(&found.updated).await.map_err(failed)?;
    } else {
        tracing::warn!(
            stream = spec.name,
            differences,
            "a stream differs; the process that runs its service changes that at its start"
        );
    }
    Ok(is_single)
}

fn is_code(kind: &GetStreamErrorKind, code: ErrorCode) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if ServerError::error_code(error) == code)
}

fn is_single_server(kind: &CreateStreamErrorKind) -> bool {
    let code = ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED;
    matches!(kind, CreateStreamErrorKind::JetStream(error) if ServerError::error_code(error) == code)
}
