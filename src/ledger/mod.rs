//! PURE. What a webhook means for the books: grouping, contacts, the plan of deliveries, and what results do to them.

pub mod books;
pub mod count;
pub mod decide;
pub mod derive;
pub mod fold;
pub mod intake;
pub mod people;
pub mod plan;
pub mod result;
pub mod rules;
pub mod workspace;
