//! What the events of known senders mean, each from its own documentation.

use super::{Field, Lines, Meaning, Reading, Refunds, Rule, Tells, ValueUnit, When};
use crate::model::booking::BookingStatus::{Booked, Cancelled, Missed};
use crate::model::statement::ObjectKind;

use Field::{
    Account, Currency, Customer, Email, Ends, Id, LastName, Lead, Name, Order, Phone, Previous, Reason, RefundId,
    ServiceId, ServiceName, Starts, Subscription, Tax, Time, Value,
};

/// The meaning of a preset; empty where there is none yet.
pub fn meaning(preset: &str) -> Meaning {
    let readings = match preset {
        "shopify" => shopify(),
        "woocommerce" => woocommerce(),
        "paddle" => paddle(),
        "lemon_squeezy" => lemon_squeezy(),
        "calendly" => calendly(),
        "cal_com" => cal_com(),
        "typeform" => typeform(),
        "mailerlite" => mailerlite(),
        "paypal" => paypal(),
        "square" => square(),
        "mailgun" => mailgun(),
        _ => Vec::new(),
    };
    Meaning { readings }
}

fn places(places: &[(Field, &str)]) -> Vec<(Field, String)> {
    places.iter().map(|(field, place)| (*field, (*place).to_owned())).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn rule(event: &str, tells: Tells) -> Rule {
    Rule::new(event, tells)
}

/// A rule that holds only where the body says one of some words at a place.
fn when(event: &str, place: &str, is: &[&str], tells: Tells) -> Rule {
    Rule { when: vec![condition(place, is)], ..Rule::new(event, tells) }
}

fn condition(place: &str, is: &[&str]) -> When {
    When { place: place.to_owned(), is: words(is) }
}

/// Shopify: webhook topics `orders/*` and `refunds/create`, Admin REST API: order, refund.
fn shopify() -> Vec<Reading> {
    let shop = "header:x-shopify-shop-domain|header:shopify-shop-domain";
    let paid = ["paid", "partially_refunded", "refunded"];
    let orders = Reading {
        rules: vec![
            when("orders/*", "/financial_status", &paid, Tells::Sale),
            rule("orders/*", Tells::Nothing(ObjectKind::Order, "the order is not paid")),
        ],
        places: places(&[
            (Account, shop),
            (Time, "/updated_at|/created_at|header:x-shopify-triggered-at"),
            (Email, "/email|/contact_email|/customer/email"),
            (Phone, "/phone|/customer/phone|/billing_address/phone"),
            (Name, "/customer/first_name|/billing_address/first_name"),
            (LastName, "/customer/last_name|/billing_address/last_name"),
            (Customer, "/customer/id"),
            (Lead, "/note_attributes/name=lead_id/value"),
            (Id, "/id"),
            (Value, "/total_price"),
            (Currency, "/currency"),
            (Tax, "/total_tax"),
        ]),
        unit: Some(ValueUnit::Major),
        tags: words(&["/note_attributes/name={}/value"]),
        lines: Some(Lines { list: "/line_items", id: "/product_id", name: "/title", price: "/price" }),
        ..Reading::default()
    };
    let refunds = Reading {
        rules: vec![rule("refunds/create", Tells::Refund)],
        places: places(&[
            (Account, shop),
            (Time, "/processed_at|/created_at|header:x-shopify-triggered-at"),
            (Id, "/order_id"),
            (RefundId, "/id"),
        ]),
        unit: Some(ValueUnit::Major),
        refunds: Refunds::Transactions,
        ..Reading::default()
    };
    vec![orders, refunds]
}

/// WooCommerce: webhook topics `order.*`, REST API: order properties.
fn woocommerce() -> Vec<Reading> {
    let orders = |rules, refunds| Reading {
        rules,
        places: places(&[
            (Account, "header:x-wc-webhook-source"),
            (Time, "/date_modified_gmt|/date_created_gmt"),
            (Email, "/billing/email"),
            (Phone, "/billing/phone"),
            (Name, "/billing/first_name"),
            (LastName, "/billing/last_name"),
            (Customer, "/customer_id"),
            (Lead, "/meta_data/key=lead_id/value"),
            (Id, "/id"),
            (RefundId, "/refund_id"),
            (Value, "/total"),
            (Currency, "/currency"),
            (Tax, "/total_tax"),
        ]),
        unit: Some(ValueUnit::Major),
        tags: words(&[
            "/meta_data/key={}/value",
            "/meta_data/key=_{}/value",
            "/meta_data/key=_wc_order_attribution_{}/value",
        ]),
        refunds,
        lines: Some(Lines { list: "/line_items", id: "/product_id", name: "/name", price: "/price" }),
        ..Reading::default()
    };
    let refunded = vec![
        when("order.created", "/refunds/0/id", &[], Tells::Refund),
        when("order.updated", "/refunds/0/id", &[], Tells::Refund),
    ];
    let paid = ["processing", "completed"];
    let sold = vec![
        when("order.created", "/status", &paid, Tells::Sale),
        when("order.updated", "/status", &paid, Tells::Sale),
        rule("order.created", Tells::Nothing(ObjectKind::Order, "the order is not paid")),
        rule("order.updated", Tells::Nothing(ObjectKind::Order, "the order is not paid")),
    ];
    vec![orders(refunded, Refunds::Last), orders(sold, Refunds::Placed)]
}

/// Paddle Billing: notifications `transaction.completed`, `adjustment.*`, `customer.*`. Amounts are texts in the lowest unit.
fn paddle() -> Vec<Reading> {
    let transactions = Reading {
        rules: vec![rule("transaction.completed", Tells::Sale)],
        places: places(&[
            (Time, "/occurred_at"),
            (Customer, "/data/customer_id"),
            (Lead, "/data/custom_data/lead_id"),
            (Id, "/data/id"),
            (Value, "/data/details/totals/grand_total"),
            (Currency, "/data/currency_code"),
            (Tax, "/data/details/totals/tax"),
            (Subscription, "/data/subscription_id"),
            (Reason, "/data/origin"),
        ]),
        unit: Some(ValueUnit::Minor),
        tags: words(&["/data/custom_data"]),
        ..Reading::default()
    };
    let approved_refund = Rule {
        when: vec![condition("/data/action", &["refund"]), condition("/data/status", &["approved"])],
        ..rule("adjustment.*", Tells::Refund)
    };
    let adjustments = Reading {
        rules: vec![
            approved_refund,
            rule("adjustment.*", Tells::Nothing(ObjectKind::Refund, "only a refund that is approved counts")),
        ],
        places: places(&[
            (Time, "/occurred_at"),
            (Customer, "/data/customer_id"),
            (Id, "/data/transaction_id"),
            (RefundId, "/data/id"),
            (Value, "/data/totals/total"),
            (Currency, "/data/currency_code"),
        ]),
        unit: Some(ValueUnit::Minor),
        ..Reading::default()
    };
    let customers = Reading {
        rules: vec![rule("customer.created", Tells::Contact), rule("customer.updated", Tells::Contact)],
        places: places(&[(Time, "/occurred_at"), (Customer, "/data/id"), (Email, "/data/email"), (Name, "/data/name")]),
        tags: words(&["/data/custom_data"]),
        ..Reading::default()
    };
    vec![transactions, adjustments, customers]
}

/// Lemon Squeezy: webhook events `order_created`, `order_refunded`, `subscription_payment_success`. A subscription's first payment is
/// told of by its order as well, which counts.
fn lemon_squeezy() -> Vec<Reading> {
    let common = [
        (Time, "/data/attributes/updated_at|/data/attributes/created_at"),
        (Email, "/data/attributes/user_email"),
        (Name, "/data/attributes/user_name"),
        (Customer, "/data/attributes/customer_id"),
        (Lead, "/meta/custom_data/lead_id"),
        (Id, "/data/id"),
        (Currency, "/data/attributes/currency"),
        (Tax, "/data/attributes/tax"),
    ];
    let reading = |rules, more: &[(Field, &str)]| Reading {
        rules,
        places: places(&[&common[..], more].concat()),
        unit: Some(ValueUnit::Minor),
        tags: words(&["/meta/custom_data"]),
        ..Reading::default()
    };
    let total = (Value, "/data/attributes/total");
    let unpaid = || Tells::Nothing(ObjectKind::Order, "the order is not paid");
    let orders = reading(
        vec![when("order_created", "/data/attributes/status", &["paid"], Tells::Sale), rule("order_created", unpaid())],
        &[
            total,
            (ServiceId, "/data/attributes/first_order_item/product_id"),
            (ServiceName, "/data/attributes/first_order_item/product_name"),
        ],
    );
    let refunds = reading(
        vec![rule("order_refunded", Tells::Refund)],
        &[(Value, "/data/attributes/refunded_amount"), (RefundId, "/data/id")],
    );
    let event = "subscription_payment_success";
    let first = Tells::Nothing(ObjectKind::Invoice, "the first payment of a subscription counts by its order");
    let periods = reading(
        vec![when(event, "/data/attributes/billing_reason", &["initial"], first), rule(event, Tells::Renewal)],
        &[total, (Subscription, "/data/attributes/subscription_id"), (Reason, "/data/attributes/billing_reason")],
    );
    let invoice = |reading: Reading| Reading { id_prefix: "invoice-", ..reading };
    let by_order = Tells::Nothing(ObjectKind::Refund, "the first payment of a subscription goes back by its order");
    let period_refunds = reading(
        vec![
            when("subscription_payment_refunded", "/data/attributes/billing_reason", &["initial"], by_order),
            rule("subscription_payment_refunded", Tells::Refund),
        ],
        &[(Value, "/data/attributes/refunded_amount"), (RefundId, "/data/id")],
    );
    vec![orders, refunds, invoice(periods), invoice(period_refunds)]
}

/// Calendly: webhook payload of invitees. One who moves an appointment becomes another invitee, which names the one before.
fn calendly() -> Vec<Reading> {
    let moved = Tells::Nothing(ObjectKind::Booking, "the appointment is moved: the new one tells when to");
    vec![Reading {
        rules: vec![
            rule("invitee.created", Tells::Booking(Booked)),
            when("invitee.canceled", "/payload/rescheduled", &["true"], moved),
            rule("invitee.canceled", Tells::Booking(Cancelled)),
            rule("invitee_no_show.created", Tells::Booking(Missed)),
            rule("invitee_no_show.deleted", Tells::Booking(Booked)),
        ],
        places: places(&[
            (Time, "/created_at"),
            (Email, "/payload/email"),
            (Phone, "/payload/text_reminder_number"),
            (Name, "/payload/name|/payload/first_name"),
            (Lead, "/payload/tracking/lead_id"),
            (Id, "/payload/invitee|/payload/uri"),
            (Previous, "/payload/old_invitee"),
            (Value, "/payload/payment/amount"),
            (Currency, "/payload/payment/currency"),
            (Starts, "/payload/scheduled_event/start_time"),
            (Ends, "/payload/scheduled_event/end_time"),
            (ServiceId, "/payload/scheduled_event/event_type"),
            (ServiceName, "/payload/scheduled_event/name"),
        ]),
        unit: Some(ValueUnit::Major),
        tags: words(&["/payload/tracking"]),
        ..Reading::default()
    }]
}

/// Cal.com: webhook triggers (sendPayload.ts). A moved booking has an id of its own and names the one before.
fn cal_com() -> Vec<Reading> {
    let missed = when("BOOKING_NO_SHOW_UPDATED", "/payload/attendees/0/noShow", &["true"], Tells::Booking(Missed));
    vec![Reading {
        rules: vec![
            rule("BOOKING_CREATED", Tells::Booking(Booked)),
            rule("BOOKING_RESCHEDULED", Tells::Booking(Booked)),
            rule("BOOKING_CANCELLED", Tells::Booking(Cancelled)),
            rule("BOOKING_REJECTED", Tells::Booking(Cancelled)),
            missed,
            rule("BOOKING_NO_SHOW_UPDATED", Tells::Booking(Booked)),
        ],
        places: places(&[
            (Time, "/createdAt"),
            (Email, "/payload/attendees/0/email"),
            (Phone, "/payload/attendees/0/phoneNumber|/payload/responses/attendeePhoneNumber/value"),
            (Name, "/payload/attendees/0/name"),
            (Lead, "/payload/metadata/lead_id"),
            (Id, "/payload/uid|/payload/bookingUid"),
            (Previous, "/payload/rescheduleUid"),
            (Starts, "/payload/startTime"),
            (Ends, "/payload/endTime"),
            (ServiceId, "/payload/eventTypeId"),
            (ServiceName, "/payload/eventTitle|/payload/type"),
        ]),
        tags: words(&["/payload/metadata"]),
        ..Reading::default()
    }]
}

/// Typeform: webhook payload. Answers stand in a list, hidden fields by name.
fn typeform() -> Vec<Reading> {
    vec![Reading {
        rules: vec![rule("form_response", Tells::Lead)],
        places: places(&[
            (Time, "/form_response/submitted_at"),
            (Email, "/form_response/answers/type=email/email|/form_response/hidden/email"),
            (Phone, "/form_response/answers/type=phone_number/phone_number|/form_response/hidden/phone"),
            (
                Name,
                "/form_response/answers/field.ref=name/text|/form_response/answers/field.ref=first_name/text|/form_response/hidden/name",
            ),
            (LastName, "/form_response/answers/field.ref=last_name/text"),
            (Lead, "/form_response/hidden/lead_id"),
            (Id, "/form_response/token"),
            (ServiceId, "/form_response/form_id"),
            (ServiceName, "/form_response/definition/title"),
        ]),
        tags: words(&["/form_response/hidden"]),
        ..Reading::default()
    }]
}

/// MailerLite: webhook events of subscribers. What it tells of those that this program made is not taken for news.
fn mailerlite() -> Vec<Reading> {
    vec![Reading {
        rules: vec![
            rule("subscriber.unsubscribed", Tells::Unsubscribed),
            rule("subscriber.bounced", Tells::Unsubscribed),
            rule("subscriber.spam_reported", Tells::Unsubscribed),
        ],
        places: places(&[
            (Time, "/unsubscribed_at|/subscriber/unsubscribed_at|/updated_at|/subscriber/updated_at|/timestamp"),
            (Email, "/email|/subscriber/email|/data/subscriber/email"),
            (Customer, "/id|/subscriber/id|/data/subscriber/id"),
        ]),
        ..Reading::default()
    }]
}

/// PayPal: webhook event names; Payments API v2: capture, refund; Orders API v2: order; the sale of subscriptions is of version 1. A
/// capture names its order and nobody, the order names the buyer, and a refund names its capture by an address.
fn paypal() -> Vec<Reading> {
    let amounts = [
        (Value, "/resource/amount/value|/resource/amount/total"),
        (Currency, "/resource/amount/currency_code|/resource/amount/currency"),
    ];
    let reading = |rules, more: &[(Field, &str)]| Reading {
        rules,
        places: places(&[&[(Time, "/create_time")][..], &amounts, more].concat()),
        unit: Some(ValueUnit::Major),
        tails: &[Id],
        tries_have_ids: true,
        ..Reading::default()
    };
    let order = (Order, "/resource/supplementary_data/related_ids/order_id");
    let captures = reading(
        vec![
            rule("PAYMENT.CAPTURE.COMPLETED", Tells::Sale),
            rule("PAYMENT.CAPTURE.DENIED", Tells::Failed),
            rule("PAYMENT.CAPTURE.DECLINED", Tells::Failed),
        ],
        &[(Id, "/resource/id"), order],
    );
    let periods = reading(
        vec![rule("PAYMENT.SALE.COMPLETED", Tells::Sale)],
        &[(Id, "/resource/id"), (Subscription, "/resource/billing_agreement_id")],
    );
    let refunds = reading(
        vec![rule("PAYMENT.CAPTURE.REFUNDED", Tells::Refund), rule("PAYMENT.SALE.REFUNDED", Tells::Refund)],
        &[(Id, "/resource/sale_id|/resource/links/rel=up/href"), (RefundId, "/resource/id")],
    );
    let told = || Tells::Nothing(ObjectKind::Order, "an order counts by its capture");
    let orders = reading(
        vec![rule("CHECKOUT.ORDER.APPROVED", told()), rule("CHECKOUT.ORDER.COMPLETED", told())],
        &[
            (Id, "/resource/id"),
            (Customer, "/resource/payer/payer_id"),
            (Email, "/resource/payer/email_address|/resource/payment_source/paypal/email_address"),
            (Name, "/resource/payer/name/given_name|/resource/payment_source/paypal/name/given_name"),
            (LastName, "/resource/payer/name/surname|/resource/payment_source/paypal/name/surname"),
        ],
    );
    vec![captures, periods, refunds, orders]
}

/// Square: webhook events of payments and refunds, Payments API: payment; Refunds API: refund. A payment may be authorised long before it
/// is completed, and a refund stand open before it is.
fn square() -> Vec<Reading> {
    let completed = |event: &str, place: &str, tells| when(event, place, &["COMPLETED"], tells);
    let reading = |rules, more: &[(Field, &str)]| Reading {
        rules,
        places: places(&[&[(Time, "/created_at")][..], more].concat()),
        unit: Some(ValueUnit::Minor),
        tries_have_ids: true,
        ..Reading::default()
    };
    let payments = reading(
        vec![
            completed("payment.*", "/data/object/payment/status", Tells::Sale),
            when("payment.*", "/data/object/payment/status", &["FAILED"], Tells::Failed),
            rule("payment.*", Tells::Nothing(ObjectKind::Order, "the payment is not completed")),
        ],
        &[
            (Id, "/data/object/payment/id"),
            (Value, "/data/object/payment/total_money/amount|/data/object/payment/amount_money/amount"),
            (Currency, "/data/object/payment/total_money/currency|/data/object/payment/amount_money/currency"),
            (Email, "/data/object/payment/buyer_email_address"),
            (Customer, "/data/object/payment/customer_id"),
        ],
    );
    let refunds = reading(
        vec![
            completed("refund.*", "/data/object/refund/status", Tells::Refund),
            rule("refund.*", Tells::Nothing(ObjectKind::Refund, "only a refund that is completed counts")),
        ],
        &[
            (Id, "/data/object/refund/payment_id"),
            (RefundId, "/data/object/refund/id"),
            (Value, "/data/object/refund/amount_money/amount"),
            (Currency, "/data/object/refund/amount_money/currency"),
        ],
    );
    vec![payments, refunds]
}

/// Mailgun: webhook events. A permanent failure is an address that does not exist.
fn mailgun() -> Vec<Reading> {
    vec![Reading {
        rules: vec![
            rule("unsubscribed", Tells::Unsubscribed),
            rule("complained", Tells::Unsubscribed),
            when("failed", "/event-data/severity", &["permanent"], Tells::Unsubscribed),
        ],
        places: places(&[(Time, "/event-data/timestamp"), (Email, "/event-data/recipient")]),
        tags: words(&["/event-data/user-variables"]),
        ..Reading::default()
    }]
}
