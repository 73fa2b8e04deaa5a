//! The file of wrapped data keys. Key material stands in one place only: rows of a table that
//! grows at its end, so that SQLite never copies a row from page to page, overwritten in place
//! when a key is destroyed. The index that finds a person's row holds no key.

use std::path::Path;

use backbone::keyring::{DataKey, PersonKey};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use uuid::Uuid;

use crate::directory;
use crate::keyring::KeyRingError;
use crate::master_key::{MasterKey, new_data_key};
use crate::now;

/// `a4ck`: the header of a file of keys.
pub(crate) const APPLICATION_ID: i32 = 0x6134_636b;
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS keys (
        slot INTEGER PRIMARY KEY, person BLOB NOT NULL UNIQUE, wrapped BLOB NOT NULL, master_id TEXT NOT NULL,
        erased_at INTEGER NOT NULL);";
/// Nonce, key and tag: what a destroyed key is overwritten with is as long.
const WRAPPED_BYTES: usize = 12 + 32 + 16;

/// The open file with the keys that can read it.
pub(crate) struct KeyFile {
    conn: Connection,
    master: MasterKey,
    previous: Vec<MasterKey>,
}

impl KeyFile {
    pub(crate) fn open(
        file: &Path,
        master: MasterKey,
        previous: Vec<MasterKey>,
    ) -> Result<Self, KeyRingError> {
        directory::make_file(file).map_err(|source| KeyRingError::File { path: file.to_owned(), source })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(file, flags)?;
        let application: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let schema: i32 = conn.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
        if application != APPLICATION_ID && schema != 0 {
            return Err(KeyRingError::Foreign(file.to_owned()));
        }
        conn.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
             PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF;
             BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; {TABLES} COMMIT;"
        ))?;
        let opened = Self { conn, master, previous };
        opened.refuse_unknown_masters()?;
        Ok(opened)
    }

    pub(crate) fn master_id(&self) -> &str {
        self.master.id()
    }

    /// At start rather than at the first customer: a wrong master key reads nothing.
    fn refuse_unknown_masters(&self) -> Result<(), KeyRingError> {
        let mut statement = self.conn.prepare("SELECT DISTINCT master_id FROM keys WHERE erased_at = 0")?;
        let mut masters = statement.query_map([], |row| row.get::<_, String>(0))?;
        masters.try_for_each(|id| self.master_named(&id?).map(drop))
    }

    fn master_named(&self, id: &str) -> Result<&MasterKey, KeyRingError> {
        let mut known = std::iter::once(&self.master).chain(&self.previous);
        known.find(|key| key.id() == id).ok_or_else(|| KeyRingError::UnknownMaster(id.to_owned()))
    }

    pub(crate) fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, KeyRingError> {
        persons.iter().map(|person| self.find_one(*person)).collect()
    }

    fn find_one(&self, person: Uuid) -> Result<PersonKey, KeyRingError> {
        let mut statement =
            self.conn.prepare_cached("SELECT wrapped, master_id, erased_at FROM keys WHERE person = ?1")?;
        let row = statement.query_row([&person.as_bytes()[..]], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        });
        let Some((wrapped, master_id, erased_at)) = row.optional()? else { return Ok(PersonKey::Absent) };
        if erased_at != 0 {
            return Ok(PersonKey::Erased);
        }
        let key = self.master_named(&master_id)?.unwrap(person, &wrapped);
        key.map(|key| PersonKey::Known(DataKey(key))).ok_or(KeyRingError::Unreadable)
    }

    /// Makes what is missing in one transaction.
    pub(crate) fn ensure(&mut self, persons: &[Uuid]) -> Result<Vec<PersonKey>, KeyRingError> {
        let found = self.find(persons)?;
        if !found.contains(&PersonKey::Absent) {
            return Ok(found);
        }
        self.in_transaction(|file| {
            persons
                .iter()
                .map(|person| match file.find_one(*person)? {
                    PersonKey::Absent => file.make(*person),
                    known => Ok(known),
                })
                .collect()
        })
    }

    fn make(&self, person: Uuid) -> Result<PersonKey, KeyRingError> {
        let key = new_data_key().ok_or(KeyRingError::NotMade)?;
        let wrapped = self.master.wrap(person, &key).ok_or(KeyRingError::NotMade)?;
        self.insert(person, &wrapped, 0)?;
        Ok(PersonKey::Known(DataKey(key)))
    }

    fn insert(&self, person: Uuid, wrapped: &[u8], erased_at: i64) -> rusqlite::Result<()> {
        let mut statement = self.conn.prepare_cached(
            "INSERT INTO keys (person, wrapped, master_id, erased_at) VALUES (?1, ?2, ?3, ?4)",
        )?;
        statement.execute(params![&person.as_bytes()[..], wrapped, self.master.id(), erased_at])?;
        Ok(())
    }

    /// Destroys a key, in the table and in the log of changes; done again, it is made sure of.
    pub(crate) fn erase(&mut self, person: Uuid) -> Result<(), KeyRingError> {
        let (nothing, at) = ([0; WRAPPED_BYTES], now().as_micros());
        self.in_transaction(|file| {
            let erased = file.conn.execute(
                "UPDATE keys SET wrapped = ?2, erased_at = ?3 WHERE person = ?1 AND erased_at = 0",
                params![&person.as_bytes()[..], &nothing[..], at],
            )?;
            if erased == 0 && file.find_one(person)? == PersonKey::Absent {
                file.insert(person, &nothing, at)?;
            }
            Ok(())
        })?;
        self.empty_log()
    }

    /// Wraps every key that a previous master key wraps with the current one.
    pub(crate) fn rewrap(&mut self) -> Result<u64, KeyRingError> {
        let rewrapped = self.in_transaction(|file| {
            let mut statement = file.conn.prepare(
                "SELECT slot, person, wrapped, master_id FROM keys WHERE erased_at = 0 AND master_id <> ?1",
            )?;
            let mut rows = statement.query([file.master.id()])?;
            let mut update =
                file.conn.prepare("UPDATE keys SET wrapped = ?2, master_id = ?3 WHERE slot = ?1")?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                let (slot, id): (i64, String) = (row.get(0)?, row.get(3)?);
                let person = Uuid::from_slice(row.get_ref(1)?.as_blob().unwrap_or(&[]))
                    .map_err(|_| KeyRingError::Unreadable)?;
                let wrapped: Vec<u8> = row.get(2)?;
                let key = file.master_named(&id)?.unwrap(person, &wrapped).ok_or(KeyRingError::Unreadable)?;
                let wrapped = file.master.wrap(person, &key).ok_or(KeyRingError::NotMade)?;
                update.execute(params![slot, wrapped, file.master.id()])?;
                count += 1;
            }
            Ok(count)
        })?;
        self.empty_log()?;
        Ok(rewrapped)
    }

    /// Without this the log would keep the page as it was before.
    fn empty_log(&self) -> Result<(), KeyRingError> {
        let busy: bool = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy { Err(KeyRingError::Busy) } else { Ok(()) }
    }

    fn in_transaction<T>(
        &mut self,
        run: impl FnOnce(&Self) -> Result<T, KeyRingError>,
    ) -> Result<T, KeyRingError> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        let done = run(self).and_then(|value| {
            self.conn.execute_batch("COMMIT")?;
            Ok(value)
        });
        if done.is_err() && !self.conn.is_autocommit() {
            self.conn.execute_batch("ROLLBACK")?;
        }
        done
    }
}
