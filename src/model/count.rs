//! Which objects make a sale.

/// Which objects make a sale, for those who know how they sell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Count {
    /// Every kind, joined by links and likeness (DESIGN 5).
    #[default]
    Auto,
    /// Checkout sessions and invoices; payment intents and charges only say how they were paid.
    CheckoutAndInvoices,
    /// Payment intents, and charges without one; sessions and invoices only say what was sold.
    PaymentIntents,
}
