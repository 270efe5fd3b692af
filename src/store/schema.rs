//! The tables and their keys. Values are records of `record/`; a key is never repeated in its value.

use redb::TableDefinition;

/// The layout that this program writes: the one behind the last step of `upgrade`. A file with a higher number was written by a
/// newer version.
#[allow(clippy::cast_possible_truncation)] // there are a few steps, not billions
pub(super) const SCHEMA_VERSION: u32 = 1 + super::upgrade::STEPS.len() as u32;

pub(super) type Bytes = &'static [u8];

/// `schema_version`, `numbers`, `rejected`; once somebody was erased, `install_key`; once the layout was changed, `upgraded`.
pub(super) const META: TableDefinition<'_, &str, Bytes> = TableDefinition::new("meta");
/// Webhooks without their bodies, in order of arrival.
pub(super) const WEBHOOKS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("webhooks");
/// Raw bodies, packed by `body`, under their webhook's number.
pub(super) const BODIES: TableDefinition<'_, u64, Bytes> = TableDefinition::new("bodies");
/// Dedup marks, `stripe/evt_…`, with the webhook that made them.
pub(super) const MARKS: TableDefinition<'_, &str, u64> = TableDefinition::new("marks");
/// Groups of money objects.
pub(super) const GROUPS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("groups");
/// Objects, `stripe/-/live/pi_…`, with the group they belong to.
pub(super) const LINKS: TableDefinition<'_, &str, u64> = TableDefinition::new("links");
/// People.
pub(super) const CONTACTS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("contacts");
/// Identities with who holds them.
pub(super) const IDENTITIES: TableDefinition<'_, &str, Bytes> = TableDefinition::new("identities");
/// Who stands under a lead id or phone: identity, 0 for a person of several who claim it or 1 for a purchase that is known by it
/// alone, contact or group.
pub(super) const CLAIMANTS: TableDefinition<'_, (&str, u8, u64), ()> = TableDefinition::new("claimants");
/// A contact's groups: contact, time of their money, group.
pub(super) const CONTACT_GROUPS: TableDefinition<'_, (u64, i64, u64), ()> = TableDefinition::new("contact_groups");
/// Subscriptions with what they have been billed.
pub(super) const SUBSCRIPTIONS: TableDefinition<'_, &str, Bytes> = TableDefinition::new("subscriptions");
/// Business events with their deliveries.
pub(super) const BUSINESS_EVENTS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("business_events");
/// A contact's standing with a contact destination: destination, contact.
pub(super) const CONTACT_SYNCS: TableDefinition<'_, (u16, u64), Bytes> = TableDefinition::new("contact_syncs");
/// What is to be sent: destination, not before, business event or contact.
pub(super) const DUE: TableDefinition<'_, (u16, i64, u64), ()> = TableDefinition::new("due");
/// Groups that wait: until when, group.
pub(super) const SETTLE: TableDefinition<'_, (i64, u64), ()> = TableDefinition::new("settle");
/// The failed queue: destination, business event.
pub(super) const FAILED: TableDefinition<'_, (u16, u64), ()> = TableDefinition::new("failed");
/// Refused requests that are kept whole, without their bodies: source, number in the list of rejected requests.
pub(super) const REFUSED: TableDefinition<'_, (&str, u64), Bytes> = TableDefinition::new("refused");
/// Their raw bodies, packed by `body`.
pub(super) const REFUSED_BODIES: TableDefinition<'_, (&str, u64), Bytes> = TableDefinition::new("refused_bodies");
/// What browsers said, by lead id.
pub(super) const LEADS: TableDefinition<'_, &str, Bytes> = TableDefinition::new("leads");
/// E-mail addresses that were written into forms, with the lead id under which that was first.
pub(super) const LEAD_EMAILS: TableDefinition<'_, &str, &str> = TableDefinition::new("lead_emails");
/// Identities of erased people as keyed hashes, with the contact that stands for what is left.
pub(super) const TOMBSTONES: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("tombstones");
/// Zeros, while unused room in the file is written over.
pub(super) const FILLING: TableDefinition<'_, u64, Bytes> = TableDefinition::new("filling");
/// Attempts: destination, 0 for a business event or 1 for a contact, its number, the attempt's number.
pub(super) const ATTEMPTS: TableDefinition<'_, (u16, u8, u64, u32), Bytes> = TableDefinition::new("attempts");
/// What a destination as a whole is doing.
pub(super) const STANDINGS: TableDefinition<'_, u16, Bytes> = TableDefinition::new("standings");
/// Configured destinations' names with their numbers, given once and never reused.
pub(super) const DESTINATIONS: TableDefinition<'_, &str, u16> = TableDefinition::new("destinations");
