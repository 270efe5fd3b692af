//! PURE. What a webhook means for the books: grouping, contacts, the plan of deliveries, and what results do to them.

mod admission;
pub mod attempts;
pub mod billing;
mod bookings;
pub mod books;
pub mod changes;
mod claims;
mod contact_result;
pub mod contacts;
pub mod count;
pub mod decide;
pub mod derive;
mod expire;
pub mod fold;
pub mod forget;
pub mod intake;
pub mod join;
pub mod leads;
mod likeness;
pub mod merging;
pub mod occasion;
mod others;
pub mod pairing;
pub mod people;
pub mod plan;
pub mod reconcile;
mod records;
pub mod release;
pub mod result;
pub mod rules;
mod subscriptions;
mod taken_back;
#[cfg(test)]
mod tests;
pub mod verdict;
pub mod workspace;
