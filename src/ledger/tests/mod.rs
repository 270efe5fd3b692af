//! The ledger put to the proof: books in memory, destinations that only decide, and events shaped like Stripe's.

mod books;
mod connected;
mod delivering;
mod destinations;
mod house;
mod orders;
mod people;
mod property;
mod results;
mod settling;
mod situations;
mod stripe;
mod view;
