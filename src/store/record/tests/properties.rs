//! For arbitrary models and arbitrary bytes.

use proptest::prelude::*;

use super::super::*;
use super::strategies;
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, WebhookId};

/// Decodes as every kind of record; what is read must be written back to something that reads as the same.
fn decode_as_everything(bytes: &[u8]) {
    if let Ok(webhook) = webhook::decode(WebhookId(1), bytes) {
        assert_eq!(webhook::decode(WebhookId(1), &webhook::encode(&webhook)), Ok(webhook));
    }
    if let Ok(group) = group::decode(GroupId(1), bytes) {
        assert_eq!(group::decode(GroupId(1), &group::encode(&group)), Ok(group));
    }
    if let Ok(event) = business_event::decode(BusinessEventId(1), bytes) {
        assert_eq!(business_event::decode(BusinessEventId(1), &business_event::encode(&event)), Ok(event));
    }
    if let Ok(contact) = contact::decode(ContactId(1), bytes) {
        assert_eq!(contact::decode(ContactId(1), &contact::encode(&contact)), Ok(contact));
    }
    if let Ok(sync) = contact_sync::decode(DestinationId(1), ContactId(1), bytes) {
        assert_eq!(contact_sync::decode(DestinationId(1), ContactId(1), &contact_sync::encode(&sync)), Ok(sync));
    }
    if let Ok(attempt) = attempt::decode(bytes) {
        assert_eq!(attempt::decode(&attempt::encode(&attempt)), Ok(attempt));
    }
    if let Ok(standing) = standing::decode(bytes) {
        assert_eq!(standing::decode(&standing::encode(&standing)), Ok(standing));
    }
    if let Ok(history) = subscription::decode(bytes) {
        assert_eq!(subscription::decode(&subscription::encode(&history)), Ok(history));
    }
    if let Ok(holder) = holder::decode(bytes) {
        assert_eq!(holder::decode(&holder::encode(holder)), Ok(holder));
    }
    if let Ok(totals) = totals::decode(bytes) {
        assert_eq!(totals::decode(&totals::encode(&totals)), Ok(totals));
    }
    if let Ok(said) = lead::decode("lead_1", bytes) {
        assert_eq!(lead::decode("lead_1", &lead::encode(&said)), Ok(said));
    }
    if let Ok(kept) = refused::decode("shop", 1, bytes) {
        assert_eq!(refused::decode("shop", 1, &refused::encode(&kept)), Ok(kept));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_webhook_comes_back_as_it_was(webhook in strategies::webhook()) {
        prop_assert_eq!(webhook::decode(webhook.id, &webhook::encode(&webhook)), Ok(webhook));
    }

    #[test]
    fn every_lead_comes_back_as_it_was(said in strategies::lead()) {
        prop_assert_eq!(lead::decode(&said.id, &lead::encode(&said)), Ok(said));
    }

    #[test]
    fn every_group_comes_back_as_it_was(group in strategies::group()) {
        prop_assert_eq!(group::decode(group.id, &group::encode(&group)), Ok(group));
    }

    #[test]
    fn every_business_event_comes_back_as_it_was(event in strategies::business_event()) {
        prop_assert_eq!(business_event::decode(event.id, &business_event::encode(&event)), Ok(event));
    }

    #[test]
    fn every_contact_comes_back_as_it_was(contact in strategies::contact()) {
        prop_assert_eq!(contact::decode(contact.id, &contact::encode(&contact)), Ok(contact));
    }

    #[test]
    fn every_contact_sync_comes_back_as_it_was(sync in strategies::contact_sync()) {
        prop_assert_eq!(contact_sync::decode(sync.destination, sync.contact, &contact_sync::encode(&sync)), Ok(sync));
    }

    #[test]
    fn every_attempt_comes_back_as_it_was(attempt in strategies::attempt()) {
        prop_assert_eq!(attempt::decode(&attempt::encode(&attempt)), Ok(attempt));
    }

    #[test]
    fn every_standing_comes_back_as_it_was(standing in strategies::standing()) {
        prop_assert_eq!(standing::decode(&standing::encode(&standing)), Ok(standing));
    }

    #[test]
    fn every_subscription_comes_back_as_it_was(history in strategies::subscription()) {
        prop_assert_eq!(subscription::decode(&subscription::encode(&history)), Ok(history));
    }

    #[test]
    fn every_holder_comes_back_as_it_was(holder in strategies::holder()) {
        prop_assert_eq!(holder::decode(&holder::encode(holder)), Ok(holder));
    }

    #[test]
    fn every_totals_comes_back_as_it_was(totals in strategies::totals()) {
        prop_assert_eq!(totals::decode(&totals::encode(&totals)), Ok(totals));
    }

    #[test]
    fn arbitrary_bytes_never_panic(rest in proptest::collection::vec(any::<u8>(), 0..400)) {
        decode_as_everything(&rest);
        decode_as_everything(&[&[0], &rest[..]].concat());
    }

    #[test]
    fn a_record_with_one_byte_changed_never_panics(
        mut bytes in prop_oneof![
            strategies::webhook().prop_map(|webhook| webhook::encode(&webhook)),
            strategies::group().prop_map(|group| group::encode(&group)),
            strategies::contact().prop_map(|contact| contact::encode(&contact)),
            strategies::business_event().prop_map(|event| business_event::encode(&event)),
        ],
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        decode_as_everything(&bytes);
    }
}
