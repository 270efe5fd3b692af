//! Erasing people: their rows go, tombstones come, and what else names them is dropped in slices.

use redb::ReadableTable;

use super::apply::attempt_key;
use super::batch::{Batch, Undigested};
use super::body;
use super::command::Reply;
use super::error::StoreError;
use super::refused::RefusedTables;
use super::schema;
use super::tombstones::{InstallKey, Tombstones};
use crate::ledger::books::Books;
use crate::ledger::forget::{self, Erasure, Forget};
use crate::ledger::intake::Intake;
use crate::model::id::{Mode, WebhookId};
use crate::model::identity::{Email, Identity, IdentityKind};
use crate::model::time::Timestamp;

/// What a slice erases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erase {
    /// Raw bodies of webhooks.
    Bodies(Vec<WebhookId>),
    /// Kept refused requests: source, number.
    Refused(Vec<(String, u64)>),
    /// Fills so many bytes of unused room in the file with zeros, so that what was erased can't be read out of it.
    Overwrite(usize),
    /// Gives the filled room back.
    OverwriteDone,
}

/// A row of zeros that takes up one page.
const FILL: usize = 3800;

impl Batch<'_> {
    /// Erases people.
    pub(super) fn forget(&mut self, whom: &Forget, fresh: InstallKey, now: Timestamp) -> Result<Reply, StoreError> {
        let planned = self.plan(now, |workspace| forget::plan_forget(workspace, self.rules, whom))?;
        let (erasure, changes) = match planned {
            Ok(planned) => planned,
            Err(Undigested(why)) => return Ok(Reply::Refused(why)),
        };
        self.apply(changes, now)?;
        if self.tables.tombstones.is_none() {
            self.tables.meta.insert("install_key", fresh.bytes().as_slice()).map_err(StoreError::storage)?;
            self.numbers.install_key = Some(fresh);
            self.tables.tombstones = Some(Tombstones::open(self.txn, &fresh)?);
        }
        if let Some(tombstones) = &mut self.tables.tombstones {
            for (identity, contact) in &erasure.tombstones {
                tombstones.put(identity, *contact)?;
            }
        }
        self.drop_rows(&erasure)?;
        Ok(Reply::Done)
    }

    fn drop_rows(&mut self, erasure: &Erasure) -> Result<(), StoreError> {
        let tables = &mut self.tables;
        for identity in &erasure.identities {
            tables.identities.remove(identity.key().as_str()).map_err(StoreError::storage)?;
        }
        for (destination, contact) in &erasure.standings {
            tables.contact_syncs.remove((destination.0, contact.0)).map_err(StoreError::storage)?;
        }
        for (destination, target) in &erasure.attempts {
            let (kind, number) = attempt_key(*target);
            let range = (destination.0, kind, number, 0)..=(destination.0, kind, number, u32::MAX);
            tables.attempts.retain_in(range, |_, _| false).map_err(StoreError::storage)?;
        }
        // A time that no lead has said anything new since: all of them go.
        self.drop_leads(&erasure.leads, Timestamp::FAR_FUTURE)
    }

    /// Erases a slice of what is left of erased people.
    pub(super) fn erase(&mut self, slice: Erase) -> Result<Reply, StoreError> {
        let mut rows = 0;
        match slice {
            Erase::Bodies(webhooks) => {
                for id in webhooks {
                    rows += usize::from(self.tables.bodies.remove(id.0).map_err(StoreError::storage)?.is_some());
                }
            }
            Erase::Refused(keys) => {
                let mut tables = RefusedTables::open(self.txn)?;
                for (source, id) in &keys {
                    tables.drop_one(&mut self.numbers.totals, source, *id)?;
                    rows += 1;
                }
            }
            Erase::Overwrite(bytes) => {
                let mut table = self.txn.open_table(schema::FILLING).map_err(StoreError::storage)?;
                let last = table.last().map_err(StoreError::storage)?.map_or(0, |(key, _)| key.value());
                let zeros = [0; FILL];
                for _ in 0..bytes.div_ceil(FILL) {
                    rows += 1;
                    let number = last + u64::try_from(rows).unwrap_or(u64::MAX);
                    table.insert(number, zeros.as_slice()).map_err(StoreError::storage)?;
                }
            }
            Erase::OverwriteDone => {
                self.txn.delete_table(schema::FILLING).map_err(StoreError::storage)?;
            }
        }
        Ok(Reply::Swept { rows, next: None })
    }

    /// Whether a raw body has the address of an erased person in it. Looked for only once somebody was erased.
    pub(super) fn names_erased(&self, intake: &Intake) -> Result<bool, StoreError> {
        if !self.tables.has_erased() {
            return Ok(false);
        }
        let Some(tombstones) = &self.tables.tombstones else { return Ok(false) };
        let limit = usize::try_from(intake.body_bytes).unwrap_or(usize::MAX);
        let Ok(body) = body::decompress(&intake.packed_body, limit) else { return Ok(false) };
        for email in addresses(&body) {
            for mode in [Mode::Live, Mode::Test] {
                let identity = Identity { mode, kind: IdentityKind::Email, value: email.as_str().to_owned() };
                if tombstones.find(&identity)?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Everything in a body that looks like an e-mail address, in JSON or in a form.
fn addresses(body: &[u8]) -> Vec<Email> {
    let text = String::from_utf8_lossy(body).replace("%40", "@").replace("\\u0040", "@");
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>()[]{},;:&=\\".contains(c);
    let mut found: Vec<Email> = text.split(ends).filter(|word| word.contains('@')).filter_map(Email::parse).collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_json_and_in_forms() {
        let found =
            |body: &str| addresses(body.as_bytes()).iter().map(|email| email.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(found(r#"{"email":"Mary@Example.com","x":"a\nb"}"#), ["mary@example.com"]);
        assert_eq!(found("name=Mary&email=mary%40example.com&x=1"), ["mary@example.com"]);
        assert_eq!(
            found(r#"{"text":"Mary <mary@example.com>, bob@example.com"}"#),
            ["bob@example.com", "mary@example.com"]
        );
        assert_eq!(found("no address, only @ signs @@ here"), Vec::<String>::new());
    }
}
