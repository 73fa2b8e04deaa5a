//! A service's handle on the store: the journal's port.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::collection::{Collection, Query};
use backbone::commit::{Answer, Commit, Fence, Outcome, StoredEvent};
use backbone::journal::{
    Error, Journal, LeaseRequest, Prune, Pruned, Recorded, Sent, ShadowStep, Sought, Stored, StoredDocument,
    Submission, Want,
};
use tokio::sync::oneshot;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::connection::{Ask, Target, Value, value};
use crate::queue::{Job, Queue, Refused};
use crate::readers::Readers;
use crate::rows::{limit as bound, signed};
use crate::statistics::Counters;
use crate::tables::Tables;
use crate::{batch, error, load, query, rows, shadow, sql};

pub(crate) struct PostgresJournal {
    pub(crate) target: Target,
    pub(crate) tables: Arc<Tables>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counters: Arc<Counters>,
}

impl PostgresJournal {
    /// Reads rows as values.
    async fn read<T>(
        &self,
        what: &'static str,
        sql: &str,
        values: Vec<Value<'_>>,
        of: fn(&Row) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Vec<T>, Error> {
        let rows = self.readers.rows(what, sql, values).await?;
        rows.iter().map(of).collect::<Result<_, _>>().map_err(|e| error::journal(what, &e))
    }

    /// Does something that only one transaction at a time does, commits included.
    async fn in_turn(&self, what: &'static str, asks: Vec<Ask<'_>>) -> Result<Vec<Vec<Row>>, Error> {
        let mut all = vec![Ask::new(&self.tables.sql.write.turn, Vec::new())];
        all.extend(asks);
        let mut conn = self.readers.take(what).await?;
        let mut answers =
            conn.all(Some("BEGIN"), &all, Some("COMMIT")).await.map_err(|e| error::journal(what, &e))?;
        answers.remove(0);
        Ok(answers)
    }
}

#[async_trait]
impl Journal for PostgresJournal {
    fn submit(&self, commit: Commit) -> Submission {
        let (reply, answer) = oneshot::channel();
        if let Err((refused, job)) = self.queue.push(Job { commit: Box::new(commit), reply }) {
            if refused == Refused::Full {
                Counters::add(&self.counters.overflowed, 1);
            }
            job.answer(Err(error::unavailable("queueing a commit", refused.reason())));
        }
        answer
    }

    /// On a connection of its own, in turn with commits: nobody changes anything in between.
    async fn rehearse(&self, commit: Commit) -> Result<Outcome, Error> {
        const REHEARSING: &str = "rehearsing a commit";
        let connected = self.target.connect().await;
        let mut conn = connected.map_err(|e| error::unavailable(REHEARSING, error::said(&e)))?;
        let job = Job { commit: Box::new(commit), reply: oneshot::channel().0 };
        batch::rehearse(&mut conn, &self.tables, job).await.map_err(|e| error::journal(REHEARSING, &e))?
    }

    async fn load(&self, wants: Vec<Want>) -> Result<Vec<Stored>, Error> {
        load::load(&self.readers, &self.tables, &wants).await
    }

    async fn find(&self, query: Query) -> Result<Vec<StoredDocument>, Error> {
        let statement = query::statement(&self.tables, &query)?;
        self.read("finding documents", &statement.sql, statement.values, rows::document).await
    }

    async fn answer(&self, key: &str) -> Result<Option<Answer>, Error> {
        let values = vec![value([key].to_vec())];
        let mut found =
            self.read("looking up an answer", &self.tables.sql.known.answers, values, rows::answer).await?;
        Ok(found.pop())
    }

