//! PURE. What a webhook means for the books: grouping, contacts, the plan of deliveries, and what results do to them.

pub mod attempts;
pub mod billing;
pub mod books;
pub mod changes;
pub mod contacts;
pub mod count;
pub mod decide;
pub mod derive;
pub mod fold;
pub mod intake;
pub mod join;
pub mod merging;
pub mod occasion;
pub mod people;
pub mod plan;
pub mod reconcile;
pub mod refunds;
pub mod release;
pub mod result;
pub mod rules;
#[cfg(test)]
mod tests;
pub mod verdict;
pub mod workspace;
