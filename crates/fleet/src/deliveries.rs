//! In which order consumers took what was published: read from the inboxes, which note each event in
//! the commit of its effect.

use a4co::services::SERVICES;

use crate::servers::Servers;

/// Each consumer that took an event about a subject before an earlier one of the same producer.
pub(crate) fn out_of_order(servers: &Servers, database: &str) -> Vec<String> {
    let consumers = SERVICES.iter().flat_map(|consumer| SERVICES.iter().map(move |of| (consumer, of)));
    let mut found = Vec::new();
    for (consumer, producer) in consumers {
        let rows = servers.sql(
            database,
            &format!(
                "SELECT consumer, subject, kind FROM (
                     SELECT i.consumer, l.subject, l.kind, i.at,
                         lag(i.at) OVER (PARTITION BY i.consumer, l.subject ORDER BY l.position) AS earlier
                     FROM \"{consumer}\".inbox i JOIN \"{producer}\".log l ON l.id = i.event) taken
                 WHERE at < earlier LIMIT 20"
            ),
        );
        let describe = |row: &str| format!("taken before an earlier event of its subject: {row}");
        found.extend(rows.lines().filter(|row| !row.is_empty()).map(describe));
    }
    found
}