    async fn history(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredEvent>, Error> {
        let values = vec![value(stream), value(signed(after)), value(bound(limit))];
        self.read("reading a history", &self.tables.sql.read.history, values, rows::event).await
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, Error> {
        let values = vec![value(signed(after)), value(bound(limit))];
        let recorded = |row: &Row| {
            Ok(Recorded {
                event: rows::event(row)?,
                position: rows::number(row, 9)?,
                stream: row.try_get(0)?,
            })
        };
        self.read("reading the service's events", &self.tables.sql.read.feed, values, recorded).await
    }

    async fn outgoing(&self, after: u64, limit: usize) -> Result<Vec<Sent>, Error> {
        let values = vec![value(signed(after)), value(bound(limit))];
        let sent = |row: &Row| rows::envelope(row).map(|(position, envelope)| Sent { position, envelope });
        self.read("reading what the service published", &self.tables.sql.read.outgoing, values, sent).await
    }

    async fn published(&self, sought: Sought) -> Result<Vec<Sent>, Error> {
        let (sql, values) = sql::published(&self.tables.schema, &sought);
        let sent = |row: &Row| rows::envelope(row).map(|(position, envelope)| Sent { position, envelope });
        self.read("looking for what the service published", &sql, values, sent).await
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Option<u64>, Error> {
        const LEASING: &str = "taking a lease";
        let lasts = i64::try_from(request.lasts.as_micros()).unwrap_or(i64::MAX / 2);
        let values = vec![value(request.name), value(request.owner), value(lasts)];
        // In turn with commits: none is written under a lease that another is taking over.
        let answers = self.in_turn(LEASING, vec![Ask::new(&self.tables.sql.read.lease, values)]).await?;
        let token = answers.iter().flatten().next().map(|row| rows::number(row, 0));
        token.transpose().map_err(|e| error::journal(LEASING, &e))
    }

    async fn release(&self, fence: Fence) -> Result<(), Error> {
        let values = vec![value(fence.lease), value(signed(fence.token))];
        self.readers.rows("giving a lease back", &self.tables.sql.read.release, values).await.map(drop)
    }

    async fn claimed(&self, consumer: &str, events: &[Uuid]) -> Result<Vec<Uuid>, Error> {
        let values = vec![value(vec![consumer; events.len()]), value(events.to_vec())];
        let found = |row: &Row| row.try_get::<_, Uuid>(1);
        let claimed = self.read("looking up claims", &self.tables.sql.known.claims, values, found).await?;
        Ok(events.iter().copied().filter(|event| claimed.contains(event)).collect())
    }

    async fn checkpoint(&self, consumer: &str) -> Result<u64, Error> {
        let values = vec![value([consumer].to_vec())];
        let position = |row: &Row| rows::number(row, 1);
        let found =
            self.read("reading a checkpoint", &self.tables.sql.known.checkpoints, values, position).await?;
        Ok(found.first().copied().unwrap_or(0))
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, Error> {
        const PRUNING: &str = "forgetting answers and claims";
        let values = |before: kernel::Timestamp| vec![value(before.as_micros()), value(bound(prune.limit))];
        let sql = &self.tables.sql.read;
        let asks = vec![
            Ask::new(&sql.prune_answers, values(prune.answers_before)),
            Ask::new(&sql.prune_claims, values(prune.inbox_before)),
        ];
        let answers = self.in_turn(PRUNING, asks).await?;
        let count = |place: usize| {
            let row = answers.get(place).and_then(|rows| rows.first());
            let count =
                row.map_or(Ok(0), |row| rows::number(row, 0)).map_err(|e| error::journal(PRUNING, &e));
            count.map(|count| usize::try_from(count).unwrap_or(usize::MAX))
        };
        Ok(Pruned { answers: count(0)?, claims: count(1)? })
    }

    async fn shadow(
        &self,
        collections: &'static [&'static Collection],
        step: ShadowStep,
    ) -> Result<(), Error> {
        let of = collections.iter().map(|of| self.tables.collection(of)).collect::<Result<Vec<_>, _>>()?;
        // A connection of its own: one that is left in mid-transaction must not come back.
        let connected = self.target.connect().await;
        let mut conn =
            connected.map_err(|e| error::unavailable("rebuilding a collection", error::said(&e)))?;
        shadow::take(&mut conn, &self.tables, &of, &step).await
    }
}

impl Drop for PostgresJournal {
    fn drop(&mut self) {
        // What waits is still written.
        self.queue.close();
    }
}
