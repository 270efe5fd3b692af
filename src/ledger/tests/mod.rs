//! The ledger put to the proof: books in memory, destinations that only decide, and events shaped like Stripe's.

mod books;
mod connected;
mod counting;
mod decisions;
mod destinations;
mod house;
mod orders;
mod people;
mod property;
mod refunds;
mod results;
mod settling;
mod situations;
mod stripe;
mod view;
