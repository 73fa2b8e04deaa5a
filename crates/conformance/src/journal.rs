//! The promises of `backbone::journal::Journal` and `Storage`: the list.

mod answers;
mod documents;
mod feed;
mod leases;
mod look;
mod model;
mod order;
mod outgoing;
mod paging;
mod pruning;
mod queries;
mod shadow;
mod sources;
mod storage;
mod streams;
mod whole;

pub use model::random_commits_agree_with_the_model;

use crate::scenario::{Scenario, scenarios};

/// Every promise of the journal.
pub fn journal_scenarios() -> Vec<Scenario> {
    let mut all = state();
    all.extend(commits());
    all.extend(reading());
    all
}

/// Streams, documents, answers, checkpoints: what a commit changes.
fn state() -> Vec<Scenario> {
    scenarios! {
        "what is appended to a stream is read back as it was", "Journal: load", streams::round_trip;
        "appending to a version that the stream does not have is a conflict", "reliability.md rule 19", streams::expected_version;
        "an append of nothing is malformed", "reliability.md rule 19", streams::never_nothing;
        "an event above the size limit is malformed and one at the limit is taken", "reliability.md rule 7", streams::size_limit;
        "a stream is loaded as its latest snapshot and the events after it", "reliability.md rule 23", streams::snapshots;
        "a stream's history is paged by version, snapshots or not", "Journal: history", streams::history;
        "a document is read back as it was, and its version counts its writes", "Journal: load", documents::round_trip;
        "a put on another version is a conflict, and version 0 means absent", "Journal: put", documents::expected_version;
        "a put on any version writes whatever is there", "commit::Expected::Any", documents::any_version;
        "a deleted document is absent and begins again at version 1", "Journal: delete", documents::deletes;
        "of many that create the same document the first wins and the others conflict", "architecture.md, unique keys", documents::unique;
        "a guard holds a commit to the versions that it read", "Journal: guard", documents::guards;
        "a guard sees what a commit in flight before it changes", "Journal: guard, order", documents::guards_in_flight;
        "a document with a column too few is malformed", "journal::Error::Malformed", documents::columns_missing;
        "a used idempotency key is a duplicate and gives the first answer", "Journal: answer", answers::duplicates;
        "another request under a used key gets the first answer to compare", "commit::Answer::fingerprint", answers::other_fingerprint;
        "of two commits in flight under one key the second is a duplicate", "Journal: answer, order", answers::in_flight;
        "a commit that conflicts does not use up its key", "Journal: answer, atomicity", answers::conflicts_use_no_key;
        "a repeated request is a duplicate even where it would conflict", "reliability.md rule 25", answers::before_conflicts;
        "an answer younger than the limit stays a duplicate and an older one is forgotten", "reliability.md rule 10", pruning::answers;
        "a claim younger than the limit holds and an older one is forgotten", "reliability.md rule 10", pruning::claims;
        "so many are forgotten at a time as were asked for, the oldest first", "Journal: prune", pruning::few_at_a_time;
        "what is the record is never forgotten", "Journal: prune", pruning::the_record;
        "a checkpoint moves from where it stands, and moving it twice is a conflict", "reliability.md rule 21", sources::checkpoints;
        "checkpoints of several consumers do not disturb each other", "reliability.md rule 21", sources::separate_checkpoints;
        "a delivery is claimed once per consumer, for ever", "reliability.md rule 10", sources::inbox;
        "a batch with one delivery that was claimed before takes no effect", "reliability.md rule 9", sources::inbox_batch;
    }
}

