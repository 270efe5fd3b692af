//! The ledger put to the proof: books in memory, destinations that only decide, and events shaped like Stripe's.

mod bookings;
mod books;
mod claims;
mod connected;
mod consent;
mod counting;
mod customers;
mod decisions;
mod destinations;
mod filters;
mod house;
mod leads;
mod likeness;
mod orders;
mod others;
mod people;
mod property;
mod refunds;
mod results;
mod settling;
mod situations;
mod stripe;
mod subscriptions;
mod view;
