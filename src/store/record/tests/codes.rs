//! Every number that stands for a choice, as it was when it was released. Lists may only grow at their end.

use super::super::codes::Code;
use super::super::kind::KindV1;
use crate::model::attribution::ConsentSource;
use crate::model::booking::BookingStatus;
use crate::model::business_event::Mark;
use crate::model::delivery::{FailureClass, Rule};
use crate::model::id::Mode;
use crate::model::identity::IdentityKind;
use crate::model::statement::{Billing, ObjectKind};
use crate::model::subscription::{SubscriptionChange, SubscriptionStatus};
use crate::model::webhook::Status;

/// The choices of a type at their numbers. Checks on the way that each is written as the number it is read from.
fn in_order<T: Code + Copy>(name: impl Fn(T) -> String) -> String {
    let known: Vec<T> = (0..=u8::MAX).map_while(|code| T::from_code(code).ok()).collect();
    assert!((0..).zip(&known).all(|(code, choice)| choice.code() == code));
    assert!((known.len()..256).all(|code| T::from_code(u8::try_from(code).unwrap()).is_err()));
    known.into_iter().map(name).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_number_keeps_its_meaning() {
    assert_eq!(in_order(|mode: Mode| mode.name().into()), "live test");
    assert_eq!(in_order(|status: Status| status.name().into()), "accepted ignored unreadable");
    assert_eq!(
        in_order(|kind: ObjectKind| format!("{kind:?}")),
        "Session Invoice Intent Charge Refund Dispute Subscription Customer Order Booking Other Lead"
    );
    assert_eq!(in_order(|status: BookingStatus| status.name().into()), "booked removed cancelled missed attended");
    assert_eq!(
        in_order(|reason: Billing| format!("{reason:?}")),
        "SubscriptionStart SubscriptionCycle SubscriptionUpdate SubscriptionOther Manual"
    );
    assert_eq!(
        in_order(|status: SubscriptionStatus| status.name().into()),
        "not_begun trialing active overdue paused ended"
    );
    assert_eq!(
        in_order(|change: SubscriptionChange| change.name().into()),
        "plan paused resumed end_scheduled end_cancelled overdue recovered trial_ended"
    );
    assert_eq!(in_order(|kind: IdentityKind| kind.name().into()), "email customer user lead phone");
    assert_eq!(
        in_order(|rule: Rule| rule.name().into()),
        "withdrawn too_old no_consent test_mode unsubscribed filtered no_client_id no_email no_contact ambiguous echo \
         erased"
    );
    assert_eq!(
        in_order(|class: FailureClass| class.name().into()),
        "rejected attempts_used_up deadline_passed destination_unavailable invalid ambiguous"
    );
    assert_eq!(
        in_order(|mark: Mark| mark.name().into()),
        "by_likeness upgrade unmatched capped told_twice changed_after_sent absorbed held_back lent_touches \
         consent_by_default"
    );
    assert_eq!(in_order(|source: ConsentSource| source.name().into()), "sender browser");
}

#[test]
fn every_kind_of_business_event_keeps_its_number() {
    let known: Vec<_> = (0..=u8::MAX).map_while(|code| KindV1::Named(code).read().ok()).collect();
    assert!(
        (0..).zip(&known).all(|(code, kind)| matches!(KindV1::of(kind), KindV1::Named(written) if written == code))
    );
    assert_eq!(
        known.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" "),
        "purchase payment_failed refund refund_failed dispute_lost dispute_reversed renewal subscription_started \
         subscription_changed subscription_ended trial_started lead contact_changed booking_made booking_changed \
         booking_cancelled booking_attended booking_missed"
    );
}