/// All or nothing, in order, public events included.
fn commits() -> Vec<Scenario> {
    scenarios! {
        "a commit with one part that conflicts writes nothing", "Journal: entirely or not at all", whole::one_conflict;
        "a malformed commit writes nothing", "Journal: entirely or not at all", whole::one_malformed;
        "a commit with a part of every kind writes all of them", "Journal: entirely or not at all", whole::everything;
        "a rehearsal says what would be said and leaves no trace", "Journal: rehearse", whole::rehearsed;
        "a conflict leaves the commits beside it alone", "Journal: conflict", whole::neighbours;
        "a commit whose asker went away takes effect all the same", "Journal: submit", order::asker_gone;
        "commits take effect in the order of submit", "Journal: order", order::order_of_submit;
        "a chain of predicted commits is written as one run", "commit::Commit::built_on", order::chains;
        "where a commit fails those built on it are conflicts and others are not", "Journal: building on a commit that failed", order::broken_chains;
        "what was built on a commit fails even where another made its versions fit", "commit::Commit::built_on", order::late_links;
        "building on a duplicate or malformed commit is a conflict", "Journal: building on a commit that failed", order::unwritten_links;
        "public events are delivered if and only if their commit was written, in commit order", "reliability.md rule 1", outgoing::visible_if_committed;
        "a commit's position is that of its last public event and positions grow", "commit::Outcome::Committed", outgoing::positions;
        "a reader of the bus misses nothing of many writers", "reliability.md rule 3", outgoing::polling_reader;
        "a restart between two reads of the log loses and doubles nothing", "reliability.md rule 24", outgoing::reading_on;
        "public events are kept for a relay if and only if their commit was written, in commit order", "reliability.md rules 1 and 2", outgoing::kept_for_a_relay;
        "a relay that pages throughout many writers misses nothing", "reliability.md rule 3", outgoing::polling_relay;
        "of many who ask for a lease one gets it", "Journal: lease", leases::one_holder;
        "a lease renewed in time keeps its token, over restarts too", "Journal: lease", leases::renewal;
        "a commit under a lease that was taken over writes nothing", "reliability.md rule 2", leases::taken_over;
        "a lease that ran out holds until it is taken, and is another one then", "Journal: lease", leases::run_out;
        "a lease given back is free at once, and cannot be given back by who held it before", "Journal: release", leases::given_back;
        "a commit under a lease that nobody took writes nothing", "Journal: fenced", leases::never_taken;
        "random commits end as the model says and leave the state it says", "Journal: all promises at once", model::random_commits;
    }
}

/// Queries, feeds, rebuilds, restarts.
fn reading() -> Vec<Scenario> {
    scenarios! {
        "many things wanted are given in order in one go", "Journal: load", streams::load_many;
        "the feed gives the service's events in commit order, page by page", "Journal: feed", feed::pages;
        "a reader that pages the feed throughout many writers misses nothing", "reliability.md rule 3", feed::polling_reader;
        "every comparison works on every kind of column", "collection::Compare", queries::comparisons;
        "an absent value equals absence, and is neither above nor below anything", "collection::ColumnValue::Null", queries::absent_values;
        "conditions are all required", "collection::Query", queries::all_required;
        "text is compared by its bytes", "collection::Compare", queries::text_order;
        "money is compared within its currency", "collection::ColumnKind::Money", queries::money;
        "without an order documents come by id", "collection::Query::order_by", paging::by_id;
        "an order sorts both ways with ties by id in the same direction, absent values lowest", "collection::Query::order_by", paging::sorted;
        "pages of every size show every document once, in order", "collection::Query::after", paging::every_page_size;
        "no query gives more than the limit of all queries", "collection::LIMIT_MAX", paging::limits;
        "columns follow each write of their document", "collection::Collection", queries::columns_follow;
        "a shadow is written and read apart until it is swapped in", "reliability.md rule 20", shadow::swap;
        "a shadow is swapped in only where the checkpoint stands where it should", "journal::ShadowStep::Swap", shadow::swap_elsewhere;
        "what a shadow took the place of is kept, goes on and is swapped back", "reliability.md rule 20", shadow::way_back;
        "a swap under a lease that was taken over changes nothing", "journal::ShadowStep::Swap", shadow::fenced;
        "all collections of a projection change places, or none", "journal::ShadowStep::Swap", shadow::all_or_none;
        "a new shadow replaces an unfinished one, and a dropped one leaves no trace", "journal::ShadowStep", shadow::begin_again;
        "two services with the same names do not see each other", "journal::Storage", storage::isolation;
        "public events are found by flow, key and type, between two positions, in commit order", "Journal: published", outgoing::sought;
        "what any service of the store published is read by its position", "Storage: published_by", storage::published_by;
        "everything is there after a restart", "Journal: durable", storage::reopen;
        "what was read once is there after a restart", "Journal: nothing is read before it is durable", storage::read_is_durable;
        "a service that comes with one more collection keeps the others", "journal::Storage::open", storage::more_collections;
    }
}
